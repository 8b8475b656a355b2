internal import GitopsNotifications
internal import Synchronization
internal import VoltCore
internal import VoltSystem

/// Delivers what is in the outbox, beside the deploys and never in their way.
final class OutboxSender: Sendable {
    /// Deliveries at the same time; a receiver has one at a time.
    static let parallel = 4
    /// A message that failed so often is given up, after about two hours.
    static let tryLimit = 8

    private let busy = Mutex<Set<String>>([])
    private let loop = JournalLoop("volt.gitops.outbox")
    private let directory: String
    private let clock: any WallClock
    private let messenger: Messenger
    private let log: @Sendable (String) -> Void

    /// - Parameter state: the directory of the journal.
    init(
        state directory: String, clock: any WallClock, messenger: Messenger,
        log: @escaping @Sendable (String) -> Void
    ) {
        self.directory = directory
        self.clock = clock
        self.messenger = messenger
        self.log = log
    }

    /// Starts the thread that looks into the outbox.
    func start() throws(VoltError) {
        try Journal(state: directory).outbox.retryNow(at: clock.now())
        try loop.start(state: directory, log: log) { [self] (journal) throws(VoltError) in
            try look(journal)
        }
    }

    /// Stops what is under way, which the next start takes up, and waits for it.
    func stop() { loop.stop() }

    private func look(_ journal: Journal) throws(VoltError) {
        try journal.outbox.enqueueNotifications(at: clock.now())
        for message in try journal.outbox.dueMessages(at: clock.now(), limit: 100) {
            let key = "\(message.pipeline) \(message.target)"
            let starts = busy.withLock { busy in
                guard !loop.isStopped, busy.count < Self.parallel, !busy.contains(key) else { return false }
                busy.insert(key)
                return true
            }
            guard starts else { continue }
            loop.run { [self] in
                do throws(VoltError) {
                    try deliver(message, try Journal(state: directory))
                } catch { log("error: \(message.pipeline): \(error.message)") }
                busy.withLock { _ = $0.remove(key) }
                loop.kick()
            }
        }
    }

    /// Delivers what is due now, each once, for a command that works without a server.
    ///
    /// - Parameter limit: after this time the rest waits for the next one.
    func sendOnce(within limit: Duration) throws(VoltError) {
        let journal = try Journal(state: directory)
        let end = ContinuousClock.now + limit
        try journal.outbox.enqueueNotifications(at: clock.now())
        for message in try journal.outbox.dueMessages(at: clock.now(), limit: 100) {
            guard ContinuousClock.now < end else { return }
            try deliver(message, journal, stop: { ContinuousClock.now >= end })
        }
    }

    private func deliver(_ message: OutboxMessage, _ journal: Journal, stop: () -> Bool = { false })
        throws(VoltError)
    {
        let pipeline = try journal.pipeline(message.pipeline)
        guard let settings = pipeline.notify,
            let name = Messenger.name(of: message.target, settings)
        else { return try journal.outbox.drop(message) }
        let wait = Self.wait(after: message.tries + 1)
        guard try journal.outbox.beginTry(of: message, next: clock.now().advanced(by: wait)) else { return }
        let outcome = messenger.send(
            message.notification, of: pipeline, to: message.target, id: Self.id(of: message),
            stop: { stop() || loop.isStopped })
        switch outcome {
        case .delivered: try journal.outbox.drop(message)
        case .refused(let reason):
            log("error: \(message.pipeline): cannot notify \(name), given up: \(reason)")
            try journal.outbox.drop(message)
        case .failed where loop.isStopped: break
        case .failed(let reason, let after):
            guard message.tries + 1 < Self.tryLimit else {
                log(
                    "error: \(message.pipeline): cannot notify \(name), given up after \(Self.tryLimit) tries: \(reason)"
                )
                return try journal.outbox.drop(message)
            }
            let pause = after ?? wait
            log(
                "\(message.pipeline): cannot notify \(name), next try in \(DurationText.format(pause)): \(reason)"
            )
            try journal.outbox.putOff(message, until: clock.now().advanced(by: pause))
        }
    }

    /// The same for every try of a message, and for no other message of this host.
    private static func id(of message: OutboxMessage) -> String {
        "volt-\(message.notification.at.milliseconds)-\(message.id)"
    }

    /// 10 s, 30 s, 90 s, … up to an hour.
    static func wait(after tries: Int) -> Duration {
        var seconds: Int64 = 10
        for _ in 1..<max(1, tries) where seconds < 3600 { seconds *= 3 }
        return .seconds(min(seconds, 3600))
    }
}
