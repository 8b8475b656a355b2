internal import Glibc
internal import Synchronization
internal import VoltCore
internal import VoltPages
internal import VoltServer
internal import VoltSystem

/// Counts what is answered, and writes it down when there is an access log.
final class Observer: Sendable {
    private struct Kind: Hashable {
        let method: String
        let status: Int
    }
    private struct Counts {
        var answers: [Kind: Int64] = [:]
        var sent: UInt64 = 0
        var received: UInt64 = 0
        var underWay: Int64 = 0
    }

    private let counts = Mutex(Counts())
    private let log: AccessLog?
    private let clock: any WallClock

    init(log: AccessLog?, clock: any WallClock) {
        self.log = log
        self.clock = clock
    }

    // What a client may send as a method is endless.
    private static let methods: Set<String> = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"]

    /// The same opening, which tells this observer how it ended.
    func observe(_ request: HTTPRequest, _ caller: Caller, _ opening: HTTPOpening) -> HTTPOpening {
        counts.withLock { $0.underWay += 1 }
        let observed = ObservedRequest(self, request, caller.text)
        switch opening {
        case .answer(let response): return .answer(observed.answer(response))
        case .work(let work): return .work { reply in work { response in reply(observed.answer(response)) } }
        case .exchange(let exchange): return .exchange(ObservedExchange(exchange, observed))
        case .later(let decide):
            return .later { tell in
                decide { opening in
                    switch opening {
                    case .answer(let response): tell(.answer(observed.answer(response)))
                    case .exchange(let exchange): tell(.exchange(ObservedExchange(exchange, observed)))
                    case .work(let work):
                        tell(.work { reply in work { response in reply(observed.answer(response)) } })
                    case .later(let decide): tell(.later(decide))
                    }
                }
            }
        }
    }

    /// A request that is being answered. When nobody can answer it any more, since its client left while its turn or
    /// the right of its user was waited for, it was abandoned.
    fileprivate final class ObservedRequest: Sendable {
        private let observer: Observer
        private let request: HTTPRequest
        private let user: String
        private let started = ContinuousClock.now
        private let hasEnded = Atomic(false)

        deinit { if !hasEnded.load(ordering: .relaxed) { abandon(received: 0) } }

        init(_ observer: Observer, _ request: HTTPRequest, _ user: String) {
            self.observer = observer
            self.request = request
            self.user = user
        }

        /// Counts an answer. The bytes of a file are counted by the answer that this returns, once they were sent.
        func answer(_ response: HTTPResponse, received: UInt64 = 0) -> HTTPResponse {
            let time = end(status: response.status, received)
            guard request.method != "HEAD", let file = response.file, file.count > 0 else {
                sent(
                    request.method == "HEAD" ? 0 : UInt64(response.body.count), response.status, received,
                    time)
                return response
            }
            var response = response
            let status = response.status
            response.file = file.metered { count in self.sent(count, status, received, time) }
            return response
        }

        /// 499 as others have it: the client went away before there was an answer.
        func abandon(received: UInt64) {
            let time = end(status: 499, received)
            sent(0, 499, received, time)
        }

        private func end(status: Int, _ received: UInt64) -> Duration {
            hasEnded.store(true, ordering: .relaxed)
            let method = Observer.methods.contains(request.method) ? request.method : "other"
            observer.counts.withLock { counts in
                counts.underWay -= 1
                counts.answers[Kind(method: method, status: status), default: 0] += 1
                counts.received += received
            }
            return ContinuousClock.now - started
        }

        private func sent(_ count: UInt64, _ status: Int, _ received: UInt64, _ time: Duration) {
            observer.counts.withLock { $0.sent += count }
            observer.log?.write(
                request, user, status: status, sent: count, received: received, time: time,
                at: observer.clock.now())
        }
    }

    /// The numbers now.
    func text(storage: RegistryStorage, _ upstreams: [Upstream]) -> String {
        let counts = counts.withLock { $0 }
        var page = MetricsPage()
        page.family("volt_registry_info", "gauge", "The version of this program.")
        page.sample("volt_registry_info", [("version", VoltVersion.text)], 1)
        page.family("volt_registry_requests_total", "counter", "Requests by method and answer.")
        for (kind, count) in counts.answers.sorted(by: {
            ($0.key.method, $0.key.status) < ($1.key.method, $1.key.status)
        }) {
            page.sample(
                "volt_registry_requests_total", [("method", kind.method), ("status", String(kind.status))],
                count)
        }
        page.family("volt_registry_requests_under_way", "gauge", "Requests that are being answered.")
        page.sample("volt_registry_requests_under_way", [], counts.underWay)
        page.family("volt_registry_sent_bytes_total", "counter", "Bytes of the bodies of answers.")
        page.sample("volt_registry_sent_bytes_total", [], Int64(clamping: counts.sent))
        page.family(
            "volt_registry_received_bytes_total", "counter", "Bytes of blobs and manifests that came.")
        page.sample("volt_registry_received_bytes_total", [], Int64(clamping: counts.received))
        if !upstreams.isEmpty {
            page.family(
                "volt_registry_upstream_requests_total", "counter",
                "Requests of repositories of other registries, by what became of them.")
        }
        for upstream in upstreams {
            for (outcome, count) in upstream.counts {
                page.sample(
                    "volt_registry_upstream_requests_total",
                    [("upstream", upstream.rule.description), ("outcome", outcome.rawValue)], count)
            }
        }
        var information = statvfs()
        if statvfs(storage.root, &information) == 0
            || statvfs(Files.parent(of: storage.root), &information) == 0
        {
            let unit = UInt64(information.f_frsize)
            page.family("volt_registry_disk_free_bytes", "gauge", "What the disk of the store has left.")
            page.sample(
                "volt_registry_disk_free_bytes", [],
                Int64(clamping: UInt64(information.f_bavail).multipliedClamped(by: unit)))
            page.family("volt_registry_disk_bytes", "gauge", "The disk of the store.")
            page.sample(
                "volt_registry_disk_bytes", [],
                Int64(clamping: UInt64(information.f_blocks).multipliedClamped(by: unit)))
        }
        return page.text
    }
}

/// Hands a request on and counts its bytes.
private final class ObservedExchange: HTTPExchange {
    private let exchange: any HTTPExchange
    private let observed: Observer.ObservedRequest
    private var received: UInt64 = 0
    private var isOver = false

    init(_ exchange: any HTTPExchange, _ observed: Observer.ObservedRequest) {
        self.exchange = exchange
        self.observed = observed
    }

    func receive(_ part: UnsafeRawBufferPointer) -> HTTPResponse? {
        received += UInt64(part.count)
        guard let response = exchange.receive(part) else { return nil }
        guard !isOver else { return response }
        isOver = true
        return observed.answer(response, received: received)
    }

    func finish(_ reply: @escaping @Sendable (HTTPResponse) -> Void) {
        isOver = true
        let (observed, received) = (observed, received)
        exchange.finish { response in reply(observed.answer(response, received: received)) }
    }

    func cancel() {
        exchange.cancel()
        guard !isOver else { return }
        isOver = true
        observed.abandon(received: received)
    }
}
