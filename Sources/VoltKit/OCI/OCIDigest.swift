public import VoltCore
internal import VoltCrypto

/// The digest of a blob or manifest, by one of the algorithms that the OCI Image Format Specification 1.1 registers
/// ("descriptor.md", section "Registered algorithms").
public struct OCIDigest: Sendable, Hashable, Comparable, Codable, CustomStringConvertible {
    /// How a digest is computed.
    public enum Algorithm: String, Sendable, CaseIterable, Codable {
        case sha256
        case sha512

        /// The hex digits of a digest.
        public var hexCount: Int { self == .sha256 ? 64 : 128 }
    }

    /// How it is computed.
    public let algorithm: Algorithm
    /// Lower-case hex digits.
    public let hex: String

    /// Parses `sha256:<64 hex digits>` or `sha512:<128 hex digits>`.
    ///
    /// - Throws: `VoltError` with code `usage`.
    public init(_ text: some StringProtocol) throws(VoltError) {
        guard let value = OCIDigest(parsing: text) else {
            throw VoltError(
                .usage, "'\(text.prefix(200))' is not a digest", hint: "write sha256: and 64 hex digits")
        }
        self = value
    }

    /// The same, or nil.
    public init?(parsing text: some StringProtocol) {
        guard text.utf8.count <= 135, let colon = text.firstIndex(of: ":"),
            let algorithm = Algorithm(rawValue: String(text[..<colon]))
        else { return nil }
        let hex = text[text.index(after: colon)...]
        guard hex.utf8.count == algorithm.hexCount,
            hex.utf8.allSatisfy({ (48...57).contains($0) || (97...102).contains($0) })
        else { return nil }
        self.algorithm = algorithm
        self.hex = String(hex)
    }

    /// A digest of the content store.
    public init(_ digest: Digest) {
        algorithm = .sha256
        hex = digest.hex
    }

    /// The name in the content store; nil for other algorithms than SHA-256.
    public var sha256: Digest? { algorithm == .sha256 ? try? Digest(description) : nil }

    /// `<algorithm>:<hex>`.
    public var description: String { "\(algorithm.rawValue):\(hex)" }

    /// By the text.
    public static func < (left: OCIDigest, right: OCIDigest) -> Bool { left.description < right.description }

    /// Decodes the text.
    public init(from decoder: any Decoder) throws {
        try self.init(decoder.singleValueContainer().decode(String.self))
    }

    /// Encodes the text.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(description)
    }

    /// The digest of bytes at hand.
    public static func of(_ bytes: some Sequence<UInt8>, _ algorithm: Algorithm = .sha256) -> OCIDigest {
        let hasher = OCIHasher(algorithm)
        hasher.update(Array(bytes))
        return hasher.finish()
    }
}

/// A digest of bytes that come piece by piece.
public final class OCIHasher {
    private enum State: ~Copyable {
        case sha256(SHA256Hasher)
        case sha512(SHA512Hasher)
        case finished
    }
    private var state: State
    /// How it is computed.
    public let algorithm: OCIDigest.Algorithm

    /// A hasher that has seen no bytes.
    public init(_ algorithm: OCIDigest.Algorithm = .sha256) {
        self.algorithm = algorithm
        state = algorithm == .sha256 ? .sha256(SHA256Hasher()) : .sha512(SHA512Hasher())
    }

    /// Adds bytes.
    public func update(_ bytes: UnsafeRawBufferPointer) {
        switch state {
        case .sha256(let hasher): hasher.update(bytes)
        case .sha512(let hasher): hasher.update(bytes)
        case .finished: preconditionFailure("the digest was taken already")
        }
    }

    /// Adds bytes.
    public func update(_ bytes: [UInt8]) { bytes.withUnsafeBytes { update($0) } }

    /// The digest of all bytes; the hasher is used up.
    public func finish() -> OCIDigest {
        var taken = State.finished
        swap(&taken, &state)
        let bytes: [UInt8]
        switch consume taken {
        case .sha256(let hasher): bytes = hasher.finishBytes()
        case .sha512(let hasher): bytes = hasher.finish()
        case .finished: preconditionFailure("the digest was taken already")
        }
        // The hasher gives as many bytes as the algorithm has.
        guard let digest = OCIDigest(parsing: "\(algorithm.rawValue):\(Hex.encode(bytes))") else {
            preconditionFailure("a digest has other than \(algorithm.hexCount) digits")
        }
        return digest
    }
}
