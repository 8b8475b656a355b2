internal import Synchronization
internal import VoltCore
public import VoltSystem

/// Counts the answers of a server, and writes them down when there is an access log.
public final class HTTPObserver: Sendable {
    /// A method and a status.
    public struct Kind: Hashable, Sendable {
        /// The method; `other` for one that no client has to send.
        public let method: String
        /// The status; 499 when the client went away before there was an answer.
        public let status: Int
    }

    /// The counts since the server started.
    public struct Counts: Sendable {
        /// Requests by method and answer.
        public var answers: [Kind: Int64] = [:]
        /// Bytes of the bodies of answers.
        public var sent: UInt64 = 0
        /// Bytes of the bodies of requests that were taken as they came.
        public var received: UInt64 = 0
        /// Requests that are being answered.
        public var underWay: Int64 = 0
    }

    private let state = Mutex(Counts())
    private let log: AccessLog?
    private let clock: any WallClock

    /// - Parameters:
    ///   - log: gets a line for each answer; nil for none.
    ///   - clock: the time of the lines.
    public init(log: AccessLog?, clock: any WallClock) {
        self.log = log
        self.clock = clock
    }

    // What a client may send as a method is endless.
    private static let methods: Set<String> = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"]

    /// The counts now.
    public var counts: Counts { state.withLock { $0 } }

    /// The same opening, which tells this observer how it ended.
    ///
    /// - Parameter user: for the access log.
    public func observe(_ request: HTTPRequest, user: String, _ opening: HTTPOpening) -> HTTPOpening {
        state.withLock { $0.underWay += 1 }
        let observed = ObservedRequest(self, request, user)
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
        private let observer: HTTPObserver
        private let request: HTTPRequest
        private let user: String
        private let started = ContinuousClock.now
        private let hasEnded = Atomic(false)

        deinit { if !hasEnded.load(ordering: .relaxed) { abandon(received: 0) } }

        init(_ observer: HTTPObserver, _ request: HTTPRequest, _ user: String) {
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
            let method = HTTPObserver.methods.contains(request.method) ? request.method : "other"
            observer.state.withLock { counts in
                counts.underWay -= 1
                counts.answers[Kind(method: method, status: status), default: 0] += 1
                counts.received += received
            }
            return ContinuousClock.now - started
        }

        private func sent(_ count: UInt64, _ status: Int, _ received: UInt64, _ time: Duration) {
            observer.state.withLock { $0.sent += count }
            observer.log?.write(
                request, user, status: status, sent: count, received: received, time: time,
                at: observer.clock.now())
        }
    }
}

/// Hands a request on and counts its bytes.
private final class ObservedExchange: HTTPExchange {
    private let exchange: any HTTPExchange
    private let observed: HTTPObserver.ObservedRequest
    private var received: UInt64 = 0
    private var isOver = false

    init(_ exchange: any HTTPExchange, _ observed: HTTPObserver.ObservedRequest) {
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
