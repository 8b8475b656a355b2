internal import VoltCore
internal import VoltCrypto

/// A tip of a repository: a revision, and of which repository it is.
struct Tip: Sendable, Equatable {
    /// The commit id or SVN revision.
    let commit: String
    /// See `Attempt.origin`.
    let origin: String
}

/// What was deployed last.
struct Deployed: Sendable, Equatable {
    /// The attempt that did it.
    let attempt: Int64
    /// The commit id or SVN revision.
    let commit: String
    /// The name of its snapshot.
    let snapshot: String
    /// See `Attempt.origin`; nil when an earlier Volt deployed it.
    let origin: String?
    /// See `Pipeline.shape`; nil when an earlier Volt deployed it.
    let shape: String?
    /// See `Pipeline.configuration`.
    let configuration: String?

    /// Whether it is what a tip stands for, without a look at the files.
    func isSame(as tip: Tip, of pipeline: Pipeline) -> Bool {
        guard commit == tip.commit else { return false }
        // What an earlier Volt deployed is believed under the settings of then.
        guard let origin, let shape else { return configuration == pipeline.configuration }
        return origin == tip.origin && shape == pipeline.shape
    }

    /// Whether it is what a snapshot stands for.
    func isSame(as other: Snapshot, of pipeline: Pipeline) -> Bool {
        commit == other.commit && snapshot == other.name && !isReshaped(by: pipeline)
    }

    /// Whether the same commit comes to something else under the settings of a pipeline.
    func isReshaped(by pipeline: Pipeline) -> Bool { shape != nil && shape != pipeline.shape }
}

extension Pipeline {
    /// The settings that decide what becomes of a commit's tree: with others, a commit that is deployed is not what
    /// the pipeline asks for.
    var shape: String {
        let submodules = track?.submodules == true ? "submodules" : "-"
        let largeFiles = track?.lfs == true ? "lfs" : "-"
        return "\(workload) \(submodules) \(largeFiles) \(path)"
    }

    /// Whether the id of a commit says all about its tree.
    var isPlain: Bool { provider != .svn && track?.submodules != true && track?.lfs != true }

    /// The name of the snapshot of a commit, which everything that shapes the tree is a part of.
    func snapshotName(of commit: String, origin: String) -> String {
        let submodules = track?.submodules == true ? "submodules" : ""
        let largeFiles = track?.lfs == true ? "lfs" : ""
        let text = "\(provider == .svn ? "svn" : "git")\n\(origin)\n\(submodules)\n\(largeFiles)"
        return "\(commit)-\(SHA256Hasher.digest(of: text.utf8).hex.prefix(16))"
    }
}
