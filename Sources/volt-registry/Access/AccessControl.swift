internal import Synchronization
public import VoltCore
internal import VoltCrypto
internal import VoltOCI
internal import VoltSystem

/// Decides who may do what on a registry.
///
/// It knows nothing of HTTP beyond the values of headers, and may be asked from any thread. The questions that
/// cost microseconds are answered by `authorizeAtOnce` and `tokenAtOnce`; nil from them means that a password
/// must be hashed: then ask `authorize` or `token`, which block for that time, on a thread that may.
public final class AccessControl: Sendable {
    /// What one reading of the policy gave; it is replaced as a whole.
    struct Rules: Sendable {
        let policy: AccessPolicy
        let users: WatchedFile<Htpasswd>?
        let issuer: TokenIssuer?
        let trusted: WatchedFile<[TokenKey]>?
        /// Which reading it was: a token that was verified under another one is verified again.
        let number: Int
    }

    private let path: String?
    private let rules: Mutex<Rules?>
    private let reading = Mutex(())
    let passwords = PasswordCheck()
    private let buckets = RequestBuckets()
    private let tokens = VerifiedTokens()

    private init(path: String?, rules: Rules?) {
        self.path = path
        self.rules = Mutex(rules)
    }

    /// Without a policy: everybody may do everything. Only for a server that listens on loopback.
    public static func everybody() -> AccessControl { AccessControl(path: nil, rules: nil) }

    /// By a policy file. A key for tokens that does not exist is made.
    ///
    /// - Parameter path: the file; the paths in it are seen from its folder.
    /// - Throws: `VoltError`; code `usage`, with file, line and column, for what is wrong in the files.
    public static func open(policy path: String, now: Timestamp) throws(VoltError) -> AccessControl {
        AccessControl(path: path, rules: try read(path, number: 0, now: now))
    }

    /// Reads the policy and all that it names again. What fails leaves everything as it was.
    ///
    /// - Throws: as `open`.
    public func reload(now: Timestamp) throws(VoltError) {
        guard let path else { return }
        let result: Result<Void, VoltError> = reading.withLock { _ in
            do throws(VoltError) {
                let number = (rules.withLock { $0?.number } ?? 0) + 1
                let read = try Self.read(path, number: number, now: now)
                rules.withLock { $0 = read }
                return .success(())
            } catch { return .failure(error) }
        }
        try result.get()
    }

    /// What went wrong since the last call with files that are read again when they change; for the log.
    public func takeProblems() -> [VoltError] {
        guard let rules = current else { return [] }
        return [rules.users?.takeProblem(), rules.trusted?.takeProblem()].compactMap { $0 }
    }

    /// Whether there is a policy; without one everybody may do everything.
    public var hasPolicy: Bool { current != nil }

    /// Whether nothing may be pushed or deleted.
    public var isReadOnly: Bool { current?.policy.isReadOnly ?? false }

    var current: Rules? { rules.withLock { $0 } }

    private static func read(_ path: String, number: Int, now: Timestamp) throws(VoltError) -> Rules {
        let policy = try AccessPolicy.read(try Files.read(path, limit: 4 << 20), path: path)
        var users: WatchedFile<Htpasswd>?
        if let path = policy.users {
            users = try WatchedFile(path, limit: Htpasswd.longest, now: now) {
                bytes throws(VoltError) in try Htpasswd(bytes, path: path)
            }
        }
        var issuer: TokenIssuer?
        var trusted: WatchedFile<[TokenKey]>?
        switch policy.tokens {
        case .issue(let key, let lifetime, let service, _):
            issuer = TokenIssuer(key: try TokenIssuer.key(key), lifetime: lifetime, service: service)
        case .trust(_, _, _, let keys):
            trusted = try WatchedFile(keys, limit: 1 << 20, now: now) {
                bytes throws(VoltError) in try TokenKeys.read(bytes, path: keys)
            }
        case nil: break
        }
        return Rules(policy: policy, users: users, issuer: issuer, trusted: trusted, number: number)
    }

    // MARK: Deciding

    /// Decides, and **blocks** for the time of bcrypt (tens of milliseconds and more) when a password is new: not
    /// for a thread that serves connections.
    public func authorize(_ request: AccessRequest, now: Timestamp) -> AccessDecision {
        // With leave to wait there is always an answer.
        decide(request, now: now, mayWait: true) ?? .limited(retryAfter: .seconds(1))
    }

    /// Decides within microseconds; nil when a password must be hashed for it.
    public func authorizeAtOnce(_ request: AccessRequest, now: Timestamp) -> AccessDecision? {
        decide(request, now: now, mayWait: false)
    }

    private func decide(_ request: AccessRequest, now: Timestamp, mayWait: Bool) -> AccessDecision? {
        guard let rules = current else {
            return .allowed(AccessGrant(user: .anonymous, policy: nil, scopes: nil))
        }
        let identity = identify(
            request.authorization, request.clientName, address: request.address, rules, now: now,
            mayWait: mayWait)
        let address = AddressKey.of(request.address)
        switch identity {
        case .unknown: return nil
        case .later(let wait): return .limited(retryAfter: wait)
        case .refused(let message, let isToken):
            if let wait = limit(rules, user: nil, address, now) { return .limited(retryAfter: wait) }
            return unauthorized(request, rules, message, error: isToken ? "invalid_token" : nil)
        case .known(let user, let scopes):
            if let wait = limit(rules, user: user, address, now) { return .limited(retryAfter: wait) }
            return decide(
                request, AccessGrant(user: user, policy: rules.policy, scopes: scopes), rules)
        }
    }

    private func decide(_ request: AccessRequest, _ grant: AccessGrant, _ rules: Rules) -> AccessDecision {
        // By the 401 to GET /v2/ clients learn that there is a login at all.
        if request.wants.isEmpty, grant.user == .anonymous, grant.scopes == nil, rules.policy.hasLogin {
            return unauthorized(request, rules, "authentication is required", error: nil)
        }
        // Clients send their login when they are asked for it, and would take the public repositories for all of them.
        if request.wants.contains(where: { $0.action == .catalog }), !request.isPage,
            grant.user == .anonymous, grant.scopes == nil, rules.policy.asksWhoListsRepositories
        {
            return unauthorized(
                request, rules, "authentication is required to list the repositories", error: nil)
        }
        var isShort = false
        for want in request.wants {
            switch grant.permits(want) {
            case .yes: continue
            case .never where rules.policy.isReadOnly && (want.action == .push || want.action == .delete):
                return .denied(message: "the registry is read-only")
            case .never where grant.user == .anonymous && rules.policy.hasLogin:
                return unauthorized(
                    request, rules, "authentication is required to \(want.described)",
                    error: grant.scopes == nil ? nil : "insufficient_scope")
            case .never: return .denied(message: "\(grant.user) may not \(want.described)")
            case .notByThisToken: isShort = true
            }
        }
        if isShort {
            return unauthorized(
                request, rules, "the token is not good for this", error: "insufficient_scope")
        }
        return .allowed(grant)
    }

    /// Takes one request out of the bucket of a user, or of the address where nobody is logged in.
    func limit(_ rules: Rules, user: AccessUser?, _ address: String, _ now: Timestamp) -> Duration? {
        guard let limits = rules.policy.limits else { return nil }
        let key =
            if let user, user != .anonymous { "user \(user)" } else { "address \(address)" }
        return buckets.take(key, limits, now: now)
    }

    private func unauthorized(_ request: AccessRequest, _ rules: Rules, _ message: String, error: String?)
        -> AccessDecision
    {
        .unauthorized(challenge: challenge(request, rules.policy, error: error), message: message)
    }

    private func challenge(_ request: AccessRequest, _ policy: AccessPolicy, error: String?) -> String {
        let realm: String
        let service: String
        switch policy.tokens {
        case .issue(_, _, let own, let url):
            // Without a host that can be written down there is still the way by name and password.
            guard let url = url ?? Self.tokenURL(request.origin) else {
                return Challenge.basic(realm: policy.realm)
            }
            (realm, service) = (url, own)
        case .trust(_, let own, let url, _): (realm, service) = (url, own)
        case nil: return Challenge.basic(realm: policy.realm)
        }
        return Challenge.bearer(realm: realm, service: service, wants: request.wants, error: error)
    }

    /// Where the server has its tokens, below the origin that the client itself named.
    private static func tokenURL(_ origin: String) -> String? {
        let letters: Set<UInt8> = Set(
            "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_:[]/".utf8)
        guard origin.hasPrefix("https://") || origin.hasPrefix("http://"), origin.utf8.count <= 300,
            origin.utf8.allSatisfy(letters.contains), origin.split(separator: "/").count == 2
        else { return nil }
        return origin + (origin.hasSuffix("/") ? "token" : "/token")
    }

    // MARK: Identifying

    /// Who somebody is.
    enum Identity: Sendable {
        /// With the scopes of the token, or nil without one.
        case known(AccessUser, [TokenScope]?)
        case refused(String, isToken: Bool)
        case later(Duration)
        /// A password must be hashed.
        case unknown
    }

    /// Who makes a request. Credentials that are wrong are refused also where none would be needed.
    func identify(
        _ header: String?, _ clientName: String?, address: String, _ rules: Rules, now: Timestamp,
        mayWait: Bool
    ) -> Identity {
        switch Authorization(header) {
        case .none:
            guard let clientName, AccessUser.isShowable(clientName), clientName.utf8.count <= 255 else {
                return .known(.anonymous, nil)
            }
            return .known(.certificate(clientName), nil)
        case .malformed(let reason): return .refused(reason, isToken: false)
        case .bearer(let token): return identify(token: token, rules, now: now)
        case .basic(let login):
            guard let users = rules.users?.current(now: now).value else {
                return .refused("there are no passwords here", isToken: false)
            }
            let answer = passwords.check(
                login, users, address: AddressKey.of(address), now: now, mayWait: mayWait)
            switch answer {
            case .right: return .known(.named(login.user), nil)
            case .wrong: return .refused("the name or the password is wrong", isToken: false)
            case .later(let wait): return .later(wait)
            case .unknown: return .unknown
            }
        }
    }

    private func identify(token: String, _ rules: Rules, now: Timestamp) -> Identity {
        do throws(TokenRefusal) {
            let claims = try claims(token, rules, now: now)
            guard rules.issuer != nil else { return .known(.outside(claims.subject), claims.access) }
            let user = TokenIssuer.user(subject: claims.subject)
            // Whoever was taken out of the file does not stay until the token ends.
            if case .named(let name) = user, rules.users?.current(now: now).value.hashes[name] == nil {
                return .refused("the user of the token is gone", isToken: true)
            }
            return .known(user, claims.access)
        } catch {
            return .refused("the token is refused: \(error.reason)", isToken: true)
        }
    }

    private func claims(_ token: String, _ rules: Rules, now: Timestamp) throws(TokenRefusal) -> TokenClaims {
        var verifier: TokenVerifier
        var generation = 0
        switch rules.policy.tokens {
        case .issue:
            guard let issuer = rules.issuer else { throw TokenRefusal("there are no tokens here") }
            verifier = issuer.verifier
        case .trust(let issuer, let service, _, _):
            guard let trusted = rules.trusted?.current(now: now) else {
                throw TokenRefusal("there are no tokens here")
            }
            verifier = TokenVerifier(issuer: issuer, audience: service, keys: trusted.value)
            generation = trusted.generation
        case nil: throw TokenRefusal("there are no tokens here")
        }
        return try tokens.claims(token, verifier, epoch: [rules.number, generation], now: now)
    }
}
