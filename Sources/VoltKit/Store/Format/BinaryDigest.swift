public import VoltCore
internal import VoltCrypto

/// The 32 bytes of a SHA-256, kept in place: the name of a blob in sets, indexes and manifests of millions.
public struct BinaryDigest: Sendable, Hashable, Comparable {
    /// The bytes in groups of eight, each big-endian, so that the order is that of the bytes.
    var words: (UInt64, UInt64, UInt64, UInt64)

    /// The number of bytes.
    static let count = 32

    /// The digest whose bytes are all zero, which stands for no blob.
    static let zero = BinaryDigest(words: (0, 0, 0, 0))

    /// The digest of no bytes: files without content need no blob, and it can always be read.
    static let empty = BinaryDigest(
        words: (0xe3b0_c442_98fc_1c14, 0x9afb_f4c8_996f_b924, 0x27ae_41e4_649b_934c, 0xa495_991b_7852_b855))

    init(words: (UInt64, UInt64, UInt64, UInt64)) { self.words = words }

    /// - Parameter bytes: at least 32.
    init(_ bytes: UnsafeRawPointer) {
        func word(_ index: Int) -> UInt64 {
            UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: index * 8, as: UInt64.self))
        }
        words = (word(0), word(1), word(2), word(3))
    }

    /// The digest in the form of OCI.
    public init(_ digest: Digest) {
        let bytes = Hex.decode(digest.hex) ?? [UInt8](repeating: 0, count: Self.count)
        self = bytes.withUnsafeBytes { buffer in
            guard let base = buffer.baseAddress else { return .zero }
            return BinaryDigest(base)
        }
    }

    /// `sha256:<hex>`.
    public var digest: Digest { withBytes { Digest(sha256: $0) } }

    /// The 64 hex digits.
    var hex: String { withBytes { Hex.encode($0) } }

    /// The first four bytes, little-endian.
    var check: UInt32 { UInt32(truncatingIfNeeded: words.0 >> 32).byteSwapped }

    /// Calls the body with the 32 bytes.
    func withBytes<Result>(_ body: (UnsafeRawBufferPointer) throws -> Result) rethrows -> Result {
        let swapped = (
            words.0.bigEndian, words.1.bigEndian, words.2.bigEndian, words.3.bigEndian
        )
        return try withUnsafeBytes(of: swapped, body)
    }

    /// By the bytes.
    public static func < (left: BinaryDigest, right: BinaryDigest) -> Bool {
        if left.words.0 != right.words.0 { return left.words.0 < right.words.0 }
        if left.words.1 != right.words.1 { return left.words.1 < right.words.1 }
        if left.words.2 != right.words.2 { return left.words.2 < right.words.2 }
        return left.words.3 < right.words.3
    }

    /// By all bytes.
    public static func == (left: BinaryDigest, right: BinaryDigest) -> Bool {
        left.words.0 == right.words.0 && left.words.1 == right.words.1 && left.words.2 == right.words.2
            && left.words.3 == right.words.3
    }

    /// Any eight bytes of a hash are a hash.
    public func hash(into hasher: inout Hasher) { hasher.combine(words.3) }
}

/// SHA-256 of bytes that come piece by piece, of one blob after the other.
final class BlobHasher {
    private var hasher = SHA256Hasher()

    /// Adds bytes.
    func update(_ bytes: UnsafeRawBufferPointer) { hasher.update(bytes) }

    /// The digest of all bytes; the hasher then is as one that has seen none.
    func take() -> BinaryDigest {
        withUnsafeTemporaryAllocation(byteCount: BinaryDigest.count, alignment: 8) { buffer in
            guard let base = buffer.baseAddress else { return .zero }
            hasher.finish(into: base)
            return BinaryDigest(UnsafeRawPointer(base))
        }
    }
}
