internal import VoltCore

/// What people write for an attempt or a commit. Digits are an attempt's number first; `r12` is revision 12 of
/// Subversion, in any case; a commit of Git is written in whole, or begun with at least four characters.
struct CommitReference {
    /// The shortest beginning of a commit, as Git has it.
    static let shortest = 4

    let text: String

    init(_ text: String) { self.text = text }

    /// The number, when the text is one.
    var number: Int64? {
        guard Self.isNumber(text), text.first != "0" else { return nil }
        return Int64(text)
    }

    /// Whether the text is too short for a commit, and nothing else.
    var isShort: Bool { text.utf8.count < Self.shortest && !Self.isNumber(text) && revision == nil }

    /// Whether a commit is meant. The beginning of a revision's number is another revision.
    func means(_ commit: String) -> Bool {
        if commit == text || commit == revision { return true }
        let isRevision = Self.isNumber(commit) && commit.utf8.count < 40
        return !isRevision && text.utf8.count >= Self.shortest && commit.hasPrefix(text.lowercased())
    }

    private var revision: String? {
        guard text.first == "r" else { return nil }
        let digits = String(text.dropFirst())
        return Self.isNumber(digits) ? digits : nil
    }

    private static func isNumber(_ text: String) -> Bool {
        !text.isEmpty && text.utf8.allSatisfy { (48...57).contains($0) }
    }
}
