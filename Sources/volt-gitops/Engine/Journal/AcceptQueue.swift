internal import Dispatch
internal import Glibc
internal import Synchronization
internal import VoltCore
internal import VoltSystem

/// Writes accepted deliveries in groups: all that wait while one group is synced go into the next, so that
/// many connections share one sync. Each is answered after the sync that holds it. A second thread takes
/// them over from the log into the journal, where they become attempts.
final class AcceptQueue: Sendable {
    /// What became of a delivery.
    enum Answer: Sendable {
        /// It is on disk; the pipelines it reached.
        case accepted([String])
        /// It is in flight or was deployed.
        case duplicate
        /// The journal cannot be written.
        case failed(VoltError)
    }

    private struct Waiting: Sendable {
        let deliveries: [AcceptedDelivery]
        let answer: @Sendable (Answer) -> Void
    }

    private struct State {
        var waiting: [Waiting] = []
        /// On disk in the log, not yet in the journal; each with where its group ends.
        var undrained: [(delivery: AcceptedDelivery, end: DeliveryLog.Position)] = []
        var keys: Set<String> = []
        /// Not yet in the journal.
        var uses: [Journal.SecretUse: Timestamp] = [:]
        /// The last use of each pipeline.
        var noted: [String: (digest: String, at: Timestamp)] = [:]
        /// Not yet in the journal; nil for a pipeline whose hook has the right URL.
        var strays: [String: StrayDelivery?] = [:]
        /// The pipelines of which the journal has no stray delivery, as far as is known.
        var matched: Set<String> = []
        /// Why the journal could not be written the last time.
        var failure: VoltError?
        /// How often it was tried.
        var tries = 0
    }

    /// Between two groups that are taken over under load: each costs a sync of the journal.
    private static let pause: UInt32 = 50_000
    /// How long a delivery waits for the journal before it is answered that it cannot be written.
    private static let patience = Duration.seconds(5)

    private let state = Mutex(State())
    private let arrived = DispatchSemaphore(value: 0)
    private let logged = DispatchSemaphore(value: 0)
    private let directory: String
    private let clock: any WallClock
    private let accepted: @Sendable (Set<String>) -> Void

    /// - Parameters:
    ///   - directory: of the journal.
    ///   - accepted: told the pipelines that got an attempt.
    init(directory: String, clock: any WallClock, accepted: @escaping @Sendable (Set<String>) -> Void) {
        self.directory = directory
        self.clock = clock
        self.accepted = accepted
    }

    /// Takes over what an earlier server left, and starts both threads. The caller holds the lock of the log.
    func start() throws(VoltError) {
        let journal = try Journal(state: directory)
        try journal.drainLog(in: directory, at: clock.now())
        let log = try DeliveryLog(state: directory, after: journal.drained())
        let reader = try Journal(state: directory)
        // Each moves to the thread that alone uses it from here on.
        nonisolated(unsafe) let (owned, ownedLog, ownedReader) = (journal, log, reader)
        DispatchQueue(label: "volt.gitops.accept").async { [self] in
            while true {
                arrived.wait()
                let group = state.withLock { state in
                    defer { state.waiting.removeAll(keepingCapacity: true) }
                    return state.waiting
                }
                if !group.isEmpty { write(group, to: ownedLog, knownTo: ownedReader) }
            }
        }
        DispatchQueue(label: "volt.gitops.drain").async { [self] in
            while true {
                let fails = state.withLock { $0.failure != nil }
                _ = logged.wait(timeout: fails ? .now() + 1 : .distantFuture)
                if drain(into: owned) > 32 { usleep(Self.pause) }
            }
        }
    }

    /// Waits until the journal holds everything, for at most five seconds: what it does not hold then is
    /// taken over by the next start. Nothing may be submitted any more.
    func stop() {
        _ = wait { $0.waiting.isEmpty && $0.undrained.isEmpty || $0.failure != nil }
    }

    /// Keeps which secrets verified a delivery, to a second; nobody waits for that.
    func note(_ uses: Set<Journal.SecretUse>, at now: Timestamp) {
        guard !uses.isEmpty else { return }
        state.withLock { state in
            for use in uses {
                let last = state.noted[use.pipeline]
                if let last, last.digest == use.digest, now.since(last.at) < .seconds(1) { continue }
                state.noted[use.pipeline] = (use.digest, now)
                state.uses[use] = now
            }
        }
        logged.signal()
    }

    /// Keeps that verified deliveries were of other repositories than those of their pipelines.
    func note(_ strays: [String: StrayDelivery]) {
        state.withLock { state in
            for (pipeline, stray) in strays {
                state.strays[pipeline] = .some(stray)
                state.matched.remove(pipeline)
            }
        }
        logged.signal()
    }

    /// Keeps that verified deliveries were of the repositories of their pipelines, where that is news.
    func note(matched pipelines: some Sequence<String>) {
        let isNews = state.withLock { state in
            let news = pipelines.filter { state.matched.insert($0).inserted }
            for pipeline in news { state.strays[pipeline] = .some(nil) }
            return !news.isEmpty
        }
        if isNews { logged.signal() }
    }

    /// Queues a delivery; `answer` is called on the writing thread.
    func submit(_ deliveries: [AcceptedDelivery], answer: @escaping @Sendable (Answer) -> Void) {
        let wasEmpty = state.withLock { state in
            state.waiting.append(Waiting(deliveries: deliveries, answer: answer))
            return state.waiting.count == 1
        }
        if wasEmpty { arrived.signal() }
    }

    private func write(_ group: [Waiting], to log: DeliveryLog, knownTo journal: Journal) {
        var answers: [Answer] = []
        do throws(VoltError) {
            try awaitJournal()
            var keys = state.withLock { $0.keys }
            var fresh: [AcceptedDelivery] = []
            var bytes: [UInt8] = []
            for waiting in group {
                var pipelines: [String] = []
                for delivery in waiting.deliveries {
                    if let key = delivery.key, let id = delivery.delivery {
                        guard !keys.contains(key) else { continue }
                        guard try !journal.knows(delivery: id, of: delivery.pipeline) else { continue }
                        keys.insert(key)
                    }
                    pipelines.append(delivery.pipeline)
                    fresh.append(delivery)
                    delivery.encode(into: &bytes)
                }
                answers.append(pipelines.isEmpty ? .duplicate : .accepted(pipelines))
            }
            if !fresh.isEmpty {
                try append(bytes, to: log)
                let end = log.end
                state.withLock { state in
                    state.undrained += fresh.map { ($0, end) }
                    state.keys.formUnion(fresh.compactMap(\.key))
                }
            }
        } catch {
            for waiting in group { waiting.answer(.failed(error)) }
            return
        }
        for (waiting, answer) in zip(group, answers) { waiting.answer(answer) }
        logged.signal()
    }

    private func append(_ bytes: [UInt8], to log: DeliveryLog) throws(VoltError) {
        if !log.hasRoom(for: bytes.count) { try takeTurn(log) }
        guard log.hasRoom(for: bytes.count) else {
            throw VoltError(.tryAgain, "\(bytes.count) bytes of deliveries came at once")
        }
        do throws(VoltError) { try log.append(bytes) } catch {
            // What was half written ends the groups of this file.
            try takeTurn(log)
            throw error
        }
    }

    /// Goes on with the other file of the log when the journal holds all of it.
    private func takeTurn(_ log: DeliveryLog) throws(VoltError) {
        let current = log.end.generation
        guard wait(until: { $0.undrained.allSatisfy { $0.end.generation == current } }) else {
            throw VoltError(.tryAgain, "the journal is too slow for the deliveries that come")
        }
        log.takeTurn()
    }

    /// When the journal could not be written the last time, has it tried again before more is promised.
    private func awaitJournal() throws(VoltError) {
        guard let tries = state.withLock({ $0.failure == nil ? nil : $0.tries }) else { return }
        logged.signal()
        _ = wait { $0.tries != tries }
        if let failure = state.withLock({ $0.failure }) { throw failure }
    }

    private func wait(until holds: (State) -> Bool) -> Bool {
        let deadline = ContinuousClock.now + Self.patience
        while !state.withLock({ holds($0) }) {
            guard ContinuousClock.now < deadline else { return false }
            usleep(2000)
        }
        return true
    }

    /// Takes over what is in the log.
    ///
    /// - Returns: how many deliveries.
    private func drain(into journal: Journal) -> Int {
        let (group, uses, strays) = state.withLock { state in
            defer { (state.uses, state.strays) = ([:], [:]) }
            return (state.undrained, state.uses, state.strays)
        }
        guard !group.isEmpty || !uses.isEmpty || !strays.isEmpty else { return 0 }
        let deliveries = group.map(\.delivery)
        do throws(VoltError) {
            try journal.transaction { () throws(VoltError) in
                try journal.record(uses)
                try journal.record(strays)
                if let end = group.last?.end { try journal.drain(deliveries, to: end, at: clock.now()) }
            }
        } catch {
            state.withLock { state in
                // What is put back is tried again, and ends the failure.
                state.uses.merge(uses) { newer, _ in newer }
                state.strays.merge(strays) { newer, _ in newer }
                state.failure = error
                state.tries += 1
            }
            return 0
        }
        state.withLock { state in
            state.undrained.removeFirst(group.count)
            for key in deliveries.compactMap(\.key) { state.keys.remove(key) }
            state.failure = nil
            state.tries += 1
        }
        if !group.isEmpty { accepted(Set(deliveries.map(\.pipeline))) }
        return group.count
    }
}
