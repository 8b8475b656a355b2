/// The digest of some bytes, written `sha256:<64 hex digits>` as in the OCI Image Specification.
public struct Digest: Sendable, Hashable, Comparable, Codable, CustomStringConvertible {
    /// The 64 lower-case hex digits.
    public let hex: String

    /// - Parameter bytes: the 32 bytes of a SHA-256.
    public init(sha256 bytes: some Sequence<UInt8>) { hex = Hex.encode(bytes) }

    /// Parses `sha256:<hex>`.
    ///
    /// - Throws: `VoltError` with code `usage`.
    public init(_ text: some StringProtocol) throws(VoltError) {
        let hex = text.hasPrefix("sha256:") ? String(text.dropFirst(7)) : ""
        guard hex.utf8.count == 64, hex.utf8.allSatisfy({ (48...57).contains($0) || (97...102).contains($0) })
        else { throw VoltError(.usage, "'\(text)' is not a sha256 digest") }
        self.hex = hex
    }

    /// `sha256:<hex>`.
    public var description: String { "sha256:\(hex)" }

    /// The first 12 hex digits, for tables.
    public var short: String { String(hex.prefix(12)) }

    /// By the hex digits.
    public static func < (left: Digest, right: Digest) -> Bool { left.hex < right.hex }

    /// Decodes `sha256:<hex>`.
    public init(from decoder: any Decoder) throws {
        try self.init(decoder.singleValueContainer().decode(String.self))
    }

    /// Encodes `sha256:<hex>`.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(description)
    }
}

/// Base 16.
public enum Hex {
    private static let digits = Array("0123456789abcdef".utf8)

    /// Lower-case hex digits, two a byte.
    public static func encode(_ bytes: some Sequence<UInt8>) -> String {
        var text: [UInt8] = []
        for byte in bytes {
            text.append(digits[Int(byte >> 4)])
            text.append(digits[Int(byte & 15)])
        }
        return String(decoding: text, as: UTF8.self)
    }

    /// The bytes of lower-case hex digits; nil for anything else, upper case included.
    public static func decode(_ text: some StringProtocol) -> [UInt8]? {
        let source = Array(text.utf8)
        guard source.count % 2 == 0 else { return nil }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(source.count / 2)
        for index in stride(from: 0, to: source.count, by: 2) {
            guard let high = value(source[index]), let low = value(source[index + 1]) else { return nil }
            bytes.append(high << 4 | low)
        }
        return bytes
    }

    private static func value(_ digit: UInt8) -> UInt8? {
        switch digit {
        case 48...57: digit - 48
        case 97...102: digit - 87
        default: nil
        }
    }
}
