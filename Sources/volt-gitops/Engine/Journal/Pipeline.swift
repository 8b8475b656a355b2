public import GitopsNotifications
internal import GitopsSource
public import VoltCore

/// Where a pipeline's pushes come from.
public enum Provider: String, Codable, CaseIterable, Sendable {
    case github, gitlab, bitbucket, gitea, forgejo, generic, svn

    /// The receiver of its webhooks; nil for a provider that is polled only.
    package var hooks: (any HookProvider)? {
        switch self {
        case .github: GitHub()
        case .gitlab: GitLab()
        case .bitbucket: Bitbucket()
        case .gitea: Gitea(brand: "gitea")
        case .forgejo: Gitea(brand: "forgejo")
        case .generic: Generic()
        case .svn: nil
        }
    }
}

/// A branch of a repository and the workload that follows it.
public struct Pipeline: Codable, Sendable, Equatable {
    /// The name, unique on the host.
    public var name: Name
    /// The URL as the user wrote it.
    public var repo: String
    /// Where pushes come from.
    public var provider: Provider
    /// The branch; for a pipeline that follows tags or a commit, what is shown in its place.
    public var branch: String
    /// The workload on this host.
    public var workload: Name
    /// Seconds between two polls.
    public var pollInterval: Int64 = 60
    /// The directory with the manifest, relative to the root of the repository; empty for the root.
    public var path = ""
    /// Seconds an attempt may take.
    public var timeout: Int64 = 600
    /// A private key for SSH, an absolute path.
    public var sshKey: String?
    /// Pinned host keys, an absolute path.
    public var knownHosts: String?
    /// The user name that goes with the token.
    public var username: String?
    /// A file with a token, an absolute path.
    public var tokenFile: String?
    /// Certificates to trust, an absolute path.
    public var caFile: String?
    /// An HTTP proxy, for http and https; nil for none.
    public var proxy: String?
    /// Whether `http://` is allowed.
    public var allowHTTP = false
    /// Whether `file://` and local paths are allowed.
    public var allowFile = false
    /// Whether deliveries without a signature are taken; said once, at `create`. A secret that is missing
    /// later is an error and never means this.
    public var allowsUnsigned = false
    /// What decides when it deploys, and what it does on its own.
    public var control: ControlOptions?
    /// Who is told about its attempts; nil for nobody.
    public var notify: NotifySettings?
    /// How often a failed commit is tried again; the defaults when nil.
    public var retry: RetryPolicy?
    /// What of the repository is deployed, when it is not a branch alone.
    public var track: TrackOptions?
    /// When the pipeline was created.
    public var createdAt: Timestamp

    /// - Parameters: see the properties.
    public init(
        name: Name, repo: String, provider: Provider, branch: String, workload: Name, createdAt: Timestamp
    ) {
        self.name = name
        self.repo = repo
        self.provider = provider
        self.branch = Self.shortBranch(branch)
        self.workload = workload
        self.createdAt = createdAt
    }
}

extension Pipeline {
    /// Shows what is followed in the place of a branch: the tags or the commit, or the short name of the branch.
    mutating func settleBranch() {
        if let tag = track?.tag {
            branch = TrackOptions.shown(tag: tag)
        } else if let commit = track?.commit {
            branch = TrackOptions.shown(commit: commit)
        } else {
            branch = Self.shortBranch(branch)
        }
    }

    /// The name of a branch as payloads have it, without the `refs/heads/` that people write, too.
    private static func shortBranch(_ name: String) -> String {
        let prefix = "refs/heads/"
        return name.hasPrefix(prefix) ? String(name.dropFirst(prefix.count)) : name
    }

    /// The files that the settings name, but for the secret of the hook: each with the name of its setting.
    var files: [(setting: String, path: String)] {
        var files: [(String, String?)] = [
            ("sshKey", sshKey), ("knownHosts", knownHosts), ("tokenFile", tokenFile), ("caFile", caFile),
            ("notify.status.tokenFile", notify?.status?.tokenFile), ("notify.caFile", notify?.caFile),
            ("notify.secretFile", notify?.secretFile),
        ]
        files += (notify?.targets ?? []).map { ("notify.targets.addressFile", $0.addressFile) }
        files += (track?.signers ?? []).map { ("track.signers", $0) }
        return files.compactMap { setting, path in path.map { (setting, $0) } }
    }

    /// Changes every path of `files`.
    mutating func mapFiles(_ body: (String) -> String) {
        for key in [\Pipeline.sshKey, \.knownHosts, \.tokenFile, \.caFile] {
            self[keyPath: key] = self[keyPath: key].map(body)
        }
        if var notify {
            if let file = notify.status?.tokenFile { notify.status?.tokenFile = body(file) }
            notify.caFile = notify.caFile.map(body)
            notify.secretFile = notify.secretFile.map(body)
            for index in notify.targets.indices {
                notify.targets[index].addressFile = body(notify.targets[index].addressFile)
            }
            self.notify = notify
        }
        if let signers = track?.signers { track?.signers = signers.map(body) }
    }

    /// Sends what goes over https, and of Subversion over http, through a proxy.
    ///
    /// - Throws: `VoltError` with code `usage` for what is no address, and for a repository that is reached
    ///   otherwise.
    public mutating func use(proxy address: String) throws(VoltError) {
        let proxy = try ProxyAddress(address)
        guard repo.hasPrefix("https://") || (provider == .svn && repo.hasPrefix("http://")) else {
            throw VoltError(
                .usage, "'\(repo)' is not reached through a proxy",
                hint: "use https://, or leave --proxy out")
        }
        self.proxy = proxy.url
    }
}
