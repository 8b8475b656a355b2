public import VoltCore

/// The name of a branch, by the rules of git-check-ref-format(1). A Subversion branch, such as `trunk`
/// or `branches/1.x`, follows the same rules.
public struct BranchName: Sendable, Hashable, CustomStringConvertible {
    /// The name without `refs/heads/`.
    public let text: String

    /// The name of the reference: `refs/heads/main`.
    public var reference: String { "refs/heads/\(text)" }

    /// The name without `refs/heads/`.
    public var description: String { text }

    /// Parses `main` or `refs/heads/main`.
    ///
    /// - Throws: `VoltError` with code `usage`.
    public init(_ source: String) throws(VoltError) {
        let prefix = "refs/heads/"
        let name = source.hasPrefix(prefix) ? String(source.dropFirst(prefix.count)) : source
        guard Self.isValid(name) else {
            let shown = PrintableText.line(source, limit: 80)
            throw VoltError(
                .usage, "'\(shown)' is not the name of a branch", hint: "see git-check-ref-format(1)")
        }
        text = name
    }

    /// Whether the text follows the rules.
    public static func isValid(_ name: String) -> Bool {
        let bytes = Array(name.utf8)
        // git's limit is that of a path below .git/refs, which some file systems cut at 255.
        guard !bytes.isEmpty, bytes.count <= 244, name != "@", name != "HEAD", bytes[0] != UInt8(ascii: "-")
        else {
            return false
        }
        let forbidden = Array(" ~^:?*[\\".utf8)
        guard bytes.allSatisfy({ $0 >= 32 && $0 != 127 && !forbidden.contains($0) }) else { return false }
        guard !name.contains(".."), !name.contains("@{"), !name.contains("//") else { return false }
        guard bytes[bytes.count - 1] != UInt8(ascii: "."), bytes[bytes.count - 1] != UInt8(ascii: "/") else {
            return false
        }
        return name.split(separator: "/", omittingEmptySubsequences: false).allSatisfy {
            !$0.isEmpty && !$0.hasPrefix(".") && !$0.hasSuffix(".lock")
        }
    }
}
