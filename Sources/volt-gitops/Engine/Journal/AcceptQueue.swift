internal import Dispatch
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
        /// Who waits for a change of the state, each woken once.
        var waiters: [DispatchSemaphore] = []
    }

    /// Between two groups that are taken over, of which each costs two syncs of the journal: under load a longer time,
    /// in which a file of the log does not fill yet.
    private static let shortPause = DispatchTimeInterval.milliseconds(20)
    private static let pause = DispatchTimeInterval.milliseconds(150)
    /// A group of no more deliveries is not under load.
    private static let few = 32
    /// How long a delivery waits for the journal before it is answered that it cannot be written.
    private static let patience = DispatchTimeInterval.seconds(5)

    private let state = Mutex(State())
    private let arrived = DispatchSemaphore(value: 0)
    private let logged = DispatchSemaphore(value: 0)
    /// Ends a pause.
    private let hurried = DispatchSemaphore(value: 0)
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
                let count = drain(into: owned)
                if count > 0 { rest(for: count > Self.few ? Self.pause : Self.shortPause) }
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
        let answers: [Answer]
        do throws(VoltError) {
            try awaitJournal()
            var fresh: [AcceptedDelivery] = []
            answers = try journal.reading { () throws(VoltError) in
                try sort(group, knownTo: journal, into: &fresh)
            }
            if !fresh.isEmpty {
                var bytes: [UInt8] = []
                for delivery in fresh { delivery.encode(into: &bytes) }
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
        wake()
        logged.signal()
    }

    /// Finds out which deliveries of a group are new, and the answer to each.
    private func sort(_ group: [Waiting], knownTo journal: Journal, into fresh: inout [AcceptedDelivery])
        throws(VoltError) -> [Answer]
    {
        let keys = group.flatMap(\.deliveries).compactMap(\.key)
        var known = state.withLock { state in Set(keys.filter(state.keys.contains)) }
        var answers: [Answer] = []
        for waiting in group {
            var pipelines: [String] = []
            for delivery in waiting.deliveries {
                if let key = delivery.key, let id = delivery.delivery {
                    guard known.insert(key).inserted else { continue }
                    guard try !journal.knows(delivery: id, of: delivery.pipeline) else { continue }
                }
                pipelines.append(delivery.pipeline)
                fresh.append(delivery)
            }
            answers.append(pipelines.isEmpty ? .duplicate : .accepted(pipelines))
        }
        return answers
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
        // They are in the order of the log.
        guard wait(until: { ($0.undrained.first?.end.generation ?? current) == current }) else {
            throw VoltError(.tryAgain, "the journal is too slow for the deliveries that come")
        }
        log.takeTurn()
    }

    /// When the journal could not be written the last time, has it tried again before more is promised.
    private func awaitJournal() throws(VoltError) {
        guard let tries = state.withLock({ $0.failure == nil ? nil : $0.tries }) else { return }
        _ = wait { $0.tries != tries }
        if let failure = state.withLock({ $0.failure }) { throw failure }
    }

    /// Waits for the thread that writes the journal, which does not pause meanwhile.
    ///
    /// - Returns: whether it holds; false when it does not after the time of patience.
    private func wait(until holds: (State) -> Bool) -> Bool {
        let deadline = DispatchTime.now() + Self.patience
        var isFirst = true
        while true {
            let turn = state.withLock { state -> DispatchSemaphore? in
                guard !holds(state) else { return nil }
                let turn = DispatchSemaphore(value: 0)
                state.waiters.append(turn)
                return turn
            }
            guard let turn else { return true }
            hurried.signal()
            // A journal that cannot be written is tried again after a second.
            if isFirst { logged.signal() }
            isFirst = false
            guard turn.wait(timeout: deadline) == .success else { return state.withLock { holds($0) } }
        }
    }

    /// Lets a larger group come together, unless somebody waits for this one.
    private func rest(for pause: DispatchTimeInterval) {
        while hurried.wait(timeout: .now()) == .success {}
        guard state.withLock({ $0.waiters.isEmpty }) else { return }
        _ = hurried.wait(timeout: .now() + pause)
    }

    /// Has those look again who wait for a change.
    private func wake() {
        let waiters = state.withLock { state in
            defer { state.waiters = [] }
            return state.waiters
        }
        for waiter in waiters { waiter.signal() }
    }

    /// Takes over what is in the log.
    ///
    /// - Returns: how many deliveries.
    private func drain(into journal: Journal) -> Int {
        defer { wake() }
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
