/// The name of something a user made: `[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?`, the rule of a DNS label.
///
/// A name is safe as a path component, a cgroup, a unit and a host name.
public struct Name: Sendable, Hashable, Comparable, Codable, CustomStringConvertible {
    /// The text of the name.
    public let text: String

    /// Parses a name.
    ///
    /// - Parameters:
    ///   - text: the candidate.
    ///   - subject: what the name is of, for the error: `pipeline`, `workload`.
    /// - Throws: `VoltError` with code `usage`.
    public init(_ text: some StringProtocol, of subject: String = "object") throws(VoltError) {
        guard Self.isValid(text) else {
            throw VoltError(
                .usage, "'\(text)' is not a name for a \(subject)",
                hint: "use 1 to 63 of a-z, 0-9 and '-', with a letter or digit at both ends")
        }
        self.text = String(text)
    }

    /// Whether the text follows the rule.
    public static func isValid(_ text: some StringProtocol) -> Bool {
        let bytes = Array(text.utf8)
        guard (1...63).contains(bytes.count) else { return false }
        let isAlphanumeric = { (byte: UInt8) in
            (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte)
                || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
        }
        guard isAlphanumeric(bytes[0]), isAlphanumeric(bytes[bytes.count - 1]) else { return false }
        return bytes.allSatisfy { isAlphanumeric($0) || $0 == UInt8(ascii: "-") }
    }

    /// The text of the name.
    public var description: String { text }

    /// By the bytes of the text.
    public static func < (left: Name, right: Name) -> Bool { left.text < right.text }

    /// Decodes and checks the text.
    public init(from decoder: any Decoder) throws {
        try self.init(decoder.singleValueContainer().decode(String.self))
    }

    /// Encodes the text.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(text)
    }
}
