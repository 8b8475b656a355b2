import GitopsSource
import VoltCore
import VoltGit

/// What of a repository is deployed: the tip of a branch, the highest of some tags, or one commit.
enum GitTarget: CustomStringConvertible {
    case branch(BranchName)
    case tags(TagPattern)
    case commit(String)

    /// The references that lead to any commit that was pushed. A commit that only a fork or a pull request
    /// has is on none of them.
    static let everything = ["refs/heads/*", "refs/tags/*"]

    init(_ repository: RepositoryAccess) throws(VoltError) {
        if let pinned = repository.pinned {
            self = .commit(pinned)
        } else if let tag = repository.tag {
            self = .tags(try TagPattern(tag))
        } else {
            self = .branch(try BranchName(repository.branch))
        }
    }

    var isOfTags: Bool { if case .tags = self { true } else { false } }
    var isPinned: Bool { if case .commit = self { true } else { false } }

    var description: String {
        switch self {
        case .branch(let name): "branch '\(name)'"
        case .tags(let pattern): "tag '\(pattern.text)'"
        case .commit: "any branch or tag"
        }
    }

    /// The commit that is to be deployed now, and by which reference.
    ///
    /// - Parameter remote: asked when the answer is not known without it.
    func tip(_ remote: () throws(VoltError) -> GitRemote) throws(VoltError) -> (commit: String, ref: String?)
    {
        switch self {
        case .commit(let id): return (id, nil)
        case .branch(let name):
            return (try remote().tip(of: name.reference), name.reference)
        case .tags(let pattern):
            let remote = try remote()
            let tags = try remote.tags()
            guard let name = pattern.highest(of: tags.keys.filter(BranchName.isValid)),
                let commit = tags[name]
            else {
                let some = tags.keys.sorted { TagOrder($1) < TagOrder($0) }.prefix(5)
                throw VoltError(
                    .notFound, "'\(remote.url)' has no tag that matches '\(pattern.text)'",
                    hint: some.isEmpty
                        ? "it has no tags" : "it has \(some.map { "'\($0)'" }.joined(separator: ", "))")
            }
            return (commit, "refs/tags/\(name)")
        }
    }
}
