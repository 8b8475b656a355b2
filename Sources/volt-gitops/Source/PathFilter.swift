public import VoltCore

/// The files of a repository that concern a workload.
public struct PathFilter: Sendable {
    private var included: [GlobPattern] = []
    private var excluded: [GlobPattern] = []

    /// - Parameter patterns: globs relative to the root of the repository; those after a `!` exclude, and
    ///   without any other they exclude from all files. A directory stands for all that is in it.
    /// - Throws: `VoltError` with code `usage`.
    public init(_ patterns: [String]) throws(VoltError) {
        for pattern in patterns {
            let isExclusion = pattern.hasPrefix("!")
            var text = isExclusion ? String(pattern.dropFirst()) : pattern
            while text.hasSuffix("/") { text.removeLast() }
            let parts = text.split(separator: "/", omittingEmptySubsequences: false)
            guard !parts.contains(where: { $0.isEmpty || $0 == "." || $0 == ".." }) else {
                throw VoltError(
                    .usage, "'\(pattern)' is not a pattern of files",
                    hint: "write it relative to the root of the repository, such as 'web/**'")
            }
            let globs = [try GlobPattern(text), try GlobPattern("\(text)/**")]
            if isExclusion { excluded += globs } else { included += globs }
        }
    }

    /// Whether a file is one of them.
    ///
    /// - Parameter path: relative to the root of the repository.
    public func matches(_ path: [UInt8]) -> Bool {
        (included.isEmpty || included.contains { $0.matches(path) })
            && !excluded.contains { $0.matches(path) }
    }
}
