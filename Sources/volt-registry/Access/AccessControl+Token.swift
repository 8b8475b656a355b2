public import VoltCore
internal import VoltOCI
internal import VoltPlugin

/// A request to Volt's own token endpoint, `GET /token`.
public struct TokenRequest: Sendable {
    /// What follows the question mark of the URL.
    public var query: String
    /// The value of the Authorization header.
    public var authorization: String?
    /// The name in the client certificate, which the server has verified; nil without one.
    public var clientName: String?
    /// The address of the client, without its port.
    public var address: String

    /// - Parameters: see the properties.
    public init(
        query: String, authorization: String? = nil, clientName: String? = nil, address: String
    ) {
        self.query = query
        self.authorization = authorization
        self.clientName = clientName
        self.address = address
    }
}

extension AccessControl {
    /// A token for what the user may do of what the query asks for (specification of token authentication of the
    /// distribution project). **Blocks** as `authorize` does.
    ///
    /// A token for less than was asked for, or for nothing, is no error: the registry then says what lacks.
    public func token(_ request: TokenRequest, now: Timestamp) -> TokenAnswer {
        answer(request, now: now, mayWait: true) ?? .limited(retryAfter: .seconds(1))
    }

    /// The same within a millisecond; nil when a password must be hashed for it.
    public func tokenAtOnce(_ request: TokenRequest, now: Timestamp) -> TokenAnswer? {
        answer(request, now: now, mayWait: false)
    }

    private func answer(_ request: TokenRequest, now: Timestamp, mayWait: Bool) -> TokenAnswer? {
        guard let rules = current, let issuer = rules.issuer else { return .notHere }
        let scopes: [TokenScope]
        do throws(VoltError) { scopes = try self.scopes(request.query, service: issuer.service) } catch {
            return .malformed(message: error.message)
        }
        let challenge = Challenge.basic(realm: rules.policy.realm)
        // A token is no way to the next one: it would never end.
        if case .bearer = Authorization(request.authorization) {
            return .unauthorized(challenge: challenge, message: "a token is given for a name and password")
        }
        let identity = identify(
            request.authorization, request.clientName, address: request.address, rules, now: now,
            mayWait: mayWait)
        let address = AddressKey.of(request.address)
        switch identity {
        case .unknown: return nil
        case .later(let wait): return .limited(retryAfter: wait)
        case .refused(let message, _):
            if let wait = limit(rules, user: nil, address, now) { return .limited(retryAfter: wait) }
            return .unauthorized(challenge: challenge, message: message)
        case .known(let user, _):
            if let wait = limit(rules, user: user, address, now) { return .limited(retryAfter: wait) }
            let access = scopes.compactMap { $0.cut(to: rules.policy, user) }
            let token = issuer.token(for: user, access: access, now: now)
            let body = JSONValue.object([
                "token": .string(token), "access_token": .string(token),
                "expires_in": .number("\(issuer.lifetime.milliseconds / 1000)"),
                "issued_at": .string(now.description),
            ])
            return .issued(json: body.compact)
        }
    }

    private func scopes(_ query: String, service: String) throws(VoltError) -> [TokenScope] {
        let query = try FormQuery(query)
        for named in query.values("service") where named != service {
            throw VoltError(.usage, "this is not the token server of '\(named.prefix(100))'")
        }
        var scopes: [TokenScope] = []
        for text in query.values("scope") { scopes += try TokenScope.parse(text) }
        guard scopes.count <= TokenScope.most else { throw VoltError(.usage, "there are too many scopes") }
        return scopes
    }
}
