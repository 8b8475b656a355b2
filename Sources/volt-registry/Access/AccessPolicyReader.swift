package import VoltCore
internal import VoltSystem
internal import VoltYAML

extension AccessPolicy {
    /// The policy of a file.
    ///
    /// - Parameters:
    ///   - bytes: the file; any bytes are safe.
    ///   - path: its path: the paths in it are seen from its folder, and errors name it.
    /// - Throws: `VoltError` with code `usage`, and file, line and column.
    package static func read(_ bytes: [UInt8], path: String) throws(VoltError) -> AccessPolicy {
        do throws(VoltError) {
            return try PolicyReader(folder: Files.parent(of: path)).policy(
                try YAML.parse(bytes, file: path))
        } catch {
            throw VoltError(.usage, error.message, hint: error.hint)
        }
    }
}

private struct PolicyReader {
    let folder: String

    func policy(_ root: YAMLNode) throws(VoltError) -> AccessPolicy {
        let fields = try root.fields([
            "version", "realm", "users", "tokens", "rules", "groups", "administrators", "catalog", "readOnly",
            "limits",
        ])
        guard let version = fields["version"] else {
            throw root.failure("'version' is missing", hint: "write version: 1")
        }
        guard try version.integer() == 1 else {
            throw version.failure("version \(try version.integer()) is not known", hint: "write version: 1")
        }
        var policy = AccessPolicy()
        if let node = fields["realm"] { policy.realm = try quotable(node) }
        if let node = fields["users"] { policy.users = try path(node) }
        if let node = fields["tokens"] { policy.tokens = try tokens(node, realm: policy.realm) }
        if let node = fields["readOnly"] { policy.isReadOnly = try node.boolean() }
        if let node = fields["limits"] { policy.limits = try limits(node) }
        let groups = try self.groups(fields["groups"])
        if let node = fields["rules"] {
            for item in try node.items() { policy.rules.append(try rule(item, groups)) }
        }
        if let node = fields["administrators"] { policy.administrators = try subjects(node, groups) }
        if policy.administrators.contains(.anybody), let node = fields["administrators"] {
            throw node.failure(
                "'anonymous' cannot administer the registry",
                hint: "leave the policy file out where everybody may do everything")
        }
        if let node = fields["catalog"] { policy.catalog = try subjects(node, groups) }
        return policy
    }

    // MARK: Rules

    private func rule(_ node: YAMLNode, _ groups: [String: Set<AccessPolicy.Subject>]) throws(VoltError)
        -> AccessPolicy.Rule
    {
        let fields = try node.fields(["repository", "allow"])
        guard let repository = fields["repository"] else { throw node.failure("'repository' is missing") }
        guard let allow = fields["allow"] else { throw node.failure("'allow' is missing") }
        let pattern = try repository.parsed { text throws(VoltError) in try RepositoryPattern(text) }
        var allowed: [RegistryAction: Set<AccessPolicy.Subject>] = [:]
        let actions: [RegistryAction] = [.pull, .push, .delete]
        let named = try allow.fields(actions.map(\.rawValue))
        for action in actions {
            if let list = named[action.rawValue] { allowed[action] = try subjects(list, groups) }
        }
        return AccessPolicy.Rule(pattern: pattern, allow: allowed)
    }

    private func groups(_ node: YAMLNode?) throws(VoltError) -> [String: Set<AccessPolicy.Subject>] {
        var groups: [String: Set<AccessPolicy.Subject>] = [:]
        for entry in try node?.entries() ?? [] {
            guard Self.isName(entry.key) else {
                throw entry.value.failure("'\(entry.key.prefix(40))' is not the name of a group")
            }
            // A group of groups would need a search for circles, and nobody to understand it.
            groups[entry.key] = try subjects(entry.value, nil)
        }
        return groups
    }

    /// - Parameter groups: nil where no group may stand.
    private func subjects(_ node: YAMLNode, _ groups: [String: Set<AccessPolicy.Subject>]?) throws(VoltError)
        -> Set<AccessPolicy.Subject>
    {
        var subjects: Set<AccessPolicy.Subject> = []
        for item in try node.items() {
            let text = try item.string()
            if text == "anonymous" || text == "authenticated" {
                guard groups != nil else {
                    throw item.failure("'\(text)' cannot be in a group", hint: "write it into the rule")
                }
                subjects.insert(text == "anonymous" ? .anybody : .authenticated)
            } else if text.hasPrefix("group:") {
                let name = String(text.dropFirst(6))
                guard let groups else { throw item.failure("a group cannot hold another group") }
                guard let members = groups[name] else {
                    let near = EditDistance.suggestions(for: name, among: groups.keys, limit: 1).first
                    throw item.failure(
                        "there is no group '\(name)'",
                        hint: near.map { "did you mean '\($0)'?" } ?? "write it below 'groups'")
                }
                subjects.formUnion(members)
            } else if text.hasPrefix("cert:") {
                guard text.utf8.count > 5, text.utf8.count <= 260 else {
                    throw item.failure("'cert:' lacks the name in the certificate")
                }
                subjects.insert(.user(.certificate(String(text.dropFirst(5)))))
            } else {
                guard Self.isName(text) else {
                    throw item.failure(
                        "'\(text.prefix(40))' is not a user",
                        hint: "write a name, group:NAME, cert:NAME, authenticated or anonymous")
                }
                subjects.insert(.user(.named(text)))
            }
        }
        return subjects
    }

    private static func isName(_ text: String) -> Bool {
        Htpasswd.isName(text) && text != "anonymous" && text != "authenticated"
    }

    // MARK: Tokens and limits

    private func tokens(_ node: YAMLNode, realm: String) throws(VoltError) -> AccessPolicy.Tokens {
        let fields = try node.fields(["issue", "trust"])
        switch (fields["issue"], fields["trust"]) {
        case (let issue?, nil):
            let fields = try issue.fields(["key", "lifetime", "service", "realm"])
            guard let key = fields["key"] else { throw issue.failure("'key' is missing") }
            let lifetime =
                try fields["lifetime"]?.parsed { text throws(VoltError) in try DurationText.parse(text) }
                ?? .seconds(300)
            // Docker takes less than a minute for a minute; an hour is long for what cannot be called back.
            guard (60...3600).contains(lifetime.milliseconds / 1000) else {
                throw (fields["lifetime"] ?? issue).failure("the lifetime of a token is 1m to 1h")
            }
            return .issue(
                key: try path(key), lifetime: lifetime,
                service: try fields["service"].map { node throws(VoltError) in try quotable(node) } ?? realm,
                realm: try fields["realm"].map { node throws(VoltError) in try url(node) })
        case (nil, let trust?):
            let fields = try trust.fields(["issuer", "service", "realm", "certificates", "keys"])
            guard let issuer = fields["issuer"], let service = fields["service"], let realm = fields["realm"]
            else { throw trust.failure("'issuer', 'service' and 'realm' are all needed") }
            let keys: YAMLNode
            switch (fields["certificates"], fields["keys"]) {
            case (let node?, nil), (nil, let node?): keys = node
            default:
                throw trust.failure(
                    "either 'certificates' or 'keys' is needed",
                    hint: "certificates is a PEM file, keys a JWKS file")
            }
            return .trust(
                issuer: try quotable(issuer), service: try quotable(service), realm: try url(realm),
                keys: try path(keys))
        default:
            throw node.failure("either 'issue' or 'trust' is needed")
        }
    }

    private func limits(_ node: YAMLNode) throws(VoltError) -> AccessPolicy.Limits {
        let fields = try node.fields(["requestsPerSecond", "burst"])
        guard let rate = fields["requestsPerSecond"] else {
            throw node.failure("'requestsPerSecond' is missing")
        }
        let perSecond = try count(rate)
        let burst =
            try fields["burst"].map { node throws(VoltError) in try count(node) }
            ?? min(perSecond * 2, 1_000_000)
        return AccessPolicy.Limits(perSecond: perSecond, burst: burst)
    }

    private func count(_ node: YAMLNode) throws(VoltError) -> Int {
        let value = try node.integer()
        guard (1...1_000_000).contains(value) else { throw node.failure("expected 1 to 1000000") }
        return value
    }

    private func path(_ node: YAMLNode) throws(VoltError) -> String {
        let text = try node.string()
        guard !text.isEmpty, !text.utf8.contains(0) else { throw node.failure("expected a path") }
        return text.hasPrefix("/") ? text : "\(folder)/\(text)"
    }

    /// What stands between quotes in a header.
    private func quotable(_ node: YAMLNode) throws(VoltError) -> String {
        let text = try node.string()
        guard Challenge.isQuotable(text) else {
            throw node.failure("expected 1 to 200 letters of ASCII without quotes and backslashes")
        }
        return text
    }

    private func url(_ node: YAMLNode) throws(VoltError) -> String {
        let text = try quotable(node)
        guard text.hasPrefix("https://") || text.hasPrefix("http://"), !text.contains(" "),
            !text.contains("?")
        else {
            throw node.failure("expected a URL", hint: "such as https://auth.example/token")
        }
        return text
    }
}
