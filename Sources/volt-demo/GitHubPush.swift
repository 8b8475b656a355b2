/// The fields of GitHub's `push` event that a receiver looks at, and as many commits as make it large.
struct GitHubPush: Encodable {
    struct Repository: Encodable {
        let fullName: String
        let cloneURL: String
        let defaultBranch: String

        enum CodingKeys: String, CodingKey {
            case fullName = "full_name"
            case cloneURL = "clone_url"
            case defaultBranch = "default_branch"
        }
    }
    struct Commit: Encodable {
        let id: String
        let message: String
        let added: [String]
        let modified: [String]
    }

    let ref: String
    let before = String(repeating: "0", count: 40)
    let after: String
    let created = false
    let deleted = false
    let forced = false
    let repository: Repository
    let headCommit: Commit
    let commits: [Commit]

    enum CodingKeys: String, CodingKey {
        case ref, before, after, created, deleted, forced, repository, commits
        case headCommit = "head_commit"
    }

    /// - Parameter commits: how many commits the push has; each adds about 280 bytes.
    init(repository url: String, branch: String, commit: String, commits count: Int = 1) {
        ref = "refs/heads/\(branch)"
        after = commit
        let path = url.split(separator: "/").suffix(2).joined(separator: "/")
        repository = Repository(
            fullName: path.hasSuffix(".git") ? String(path.dropLast(4)) : path, cloneURL: url,
            defaultBranch: branch)
        headCommit = Commit(id: commit, message: "a push", added: [], modified: ["www/index.html"])
        commits = (0..<count).map { number in
            Commit(
                id: commit, message: "change \(number) of a push with a message as long as people write them",
                added: ["www/pages/page-\(number).html"], modified: ["www/index.html", "www/style.css"])
        }
    }
}
