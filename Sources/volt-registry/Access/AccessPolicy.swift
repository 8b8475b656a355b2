internal import VoltCore
internal import VoltOCI

/// Who may do what on a registry: what the policy file says. `docs/registry-access.md` has the file.
public struct AccessPolicy: Sendable {
    /// Whom a rule names.
    enum Subject: Sendable, Hashable {
        /// Everybody, logged in or not.
        case anybody
        /// Everybody who is logged in, by password or certificate.
        case authenticated
        case user(AccessUser)
    }

    struct Rule: Sendable {
        let pattern: RepositoryPattern
        /// By action; groups stand here as their members.
        let allow: [RegistryAction: Set<Subject>]
    }

    /// Where bearer tokens come from.
    enum Tokens: Sendable {
        case issue(key: String, lifetime: Duration, service: String, realm: String?)
        case trust(issuer: String, service: String, realm: String, keys: String)
    }

    struct Limits: Sendable {
        /// Requests a second that go on for ever.
        let perSecond: Int
        /// Requests at once.
        let burst: Int
    }

    var realm = "Volt registry"
    /// The path of the password file.
    var users: String?
    var tokens: Tokens?
    var rules: [Rule] = []
    var administrators: Set<Subject> = []
    /// Nil means whoever is logged in, and anybody when something may be pulled by anybody.
    var catalog: Set<Subject>?
    var limits: Limits?

    /// Whether nothing may be pushed or deleted, whatever the rules say.
    public internal(set) var isReadOnly = false

    /// Whether a user may do this. Rules add up: one that allows it is enough, and none takes away.
    public func allows(_ user: AccessUser, _ want: AccessWant) -> Bool {
        if isReadOnly, want.action == .push || want.action == .delete { return false }
        if Self.contains(administrators, user) { return true }
        switch want.action {
        case .administer: return false
        case .catalog:
            if let catalog { return Self.contains(catalog, user) }
            return user.isLoggedIn || rules.contains { Self.contains($0.allow[.pull], user) }
        case .pull, .push, .delete:
            guard let name = want.repository else { return false }
            return rules.contains { rule in
                let isNamed =
                    Self.contains(rule.allow[want.action], user)
                    || (want.action == .pull && Self.contains(rule.allow[.push], user))
                return isNamed && rule.pattern.matches(name)
            }
        }
    }

    /// Whether there is a way to log in by a header.
    var hasLogin: Bool { users != nil || tokens != nil }

    /// Whether somebody without a login is asked for one before the repositories are listed.
    ///
    /// Not where it would show nothing more. With tokens whoever has no login gets one all the same; without them the policy
    /// can say that everybody may list.
    var asksWhoListsRepositories: Bool {
        guard hasLogin, !isPublic else { return false }
        if case .issue = tokens { return true }
        return !Self.contains(catalog, .anonymous)
    }

    /// Whether everybody may pull everything.
    private var isPublic: Bool {
        Self.contains(administrators, .anonymous)
            || rules.contains { rule in
                rule.pattern.isEverything
                    && (Self.contains(rule.allow[.pull], .anonymous)
                        || Self.contains(rule.allow[.push], .anonymous))
            }
    }

    private static func contains(_ subjects: Set<Subject>?, _ user: AccessUser) -> Bool {
        guard let subjects, !subjects.isEmpty else { return false }
        return subjects.contains(.anybody) || (user.isLoggedIn && subjects.contains(.authenticated))
            || subjects.contains(.user(user))
    }
}
