internal import Glibc
internal import Synchronization
internal import VoltCore
internal import VoltOCI
public import VoltRegistry

/// Another registry, whose repositories are kept here as they are asked for.
public final class Upstream: Sendable {
    /// Which repositories.
    public let rule: UpstreamRule
    private let clients: ClientPool
    private let state = Mutex(State())

    private struct State {
        /// When each tag and list was asked for.
        var asked: [String: ContinuousClock.Instant] = [:]
        var lists: [String: [String]] = [:]
        /// Nothing is asked for before: it could not be reached.
        var rests = ContinuousClock.now
        var counts: [Outcome: Int64] = [:]
        /// Blobs that are being fetched, and those that wait for their turn.
        var fetching = 0
        var waiting: [@Sendable () -> Void] = []
    }

    /// What became of a request.
    enum Outcome: String, CaseIterable {
        /// It was here.
        case kept
        /// It was fetched.
        case fetched
        /// It was here, and could not be looked for there.
        case stale
        /// There is none.
        case missing
        /// It could not be fetched.
        case failed
    }

    /// So long nothing is asked of a registry that could not be reached, so that clients do not wait for it each time.
    private static let rest: Duration = .seconds(10)
    private static let limit = 10_000

    /// - Parameters:
    ///   - rule: which repositories.
    ///   - endpoint: where they are.
    public init(_ rule: UpstreamRule, _ endpoint: RegistryEndpoint) {
        self.rule = rule
        clients = ClientPool(endpoint)
    }

    /// Asks the other registry something.
    ///
    /// - Throws: `.tryAgain` when it cannot be reached, or could not a moment ago.
    func ask<Result>(_ body: (RegistryClient) throws(VoltError) -> Result) throws(VoltError) -> Result {
        let rests = state.withLock { $0.rests }
        guard rests <= .now else {
            throw VoltError(.tryAgain, "'\(rule.host)' could not be reached a moment ago")
        }
        let client = try clients.take()
        do throws(VoltError) {
            let result = try body(client)
            clients.give(back: client)
            return result
        } catch {
            if error.code == .tryAgain { state.withLock { $0.rests = .now + Self.rest } }
            throw error
        }
    }

    /// Whether something was asked for within a time.
    func isFresh(_ what: String, _ time: Duration) -> Bool {
        state.withLock { state in state.asked[what].map { $0 + time > .now } ?? false }
    }

    /// Says that something was asked for now.
    func note(_ what: String) {
        state.withLock { state in
            if state.asked.count > Self.limit { state.asked.removeAll() }
            state.asked[what] = .now
        }
    }

    /// A list that was asked for within a time, or else is now.
    func list(_ what: String, _ time: Duration, _ body: () throws(VoltError) -> [String]) throws(VoltError)
        -> [String]
    {
        if isFresh(what, time), let known = state.withLock({ $0.lists[what] }) { return known }
        let list = try body()
        note(what)
        state.withLock { state in
            if state.lists.count > 100 { state.lists.removeAll() }
            state.lists[what] = list
        }
        return list
    }

    /// Blobs that are fetched of one registry at a time; a slow one does not keep the threads from the others.
    static let fetches = 16
    private static let queue = 1024

    /// Fetches a blob by the body, which calls `ended`, when it is its turn.
    ///
    /// - Returns: false when too much waits already.
    func fetch(_ body: @escaping @Sendable () -> Void) -> Bool {
        let next: (starts: Bool, isTaken: Bool) = state.withLock { state in
            if state.fetching < Self.fetches {
                state.fetching += 1
                return (true, true)
            }
            guard state.waiting.count < Self.queue else { return (false, false) }
            state.waiting.append(body)
            return (false, true)
        }
        if next.starts { body() }
        return next.isTaken
    }

    /// Says that a fetch has ended: the next one begins.
    func ended() {
        let next: (@Sendable () -> Void)? = state.withLock { state in
            guard state.waiting.isEmpty else { return state.waiting.removeFirst() }
            state.fetching -= 1
            return nil
        }
        next?()
    }

    /// Ends what is being asked for.
    func stop() { clients.stop() }

    func count(_ outcome: Outcome) { state.withLock { $0.counts[outcome, default: 0] += 1 } }

    /// How many requests ended how.
    var counts: [(outcome: Outcome, count: Int64)] {
        let counts = state.withLock { $0.counts }
        return Outcome.allCases.map { ($0, counts[$0, default: 0]) }
    }
}

/// Clients of one registry that keep their connections. A client is in the table, under its lock, or in the hands of the
/// one thread that took it out; that is why they may go from thread to thread.
private final class ClientPool: @unchecked Sendable {
    private let endpoint: RegistryEndpoint
    private let isStopping = Mutex(false)
    private let lock = Mutex(())
    private var idle: [RegistryClient] = []

    init(_ endpoint: RegistryEndpoint) { self.endpoint = endpoint }

    func take() throws(VoltError) -> RegistryClient {
        if let client = lock.withLock({ _ in idle.popLast() }) { return client }
        let client = try RegistryClient(endpoint)
        client.stop = { [weak self] in self?.isStopping.withLock { $0 } ?? true }
        return client
    }

    func stop() { isStopping.withLock { $0 = true } }

    func give(back client: RegistryClient) {
        lock.withLock { _ in if idle.count < 32 { idle.append(client) } }
    }
}

/// The other registries, and what is fetched from them at the moment.
final class Upstreams: Sendable {
    let all: [Upstream]
    let fetches = BlobFetches()

    init(_ all: [Upstream]) {
        // The longest prefix counts.
        self.all = all.sorted { $0.rule.prefix.utf8.count > $1.rule.prefix.utf8.count }
    }

    /// A repository of another registry, with the name that it has there.
    struct Repository: Sendable {
        let upstream: Upstream
        let name: OCIRepositoryName
        let remote: OCIRepositoryName
    }

    func repository(_ name: OCIRepositoryName) -> Repository? {
        for upstream in all {
            if let remote = upstream.rule.remote(name) {
                return Repository(upstream: upstream, name: name, remote: remote)
            }
        }
        return nil
    }

    /// The repository here of one that a client names with its registry (`ns`, section "Registry Proxying").
    func name(_ remote: OCIRepositoryName, of host: String) -> OCIRepositoryName? {
        guard let rule = all.first(where: { $0.rule.host == host && $0.rule.path.isEmpty })?.rule else {
            return nil
        }
        return rule.prefix.isEmpty ? remote : OCIRepositoryName(parsing: "\(rule.prefix)/\(remote)")
    }
}
