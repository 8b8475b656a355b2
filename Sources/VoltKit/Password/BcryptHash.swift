internal import CCrypt
internal import Glibc
public import VoltCore
internal import VoltCrypto

/// A hash of a password by bcrypt, as `htpasswd -B` writes it: `$2y$`, the cost, salt and digest.
public struct BcryptHash: Sendable, Hashable {
    /// The highest cost that is taken, in doublings: 15 takes about two seconds of a processor.
    public static let highestCost = 15
    /// The longest password that is looked at, in bytes; bcrypt itself heeds the first 72.
    public static let longestPassword = 1024

    /// The cost: the work is two to this power.
    public let cost: Int
    /// The hash as it stands in the file. It is not for logs.
    public let text: String

    /// - Throws: `VoltError` with code `refused`; the message does not hold the text.
    public init(_ text: some StringProtocol) throws(VoltError) {
        let bytes = Array(text.utf8)
        guard bytes.count > 3, ["$2y$", "$2b$", "$2a$"].contains(text.prefix(4)) else {
            throw VoltError(
                .refused, "the password is not hashed with bcrypt",
                hint: "set it again with: htpasswd -B FILE USER")
        }
        let isLetter = { (byte: UInt8) in
            (46...57).contains(byte) || (65...90).contains(byte) || (97...122).contains(byte)
        }
        guard bytes.count == 60, let cost = Int(text.dropFirst(4).prefix(2)), bytes[6] == 36,
            bytes[7...].allSatisfy(isLetter)
        else {
            throw VoltError(
                .refused, "the hash of the password is damaged",
                hint: "set it again with: htpasswd -B FILE USER")
        }
        guard (4...Self.highestCost).contains(cost) else {
            throw VoltError(
                .refused, "the hash of the password has cost \(cost); 4 to \(Self.highestCost) are taken",
                hint: "set it again with: htpasswd -B -C 10 FILE USER")
        }
        self.cost = cost
        self.text = String(text)
    }

    private init(decoyOfCost cost: Int) {
        self.cost = cost
        text = "$2y$\(cost < 10 ? "0" : "")\(cost)$wNM4cGVqNqs5ePyCqsJ0u." + String(repeating: ".", count: 31)
    }

    /// A hash that no password has, and that takes as long to compare as any of its cost.
    public static func decoy(cost: Int) -> BcryptHash {
        BcryptHash(decoyOfCost: min(max(cost, 4), highestCost))
    }

    /// Whether this is the hash of the password.
    ///
    /// **Blocks** the thread for the time of the cost (10: about 60 ms), whatever the answer is.
    ///
    /// - Parameter password: 1 to 1024 bytes without a zero byte; any other has no hash, and is answered at
    ///   once.
    public func matches(_ password: [UInt8]) -> Bool {
        guard !password.isEmpty, password.count <= Self.longestPassword, !password.contains(0) else {
            return false
        }
        // 32 KiB: too much for the stack of a thread of a pool.
        let work = UnsafeMutablePointer<crypt_data>.allocate(capacity: 1)
        memset(work, 0, MemoryLayout<crypt_data>.size)
        defer {
            explicit_bzero(work, MemoryLayout<crypt_data>.size)
            work.deallocate()
        }
        let phrase = password.map { CChar(bitPattern: $0) } + [0]
        guard let result = crypt_r(phrase, text, work) else { return false }
        return ConstantTime.equal(Array(String(cString: result).utf8), Array(text.utf8))
    }
}
