import VoltCore
import VoltCrypto

enum SHA256 {
    static func of(_ bytes: [UInt8]) -> Digest { SHA256Hasher.digest(of: bytes) }
}
