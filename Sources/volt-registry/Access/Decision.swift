internal import VoltCore
public import VoltOCI

/// What a request says about who makes it, and what it wants.
public struct AccessRequest: Sendable {
    /// The value of the Authorization header.
    public var authorization: String?
    /// The name in the client certificate, which the server has verified; nil without one.
    public var clientName: String?
    /// The address of the client, without its port. Behind a proxy that is to be believed, what the proxy says.
    public var address: String
    /// Scheme and host by which the client reached the server, such as `https://registry.example:5000`: where
    /// Volt's own tokens are to be had.
    public var origin: String
    /// All that the request wants to do; none for `GET /v2/`, by which clients find out how to log in.
    public var wants: [AccessWant]
    /// Whether a person asks, with a browser: what is public is shown without a login.
    public var isPage: Bool

    /// - Parameters: see the properties.
    public init(
        authorization: String? = nil, clientName: String? = nil, address: String, origin: String,
        wants: [AccessWant] = [], isPage: Bool = false
    ) {
        self.authorization = authorization
        self.clientName = clientName
        self.address = address
        self.origin = origin
        self.wants = wants
        self.isPage = isPage
    }
}

/// What becomes of a request.
public enum AccessDecision: Sendable {
    /// It goes on.
    case allowed(AccessGrant)
    /// 401 with this value of the WWW-Authenticate header, and a message for people (code `UNAUTHORIZED`).
    case unauthorized(challenge: String, message: String)
    /// 403 with a message for people (code `DENIED`): to log in again would not help.
    case denied(message: String)
    /// 429 with a Retry-After header (code `TOOMANYREQUESTS`).
    case limited(retryAfter: Duration)
}

/// Who makes a request that was allowed, and what else they may do.
public struct AccessGrant: Sendable {
    /// Who it is, for the log and for what is written down about a push.
    public let user: AccessUser
    /// Nil when there is no policy.
    let policy: AccessPolicy?
    /// The scopes of the token; nil when there was none.
    let scopes: [TokenScope]?

    /// Whether the same request may do this as well: mount a blob from another repository, for instance.
    public func may(_ action: RegistryAction, _ repository: OCIRepositoryName? = nil) -> Bool {
        permits(AccessWant(action, repository)) == .yes
    }

    /// Whether the repository belongs into a list for this user. A token for the catalog names no repositories:
    /// those that its user may pull are shown, and to the holder of a token from outside all of them.
    public func maySee(_ repository: OCIRepositoryName) -> Bool {
        if case .outside = user { return may(.catalog) || may(.pull, repository) }
        return policy?.allows(user, AccessWant(.pull, repository)) ?? true
    }

    enum Answer: Equatable {
        case yes
        /// The policy says no, so that no login of this user helps.
        case never
        /// The token does not have it, and another may.
        case notByThisToken
    }

    func permits(_ want: AccessWant) -> Answer {
        guard let policy else { return .yes }
        if policy.isReadOnly, want.action == .push || want.action == .delete { return .never }
        let isInScope = scopes?.contains { $0.permits(want) } ?? true
        if case .outside = user { return isInScope ? .yes : .notByThisToken }
        guard policy.allows(user, want) else { return .never }
        return isInScope ? .yes : .notByThisToken
    }
}

/// What becomes of a request for a token.
public enum TokenAnswer: Sendable {
    /// 200 with this JSON as the body; it must not be cached.
    case issued(json: String)
    /// 400 with a message for people.
    case malformed(message: String)
    /// 401 with this value of the WWW-Authenticate header.
    case unauthorized(challenge: String, message: String)
    /// 429 with a Retry-After header.
    case limited(retryAfter: Duration)
    /// 404: the policy has no `issue`.
    case notHere
}
