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
    mutating func fill(
        _ directory: String, of plan: TreePlan, in parent: GitMirror, at base: RepositoryURL, depth: Int = 1
    ) throws {
        guard !plan.submodules.isEmpty else { return }
        guard depth <= Self.depthLimit else {
            throw VoltError(.refused, "there are more than \(Self.depthLimit) submodules within each other")
        }
        let modules = try GitModules(try parent.file(".gitmodules", of: plan) ?? [])
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
        do throws(VoltError) {
            guard let text = GitModules.resolve(written, from: base.text) else {
                throw VoltError(.refused, "its URL leads out of the host of '\(base.text)'")
            }
            url = try RepositoryURL(
                text, system: .git,
                policy: .init(
                    allowsHTTP: repository.allowsHTTP,
                    allowsFile: repository.allowsFile && origin.transport == .file))
        } catch { throw Self.error(error, submodule) }
        let plan: TreePlan
        let mirror: GitMirror
        let path = "\(self.mirror.modules)/\(SHA256Hasher.digest(of: url.text.utf8).hex)"
        do {
            try Files.makeDirectory(self.mirror.modules, mode: 0o700)
            mirror = try GitMirror(at: path)
            if !mirror.contains(submodule.commit) {
                let remote = try mirror.remote(try access(to: url))
                try mirror.fetch(GitTarget.everything, from: remote)
            }
            guard mirror.contains(submodule.commit) else {
                throw VoltError(
                    .notFound,
                    "commit \(submodule.commit.prefix(12)) is on no branch and no tag of '\(url.text)'",
                    hint: "push it there")
            }
            var limits = TreeLimits()
            limits.bytes -= bytes
            limits.entries -= files
            plan = try mirror.plan(submodule.commit, limits: limits, submodules: true)
        } catch let error as VoltError {
            throw Self.error(error, submodule)
        } catch {
            // It is made again at the next try, as the mirror of the repository is.
            try Files.removeTree(path)
            throw error
        }
        files += plan.files
        bytes += plan.bytes
        notes += plan.notes.map { "submodule '\(submodule.path)': \($0)" }
        let place = "\(directory)/\(submodule.path)"
        try mirror.write(plan, into: place)
        try fill(place, of: plan, in: mirror, at: url, depth: depth + 1)
    }

    /// With the credentials of the pipeline for its own host, and with none for any other.
    private func access(to url: RepositoryURL) throws(VoltError) -> GitAccess {
        var repository = repository
        repository.url = url.text
        let isOwn = url.transport == origin.transport && url.host == origin.host && url.port == origin.port
        if !isOwn {
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
