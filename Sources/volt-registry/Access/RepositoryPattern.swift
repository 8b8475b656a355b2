internal import VoltCore
internal import VoltOCI

/// A pattern of repository names: see `NamePattern`.
struct RepositoryPattern: Sendable, Hashable {
    /// The longest pattern, in bytes.
    static let longest = NamePattern.longest

    private let pattern: NamePattern
    var text: String { pattern.text }

    /// Whether it stands for every name.
    var isEverything: Bool { text.split(separator: "/").allSatisfy { $0 == "**" } }

    /// - Throws: `VoltError` with code `usage`.
    init(_ text: String) throws(VoltError) {
        let pattern = NamePattern(text) {
            (97...122).contains($0) || (48...57).contains($0) || [45, 46, 95].contains($0)
        }
        guard let pattern else {
            throw VoltError(
                .usage, "'\(text.prefix(100))' is not a pattern of repositories",
                hint: "write a name such as team/web, with * for a part and ** for any number of parts")
        }
        self.pattern = pattern
    }

    /// Whether the pattern stands for the name.
    func matches(_ name: OCIRepositoryName) -> Bool { pattern.matches(name.description) }
}
