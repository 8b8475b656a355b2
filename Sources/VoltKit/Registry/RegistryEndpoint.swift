internal import FoundationEssentials
internal import Synchronization
internal import VoltCore
internal import VoltCrypto
internal import VoltHTTP
internal import VoltOCI

/// A registry and what was learned of it, for any number of threads, each with a client of its own.
public final class RegistryEndpoint: Sendable {
    /// How registries are reached.
    public struct Settings: Sendable {
        /// A PEM file with authorities to trust in place of those of the system.
        public var caFile: String?
        /// A proxy; nil for none.
        public var proxy: String?
        /// Whether plain HTTP is spoken, also with hosts other than this one.
        public var isPlain = false
        /// How often a request is tried again.
        public var retries = 4
        /// Told once what a registry warns of (OCI Distribution Specification 1.1, "Warnings").
        public var warn: @Sendable (_ text: String) -> Void = { _ in }

        /// The settings above.
        public init() {}
    }

    /// The host as references have it.
    public let host: String
    let settings: Settings
    let account: RegistryAccount
    private let state = Mutex(State())

    private struct State {
        var scheme: String?
        /// Of the scopes that were asked for.
        var tokens: [String: String] = [:]
        var hasReferrers: Bool?
        var usesBasic = false
        var warnings: Set<String> = []
    }

    /// - Parameters:
    ///   - host: of a reference.
    ///   - account: who asks.
    public init(host: String, account: RegistryAccount, settings: Settings) {
        self.host = host
        self.account = account
        self.settings = settings
    }

    /// Docker Hub answers at another name than its references have.
    var authority: String { host == OCIReference.dockerHub ? "registry-1.docker.io" : host }

    var scheme: String? {
        get { state.withLock { $0.scheme } }
        set { state.withLock { $0.scheme = newValue } }
    }

    /// Whether the registry lists referrers itself; nil when that is not known.
    var hasReferrers: Bool? {
        get { state.withLock { $0.hasReferrers } }
        set { state.withLock { $0.hasReferrers = newValue } }
    }

    /// The value of Authorization for a scope, when it is known.
    func authorization(_ scope: String) -> String? {
        state.withLock { state in
            if let token = state.tokens[scope] { return "Bearer \(token)" }
            return state.usesBasic ? basic : nil
        }
    }

    /// Hands on what a registry warns of, each text once, and not without end.
    func note(_ headers: [(name: String, value: String)]) {
        for (_, value) in headers where value.hasPrefix("299 - \"") {
            let text = PrintableText.line(String(value.dropFirst(7).prefix { $0 != "\"" }), limit: 256)
            let isNew = state.withLock { $0.warnings.count < 20 && $0.warnings.insert(text).inserted }
            if isNew { settings.warn("'\(host)' warns: \(text)") }
        }
    }

    func useBasic() { state.withLock { $0.usesBasic = true } }

    func keep(_ token: String, for scope: String) {
        state.withLock { state in
            // One for each repository that somebody asks for.
            if state.tokens.count >= 1000 { state.tokens.removeAll() }
            state.tokens[scope] = token
        }
    }

    func forget(_ scope: String) { state.withLock { $0.tokens[scope] = nil } }

    var basic: String? {
        guard case .password(let user, let password) = account else { return nil }
        return "Basic \(Base64.encode(Array("\(user):\(password)".utf8)))"
    }
}
