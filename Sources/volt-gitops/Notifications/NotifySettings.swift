/// Who is told about the attempts of a pipeline. Addresses and tokens are in files, never in this value.
public struct NotifySettings: Codable, Sendable, Equatable {
    /// The forge that shows the state beside the commit, or nil.
    public var status: StatusSettings?
    /// Those who get a message when an attempt has ended.
    public var targets: [NotifyTarget] = []
    /// Whether only failures are told, and the first success after one.
    public var onlyFailures = false
    /// A file with certificates to trust, in place of the system's; an absolute path.
    public var caFile: String?
    /// A proxy, such as `http://proxy:3128`.
    public var proxy: String?
    /// The file with the secret that signs the messages of kind `webhook`, an absolute path.
    public var secretFile: String?

    /// Tells nobody.
    public init() {}

    /// Whether nobody is told.
    public var isEmpty: Bool { status == nil && targets.isEmpty }
}

/// The forge whose commits get a status.
public struct StatusSettings: Codable, Sendable, Equatable {
    /// The dialect.
    public var forge: StatusForge
    /// The base of the API, without a slash at the end: `https://api.github.com`.
    public var api: String
    /// The path of the repository on the forge, such as `team/site`.
    public var repository: String
    /// A file with the token, an absolute path.
    public var tokenFile: String
    /// The user name that goes with the token, for forges that take a password.
    public var username: String?
    /// Where the status links to; `{attempt}` and `{pipeline}` are replaced.
    public var link: String?
    /// What tells this status from those of others at the same commit.
    public var context: String

    /// - Parameters: see the properties.
    public init(forge: StatusForge, api: String, repository: String, tokenFile: String, context: String) {
        self.forge = forge
        self.api = api
        self.repository = repository
        self.tokenFile = tokenFile
        self.context = context
    }
}

/// How a forge takes commit statuses.
public enum StatusForge: String, Codable, CaseIterable, Sendable {
    /// GitHub and GitHub Enterprise Server.
    case github
    /// GitLab.
    case gitlab
    /// Gitea and Forgejo.
    case gitea
    /// Bitbucket Cloud.
    case bitbucket
    /// Bitbucket Data Center.
    case bitbucketServer = "bitbucket-server"
}

/// One who gets messages.
public struct NotifyTarget: Codable, Sendable, Equatable {
    /// Names it in the outbox.
    public var id: String
    /// The dialect.
    public var kind: NotifyKind
    /// What may be shown of the address: its origin, or a mail address.
    public var shown: String
    /// The file with the whole address, which may be a secret, as that of a chat's hook is.
    public var addressFile: String

    /// - Parameters: see the properties.
    public init(id: String, kind: NotifyKind, shown: String, addressFile: String) {
        self.id = id
        self.kind = kind
        self.shown = shown
        self.addressFile = addressFile
    }
}

/// How a message is written.
public enum NotifyKind: String, Codable, CaseIterable, Sendable {
    case webhook, slack, discord, ntfy, email
}
