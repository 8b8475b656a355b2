import GitopsSource
import VoltCore
import VoltCrypto
import VoltGit
import VoltSystem

/// Fetches the submodules of a commit and writes their trees into a snapshot.
///
/// A submodule is a commit that the tree names by its digest, so that what is in it cannot change without the
/// tree; where it comes from is what `.gitmodules` says, a text that anybody who may push can write. So its URL
/// is held to the same rules as a repository's, and only the host of the pipeline's repository gets credentials.
struct Submodules {
    /// Submodules within submodules.
    private static let depthLimit = 5
    /// Submodules in all.
    private static let countLimit = 100

    private let repository: RepositoryAccess
    private let origin: RepositoryURL
    private let mirror: MirrorDirectory
    private let events: EventWriter
    private var count = 0
    /// What the snapshot may still take: one budget for the tree, the files of Git LFS and all submodules.
    private var left = TreeLimits()
    private(set) var files = 0
    private(set) var bytes = 0
    private(set) var notes: [String] = []

    init(_ repository: RepositoryAccess, origin: RepositoryURL, mirror: MirrorDirectory, events: EventWriter)
    {
        self.repository = repository
        self.origin = origin
        self.mirror = mirror
        self.events = events
    }

    /// Fills the directories of the submodules of a tree that was written.
    ///
    /// - Parameter more: the bytes that were written in addition to the plan.
    mutating func fill(
        _ directory: String, of plan: TreePlan, in parent: GitMirror, at base: RepositoryURL, more: Int
    ) throws {
        guard !plan.submodules.isEmpty else { return }
        left.bytes -= plan.bytes + more
        left.entries -= plan.entryCount
        try fill(directory, of: plan, try Self.modules(of: plan, in: parent), at: base, depth: 1)
    }

    private static func modules(of plan: TreePlan, in mirror: GitMirror) throws -> GitModules {
        guard !plan.submodules.isEmpty else { return try GitModules([]) }
        return try GitModules(try mirror.file(".gitmodules", of: plan, limit: GitModules.longest) ?? [])
    }

    private mutating func fill(
        _ directory: String, of plan: TreePlan, _ modules: GitModules, at base: RepositoryURL, depth: Int
    ) throws {
        guard !plan.submodules.isEmpty else { return }
        guard depth <= Self.depthLimit else {
            throw VoltError(.refused, "there are more than \(Self.depthLimit) submodules within each other")
        }
        for submodule in plan.submodules {
            count += 1
            guard count <= Self.countLimit else {
                throw VoltError(.refused, "there are more than \(Self.countLimit) submodules")
            }
            guard let written = modules.urls[submodule.path] else {
                throw VoltError(
                    .failed, "submodule '\(submodule.path)' has no URL in .gitmodules",
                    hint: "add it with 'git submodule add', and push")
            }
            try fill(directory, with: submodule, written: written, at: base, depth: depth)
        }
    }

    private mutating func fill(
        _ directory: String, with submodule: TreePlan.Submodule, written: String, at base: RepositoryURL,
        depth: Int
    ) throws {
        let url: RepositoryURL
        do throws(VoltError) { url = try resolve(written, at: base) } catch {
            throw Self.error(error, submodule)
        }
        let place = "\(directory)/\(submodule.path)"
        let path = "\(self.mirror.modules)/\(SHA256Hasher.digest(of: url.text.utf8).hex)"
        let written: (plan: TreePlan, modules: GitModules)
        do {
            do { written = try write(submodule, from: url, mirror: path, into: place) } catch let damage
                as GitDamage
            {
                // As the mirror of the repository: made again once, and then it is the server that is damaged.
                events.write(
                    .note(message: "the mirror of '\(submodule.path)' is made again: \(damage.reason)"))
                try Files.removeTree(path)
                try Files.removeTree(place)
                try Files.makeDirectory(place, mode: 0o755)
                do { written = try write(submodule, from: url, mirror: path, into: place) } catch let damage
                    as GitDamage
                {
                    throw VoltError(.failed, "'\(url.text)' sent a damaged repository: \(damage.reason)")
                }
            }
        } catch let error as VoltError { throw Self.error(error, submodule) }
        let plan = written.plan
        left.bytes -= plan.bytes
        left.entries -= plan.entryCount
        files += plan.files
        bytes += plan.bytes
        notes += plan.notes.map { "submodule '\(submodule.path)': \($0)" }
        if let first = plan.pointers.first {
            notes.append(
                "submodule '\(submodule.path)': \(plan.pointers.count) file(s) stay Git LFS pointers, such as "
                    + "'\(first)': the content within submodules is not fetched")
        }
        try fill(place, of: plan, written.modules, at: url, depth: depth + 1)
    }

    /// Fetches a submodule where its commit is not there yet, and writes its tree.
    private func write(
        _ submodule: TreePlan.Submodule, from url: RepositoryURL, mirror path: String, into place: String
    ) throws -> (TreePlan, GitModules) {
        try Files.makeDirectory(self.mirror.modules, mode: 0o700)
        let mirror = try GitMirror(at: path)
        if !mirror.contains(submodule.commit) {
            do {
                let remote = try mirror.remote(try access(to: url))
                try mirror.fetch(GitTarget.everything, from: remote)
            } catch let error as VoltError where !isOwn(url) && error.code == .refused {
                throw VoltError(
                    error.code, error.message,
                    hint: "another host than the repository's gets no credential of this pipeline: make the "
                        + "submodule public, or keep it on the host of the repository")
            }
        }
        guard mirror.contains(submodule.commit) else {
            throw VoltError(
                .notFound,
                "commit \(submodule.commit.prefix(12)) is on no branch and no tag of '\(url.text)'",
                hint: "push it there")
        }
        let plan = try mirror.plan(
            submodule.commit, limits: left, submodules: true, pointers: repository.lfs == true)
        let modules = try Self.modules(of: plan, in: mirror)
        try mirror.write(plan, into: place)
        return (plan, modules)
    }

    private func resolve(_ written: String, at base: RepositoryURL) throws(VoltError) -> RepositoryURL {
        guard let text = GitModules.resolve(written, from: base.text) else {
            throw VoltError(.refused, "its URL leads out of the host of '\(base.text)'")
        }
        let url = try RepositoryURL(
            text, system: .git,
            policy: .init(
                allowsHTTP: repository.allowsHTTP,
                allowsFile: repository.allowsFile && origin.transport == .file))
        // Who may push must not reach what listens for this host alone.
        guard !url.isLoopback || origin.isLoopback else {
            throw VoltError(
                .refused, "'\(url.text)' is an address of this host", hint: "name another host in .gitmodules"
            )
        }
        return url
    }

    private func isOwn(_ url: RepositoryURL) -> Bool {
        url.transport == origin.transport && url.host == origin.host && url.port == origin.port
    }

    /// With the credentials of the pipeline for its own host, and with none for any other.
    private func access(to url: RepositoryURL) throws(VoltError) -> GitAccess {
        var repository = repository
        repository.url = url.text
        if !isOwn(url) {
            guard url.transport != .ssh else {
                throw VoltError(
                    .refused, "'\(url.text)' is on another host, which gets no key of this pipeline",
                    hint: "name it by https:// in .gitmodules, or keep it on the host of the repository")
            }
            repository.tokenFile = nil
            repository.sshKeyFile = nil
            repository.username = nil
        }
        return try GitAccess(repository, url: url, events: events)
    }

    private static func error(_ error: VoltError, _ submodule: TreePlan.Submodule) -> VoltError {
        VoltError(error.code, "submodule '\(submodule.path)': \(error.message)", hint: error.hint)
    }
}
