internal import VoltCore
internal import VoltOCI

/// Something that a token lets one do: a scope of a token request, and an entry of the `access` claim.
struct TokenScope: Sendable, Hashable {
    /// How many one request or token may have.
    static let most = 64
    /// The longest text of scopes, in bytes.
    static let longest = 8 << 10

    /// `repository` or `registry`; others are known to nobody here.
    let type: String
    let name: String
    let actions: [String]

    /// The scopes of one `scope` parameter: `type:name:action,action`, with spaces between several.
    ///
    /// A repository is named whole: a host, a colon in the name, or a wildcard make no scope.
    ///
    /// - Throws: `VoltError` with code `usage`.
    static func parse(_ text: String) throws(VoltError) -> [TokenScope] {
        guard text.utf8.count <= longest else { throw VoltError(.usage, "the scope is too long") }
        var scopes: [TokenScope] = []
        for word in text.utf8.split(separator: 32) {
            guard scopes.count < most else { throw VoltError(.usage, "there are too many scopes") }
            let shown = String(decoding: word.prefix(100), as: UTF8.self)
            let failure = VoltError(
                .usage, "'\(shown)' is not a scope", hint: "such as repository:team/web:pull,push")
            let parts = word.split(separator: 58, omittingEmptySubsequences: false)
            guard parts.count == 3 else { throw failure }
            // The class in `repository(plugin)` changes nothing here.
            var type = String(decoding: parts[0], as: UTF8.self)
            if let open = type.firstIndex(of: "("), type.last == ")" { type = String(type[..<open]) }
            let name = String(decoding: parts[1], as: UTF8.self)
            let actions = parts[2].split(separator: 44, omittingEmptySubsequences: false).map {
                String(decoding: $0, as: UTF8.self)
            }
            guard isWord(type), actions.count <= 16, actions.allSatisfy({ $0 == "*" || isWord($0) }),
                type == "repository" ? OCIRepositoryName(parsing: name) != nil : isWord(name)
            else { throw failure }
            scopes.append(TokenScope(type: type, name: name, actions: actions))
        }
        return scopes
    }

    private static func isWord(_ text: String) -> Bool {
        (1...64).contains(text.utf8.count)
            && text.utf8.allSatisfy { (97...122).contains($0) || (48...57).contains($0) || $0 == 45 }
    }

    /// Whether this lets one do it.
    func permits(_ want: AccessWant) -> Bool {
        switch want.action {
        case .pull, .push, .delete:
            guard let repository = want.repository else { return false }
            return type == "repository" && name == repository.description
                && (actions.contains(want.action.rawValue) || actions.contains("*"))
        case .catalog: return type == "registry" && name == "catalog" && actions.contains("*")
        case .administer: return false
        }
    }

    /// What of this a user may do; nil when it is nothing.
    func cut(to policy: AccessPolicy, _ user: AccessUser) -> TokenScope? {
        let allowed: [String]
        switch type {
        case "repository":
            guard let repository = OCIRepositoryName(parsing: name) else { return nil }
            let known: [RegistryAction] = [.pull, .push, .delete]
            let wanted = known.filter { actions.contains("*") || actions.contains($0.rawValue) }
            allowed = wanted.filter { policy.allows(user, AccessWant($0, repository)) }.map(\.rawValue)
        case "registry" where name == "catalog" && actions.contains("*"):
            allowed = policy.allows(user, AccessWant(.catalog)) ? ["*"] : []
        default: allowed = []
        }
        return allowed.isEmpty ? nil : TokenScope(type: type, name: name, actions: allowed)
    }
}
