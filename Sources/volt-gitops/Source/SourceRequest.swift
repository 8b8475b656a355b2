/// What `volt-gitops--worker` is asked on stdin, as one JSON object.
///
/// The worker is a process of its own so that a server that never answers can be killed, and so that
/// only it loads libgit2.
public struct SourceRequest: Codable, Sendable, Equatable {
    /// What to do.
    public enum Action: String, Codable, Sendable {
        /// Ask the server for the tip of the branch, without fetching.
        case tip
        /// Fetch into the mirror and write the tree of the commit into `snapshot`.
        case snapshot
        /// Say which URL is read: for Subversion the branch may be a part of it, or come after it.
        case locate
        /// Ask the SSH server for its host key.
        case hostKey
    }
    /// What to do.
    public var action: Action
    /// Where from.
    public var repository: RepositoryAccess
    /// The commit (or SVN revision) to take, or nil for the tip of the branch.
    public var commit: String?
    /// The directory of the mirror, made when it is not there.
    public var mirror: String
    /// The directory that gets the tree. It is made under another name and renamed into place: when it
    /// exists it is whole.
    public var snapshot: String?
    /// A commit that should be in the history of what is taken; nil for none.
    public var announced: String?
    /// What has to hold for a snapshot; nil for nothing.
    public var conditions: SourceConditions?

    /// - Parameters: see the properties.
    public init(
        action: Action, repository: RepositoryAccess, commit: String? = nil, mirror: String,
        snapshot: String? = nil
    ) {
        self.action = action
        self.repository = repository
        self.commit = commit
        self.mirror = mirror
        self.snapshot = snapshot
    }
}

/// What a commit has to fulfil before its tree is written.
public struct SourceConditions: Codable, Sendable, Equatable {
    /// The commit that is deployed.
    public var deployed: String?
    /// The tag that it was deployed as: a lower one does not take its place.
    public var deployedTag: String?
    /// Whether the commit has to descend from the deployed one.
    public var fastForwardOnly = false
    /// The files that concern the workload, as `PathFilter` has them.
    public var paths: [String]?
    /// Files that concern it whatever `paths` says.
    public var always: [String] = []
    /// Files with those who may sign, absolute paths; nil when no signature is needed.
    public var signers: [String]?

    /// Nothing.
    public init() {}
}

/// A branch of a repository and what is needed to read it. Secrets are in files, never in this value.
public struct RepositoryAccess: Codable, Sendable, Equatable {
    /// Git or Subversion.
    public enum System: String, Codable, Sendable { case git, svn }
    /// Git or Subversion.
    public var system: System
    /// The URL as the user wrote it, without credentials in it.
    public var url: String
    /// The branch; not read when there is a tag or a commit.
    public var branch: String
    /// The tags to follow instead of the branch, as `TagPattern` has them.
    public var tag: String?
    /// The one commit to take instead of the branch, 40 hex digits.
    public var pinned: String?
    /// Whether `http://` to other hosts than this one is allowed.
    public var allowsHTTP = false
    /// Whether `file://` and local paths are allowed.
    public var allowsFile = false
    /// A private key for SSH, an absolute path.
    public var sshKeyFile: String?
    /// The pinned host keys in the format of sshd(8), an absolute path.
    public var knownHostsFile: String?
    /// The user name that goes with the token.
    public var username: String?
    /// A file with a token or password; it is sent to the host of `url` only.
    public var tokenFile: String?
    /// A file with certificates to trust, an absolute path.
    public var caFile: String?
    /// Whether submodules are fetched; nil for no.
    public var submodules: Bool?
    /// Whether the content of Git LFS is fetched; nil for no.
    public var lfs: Bool?
    /// An HTTP proxy, for https, and for http with Subversion: `http://host:port`.
    public var proxy: String?

    /// - Parameters: see the properties.
    public init(system: System, url: String, branch: String) {
        self.system = system
        self.url = url
        self.branch = branch
    }
}

/// One line of the worker's stdout. The last line is `tip`, `snapshot`, `located`, `declined` or
/// `failed`.
public enum SourceEvent: Codable, Sendable, Equatable {
    /// What the worker is at: objects received and in all, bytes received.
    case progress(received: Int, total: Int, bytes: Int)
    /// The answer to `tip`: a commit id or SVN revision.
    case tip(commit: String)
    /// The answer to `snapshot`.
    case snapshot(commit: String, subject: String, author: String, files: Int, bytes: Int)
    /// The answer to `locate`.
    case located(url: String)
    /// The answer to `hostKey`: the host as known_hosts has it, and the line for that file.
    case hostKey(host: String, type: String, fingerprint: String, line: String)
    /// Something about the tree that a person should know, such as a submodule that was left out.
    case note(message: String)
    /// Comes before `tip` and `snapshot` of Subversion, where a number alone names nothing: the UUID and the URL of
    /// the repository, the path within it, and the date of the revision.
    case origin(text: String)
    /// Which ref was taken, by its whole name; for a pinned commit there is none.
    case ref(name: String)
    /// Since the deployed commit no file has changed that the filter lets through; the snapshot follows.
    case unaffected
    /// The announced commit is not in the history of what is taken; the snapshot follows all the same.
    case unseen
    /// Who signed the commit.
    case signed(by: String)
    /// The answer to `snapshot` when a condition does not hold: no tree was written.
    case declined(commit: String, reason: String, hint: String?)
    /// What went wrong; `code` is the raw value of an `ExitCode` and the worker exits with it.
    case failed(code: Int32, message: String, hint: String?)
}
