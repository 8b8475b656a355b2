internal import VoltCore

/// A pattern of names whose parts are joined by slashes: `*` within a part stands for any letters of it, `**` as a part
/// for any number of parts, none included.
public struct NamePattern: Sendable, Hashable {
    /// The longest pattern, in bytes.
    public static let longest = 512

    /// The pattern as it was written.
    public let text: String
    private let parts: [[UInt8]]
    private static let anyParts: [UInt8] = [42, 42]

    /// - Parameter isLetter: what a part may be made of besides `*`.
    /// - Returns: nil for what is no pattern.
    public init?(_ text: String, isLetter: (UInt8) -> Bool) {
        let parts = text.utf8.split(separator: 47, omittingEmptySubsequences: false).map(Array.init)
        let isPart = { (part: [UInt8]) in
            !part.isEmpty
                && (part == Self.anyParts || !part.starts(with: Self.anyParts))
                && part.allSatisfy { $0 == 42 || isLetter($0) }
        }
        guard text.utf8.count <= Self.longest, parts.allSatisfy(isPart) else { return nil }
        self.text = text
        self.parts = parts
    }

    /// Whether the pattern stands for the name. The time is at most the product of both lengths.
    public func matches(_ name: String) -> Bool {
        let names = name.utf8.split(separator: 47, omittingEmptySubsequences: false).map(Array.init)
        return Glob.matches(parts, path: names, signs: [])
    }
}
