internal import GitopsSource
internal import VoltCore

/// What of a repository is deployed, beside a branch. Nil is off, everywhere.
public struct TrackOptions: Codable, Sendable, Equatable {
    /// The tags to follow in the place of the branch: a glob or a range of versions.
    public var tag: String?
    /// The one commit to deploy in the place of the branch, 40 hex digits.
    public var commit: String?
    /// The files that matter; a commit that touches none of them is not applied.
    public var paths: [String]?
    /// Whether a commit that does not descend from the deployed one is held.
    public var fastForwardOnly: Bool?
    /// Files with those who may sign commits, absolute paths.
    public var signers: [String]?

    /// Whether submodules are fetched and deployed with the commit that names them.
    public var submodules: Bool?
    /// Whether the content of Git LFS is fetched in the place of its pointers.
    public var lfs: Bool?

    /// Everything off.
    public init() {}

    /// What is shown in the place of a branch for a pattern of tags, or for a tag.
    public static func shown(tag: String) -> String { "tag \(tag)" }

    /// What is shown in the place of a branch for a commit.
    public static func shown(commit: String) -> String { "commit \(commit.prefix(7))" }

    /// The tag in what is shown of an attempt; nil for a branch or a commit.
    static func tag(inShown text: String) -> String? {
        text.hasPrefix("tag ") ? String(text.dropFirst(4)) : nil
    }
}

extension Pipeline {
    /// Whether it follows a branch, and not tags or a commit.
    var followsBranch: Bool { track?.tag == nil && track?.commit == nil }

    /// Refuses what cannot be followed.
    ///
    /// - Throws: `VoltError` with code `usage`.
    func checkTrack() throws(VoltError) {
        guard followsBranch || track?.tag == nil || track?.commit == nil else {
            throw VoltError(.usage, "a pipeline follows tags or a commit, and not both")
        }
        if followsBranch, !BranchName.isValid(branch) {
            throw VoltError(
                .usage, "'\(branch)' is not the name of a branch",
                hint: "see 'git help check-ref-format'")
        }
        guard let track else { return }
        guard provider != .svn else {
            throw VoltError(
                .usage, "a Subversion repository is followed by its branch alone",
                hint:
                    "leave out --tag, --commit, --paths, --fast-forward-only, --require-signed, --submodules and --lfs"
            )
        }
        if let tag = track.tag { _ = try TagPattern(tag) }
        if let commit = track.commit {
            let isHex = commit.utf8.allSatisfy { (48...57).contains($0) || (97...102).contains($0) }
            guard commit.utf8.count == 40, isHex else {
                throw VoltError(
                    .usage, "'\(commit)' is not the whole name of a commit",
                    hint: "write all 40 hex digits, as 'git rev-parse' prints them")
            }
        }
        if let paths = track.paths { _ = try PathFilter(paths) }
    }

    /// The manifests that the pipeline may read: a change of them always matters.
    private var manifests: [String] {
        ManifestFinder.names.map { path.isEmpty ? $0.file : "\(path)/\($0.file)" }
    }

    /// What the commit of an attempt has to fulfil; nil for nothing.
    ///
    /// - Parameters:
    ///   - isAsked: a person or a repair wants the deploy, whatever files have changed.
    ///   - isForced: a person wants it, whatever ran before. A signature is needed all the same.
    func conditions(deployed: String?, tag: String?, isAsked: Bool, isForced: Bool) -> SourceConditions? {
        guard let track else { return nil }
        var conditions = SourceConditions()
        conditions.deployed = deployed
        conditions.signers = track.signers
        if !isForced {
            conditions.deployedTag = tag
            conditions.fastForwardOnly = track.fastForwardOnly ?? false
        }
        if !isAsked {
            conditions.paths = track.paths
            conditions.always = manifests
        }
        return conditions
    }
}
