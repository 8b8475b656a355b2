/// The value of a WWW-Authenticate header (RFC 9110, section 11.6.1).
enum Challenge {
    /// Whether a text can stand between quotes as it is.
    static func isQuotable(_ text: String) -> Bool {
        (1...200).contains(text.utf8.count)
            && text.utf8.allSatisfy { (32...126).contains($0) && $0 != 34 && $0 != 92 }
    }

    /// RFC 7617; the password is UTF-8.
    static func basic(realm: String) -> String { #"Basic realm="\#(realm)", charset="UTF-8""# }

    /// As the specification of token authentication of the distribution project has it, and RFC 6750.
    ///
    /// - Parameters:
    ///   - realm: the URL of the token server.
    ///   - wants: become scopes.
    ///   - error: `invalid_token`, `insufficient_scope` or nil.
    static func bearer(realm: String, service: String, wants: [AccessWant], error: String?) -> String {
        var text = #"Bearer realm="\#(realm)",service="\#(service)""#
        let scopes = scopes(wants)
        if !scopes.isEmpty { text += #",scope="\#(scopes.joined(separator: " "))""# }
        if let error { text += #",error="\#(error)""# }
        return text
    }

    /// One scope a repository, in the order of the wants. To push is to pull as well.
    private static func scopes(_ wants: [AccessWant]) -> [String] {
        var order: [String] = []
        var actions: [String: [String]] = [:]
        func add(_ resource: String, _ action: String) {
            if actions[resource] == nil { order.append(resource) }
            if actions[resource]?.contains(action) != true { actions[resource, default: []].append(action) }
        }
        for want in wants {
            switch want.action {
            case .pull, .push, .delete:
                guard let name = want.repository else { continue }
                if want.action == .push { add("repository:\(name)", "pull") }
                add("repository:\(name)", want.action.rawValue)
            case .catalog: add("registry:catalog", "*")
            // No token lets anybody administer.
            case .administer: continue
            }
        }
        return order.map { "\($0):\((actions[$0] ?? []).joined(separator: ","))" }
    }
}
