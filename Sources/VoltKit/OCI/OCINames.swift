public import VoltCore

/// The name of a repository (OCI Distribution Specification 1.1, section "Pulling manifests"): parts of lower-case
/// letters and digits, with `.`, `_`, `__` or dashes between them, joined by slashes.
public struct OCIRepositoryName: Sendable, Hashable, Comparable, CustomStringConvertible {
    /// Docker's limit of the name with its host; clients keep to it.
    public static let longest = 255

    /// Such as `team/web`.
    public let description: String

    /// - Throws: `VoltError` with code `usage`.
    public init(_ text: some StringProtocol) throws(VoltError) {
        guard let name = OCIRepositoryName(parsing: text) else {
            throw VoltError(
                .usage, "'\(text.prefix(300))' is not the name of a repository",
                hint:
                    "write lower-case letters and digits, with . _ - between them and / between the parts, such as team/web"
            )
        }
        self = name
    }

    /// The same, or nil.
    public init?(parsing text: some StringProtocol) {
        guard !text.isEmpty, text.utf8.count <= Self.longest else { return nil }
        // What the last byte was: a slash or the start wants a letter or digit, and so does the end.
        var separators = 1
        var kind: UInt8 = 47
        for byte in text.utf8 {
            switch byte {
            case 97...122, 48...57: separators = 0
            case 46, 95, 45, 47:
                // One of . and /, one or two of _, any number of -.
                let isMore =
                    separators > 0 && kind == byte && (byte == 45 || (byte == 95 && separators == 1))
                guard separators == 0 || isMore else { return nil }
                separators += 1
                kind = byte
            default: return nil
            }
        }
        guard separators == 0 else { return nil }
        description = String(text)
    }

    /// By the text.
    public static func < (left: Self, right: Self) -> Bool { left.description < right.description }
}

/// The name of a tag: at most 128 letters, digits, `_`, `.` and `-`, of which `.` and `-` are not the first.
public struct OCITagName: Sendable, Hashable, Comparable, CustomStringConvertible {
    /// Such as `1.4`.
    public let description: String

    /// - Throws: `VoltError` with code `usage`.
    public init(_ text: some StringProtocol) throws(VoltError) {
        guard let name = OCITagName(parsing: text) else {
            throw VoltError(
                .usage, "'\(text.prefix(200))' is not the name of a tag",
                hint: "write at most 128 letters, digits, _ . and -, such as 1.4")
        }
        self = name
    }

    /// The same, or nil.
    public init?(parsing text: some StringProtocol) {
        guard (1...128).contains(text.utf8.count), let first = text.utf8.first, first != 46, first != 45,
            text.utf8.allSatisfy({ byte in
                (48...57).contains(byte) || (65...90).contains(byte) || (97...122).contains(byte)
                    || byte == 95 || byte == 46 || byte == 45
            })
        else { return nil }
        description = String(text)
    }

    /// In the order of ASCII.
    public static func < (left: Self, right: Self) -> Bool { left.description < right.description }
}
