internal import VoltCore
internal import VoltPlugin

/// Why a token is not believed; a phrase for logs and people that holds nothing of the token.
struct TokenRefusal: Error, Sendable, Equatable {
    let reason: String

    init(_ reason: String) { self.reason = reason }
}

/// What a token says (RFC 7519, section 4.1, and the `access` claim of the distribution project).
struct TokenClaims: Sendable, Equatable {
    var issuer: String
    /// The user; empty for an anonymous one.
    var subject: String
    var audience: [String]
    /// Seconds since 1970, each of them.
    var expires: Int
    var notBefore: Int?
    var issuedAt: Int?
    var identifier: String?
    var access: [TokenScope]

    init(
        issuer: String, subject: String, audience: String, expires: Int, issuedAt: Int, identifier: String,
        access: [TokenScope]
    ) {
        self.issuer = issuer
        self.subject = subject
        self.audience = [audience]
        self.expires = expires
        self.notBefore = issuedAt
        self.issuedAt = issuedAt
        self.identifier = identifier
        self.access = access
    }

    /// The claims of a payload whose signature was verified.
    init(_ bytes: [UInt8]) throws(TokenRefusal) {
        let json: JSONValue
        do throws(JSONFailure) { json = try JSONValue(bytes) } catch {
            throw TokenRefusal("its claims are not JSON")
        }
        guard case .object = json else { throw TokenRefusal("its claims are no object") }
        issuer = try Self.text(json, "iss") ?? ""
        subject = try Self.text(json, "sub") ?? ""
        identifier = try Self.text(json, "jti")
        guard subject.utf8.count <= 512, subject.isEmpty || AccessUser.isShowable(subject) else {
            throw TokenRefusal("its subject is no name")
        }
        if let text = json["aud"]?.string {
            audience = [text]
        } else {
            let list = json["aud"]?.array ?? []
            audience = list.compactMap(\.string)
            guard !list.isEmpty, audience.count == list.count else {
                throw TokenRefusal("it has no audience")
            }
        }
        guard let expires = try Self.time(json, "exp") else { throw TokenRefusal("it does not expire") }
        self.expires = expires
        notBefore = try Self.time(json, "nbf")
        issuedAt = try Self.time(json, "iat")
        access = try Self.access(json["access"])
    }

    private static func text(_ json: JSONValue, _ name: String) throws(TokenRefusal) -> String? {
        guard let value = json[name] else { return nil }
        guard let text = value.string else { throw TokenRefusal("its '\(name)' is no text") }
        return text
    }

    private static func time(_ json: JSONValue, _ name: String) throws(TokenRefusal) -> Int? {
        guard let value = json[name] else { return nil }
        // Sums with the leeway must not overflow.
        guard let time = value.integer, (0...(1 << 40)).contains(time) else {
            throw TokenRefusal("its '\(name)' is no whole number of seconds")
        }
        return time
    }

    private static func access(_ json: JSONValue?) throws(TokenRefusal) -> [TokenScope] {
        guard let json, json != .null else { return [] }
        guard let list = json.array, list.count <= TokenScope.most else {
            throw TokenRefusal("its 'access' is no list of at most \(TokenScope.most) entries")
        }
        var access: [TokenScope] = []
        for entry in list {
            let actions = entry["actions"]?.array ?? []
            let words = actions.compactMap(\.string)
            guard let type = entry["type"]?.string, let name = entry["name"]?.string,
                words.count == actions.count, words.count <= 16
            else { throw TokenRefusal("an entry of its 'access' is malformed") }
            access.append(TokenScope(type: type, name: name, actions: words))
        }
        return access
    }

    /// As JSON.
    var json: JSONValue {
        var members: [String: JSONValue] = [
            "iss": .string(issuer), "sub": .string(subject), "exp": .number("\(expires)"),
            "aud": audience.count == 1 ? .string(audience[0]) : .array(audience.map { .string($0) }),
            "access": .array(
                access.map {
                    .object([
                        "type": .string($0.type), "name": .string($0.name),
                        "actions": .array($0.actions.map { .string($0) }),
                    ])
                }),
        ]
        if let notBefore { members["nbf"] = .number("\(notBefore)") }
        if let issuedAt { members["iat"] = .number("\(issuedAt)") }
        if let identifier { members["jti"] = .string(identifier) }
        return .object(members)
    }

    /// Whether the token holds at this moment; clocks may be a minute apart.
    func check(now: Timestamp) throws(TokenRefusal) {
        let seconds = Int(now.milliseconds / 1000)
        guard seconds < expires + Self.leeway else { throw TokenRefusal("it has expired") }
        guard (notBefore ?? 0) <= seconds + Self.leeway, (issuedAt ?? 0) <= seconds + Self.leeway else {
            throw TokenRefusal("it is not valid yet")
        }
    }

    /// Seconds that two clocks may be apart.
    static let leeway = 60
}
