internal import VoltCore
public import VoltOCI

/// What a request does to a registry.
public enum RegistryAction: String, Sendable, CaseIterable {
    /// Read manifests, blobs, tags and referrers of a repository.
    case pull
    /// Add to a repository; whoever may push may pull as well.
    case push
    /// Take manifests, tags and blobs out of a repository.
    case delete
    /// List the repositories, of which one sees those that one may pull.
    case catalog
    /// Look after the whole registry, such as its garbage.
    case administer
}

/// One thing that a request wants to do.
public struct AccessWant: Sendable, Hashable {
    /// What.
    public let action: RegistryAction
    /// Where; nil for `catalog` and `administer`, which concern the whole registry.
    public let repository: OCIRepositoryName?

    /// - Parameters: see the properties.
    public init(_ action: RegistryAction, _ repository: OCIRepositoryName? = nil) {
        self.action = action
        self.repository = repository
    }

    /// As a text for people: `push to 'team/web'`.
    var described: String {
        switch action {
        case .pull: "pull from '\(name)'"
        case .push: "push to '\(name)'"
        case .delete: "delete in '\(name)'"
        case .catalog: "list the repositories"
        case .administer: "administer the registry"
        }
    }

    private var name: String { repository?.description ?? "" }
}

/// Who makes a request.
public enum AccessUser: Sendable, Hashable, CustomStringConvertible {
    /// Nobody in particular.
    case anonymous
    /// A user of the password file.
    case named(String)
    /// The holder of a verified client certificate with this name.
    case certificate(String)
    /// The subject of a token of an outside token server, which alone says what it may do.
    case outside(String)

    /// `anonymous`, `alice`, `cert:NAME`, `token:SUBJECT`: for logs. No two users have the same text: the name
    /// of a user in a password file holds no colon, and is none of the reserved words.
    public var description: String {
        switch self {
        case .anonymous: "anonymous"
        case .named(let name): name
        case .certificate(let name): "cert:\(name)"
        case .outside(let subject): "token:\(subject)"
        }
    }

    /// Whether the rules know who it is; whom another server's token names, they do not.
    var isLoggedIn: Bool {
        switch self {
        case .named, .certificate: true
        case .anonymous, .outside: false
        }
    }

    /// Whether a foreign text can be a name in a log: not empty, and without line breaks and other controls.
    static func isShowable(_ text: String) -> Bool {
        !text.isEmpty && PrintableText.isLine(text)
    }
}
