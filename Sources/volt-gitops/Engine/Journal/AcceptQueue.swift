internal import Dispatch
internal import Synchronization
internal import VoltCore
internal import VoltSystem

/// Writes accepted deliveries in groups: all that wait while one transaction is synced go into the next,
/// so that many connections share one sync. Each is answered after the sync that holds it.
final class AcceptQueue: Sendable {
    /// A push that a verified delivery brought to a pipeline.
    struct Item: Sendable {
        var pipeline: String
        var delivery: String?
        var branch: String
        var commit: String?
        var note: String
    }

    /// What became of a delivery.
    enum Answer: Sendable {
        /// The numbers of its attempts, on disk.
        case accepted([Int64])
        /// It is in flight or was deployed.
        case duplicate
        /// The journal cannot be written.
        case failed(VoltError)
    }

    private struct Waiting: Sendable {
        let items: [Item]
        let answer: @Sendable (Answer) -> Void
    }

    private let waiting = Mutex<[Waiting]>([])
    private let wake = DispatchSemaphore(value: 0)
    private let state: String
    private let clock: any WallClock
    private let accepted: @Sendable (Set<String>) -> Void

    /// - Parameters:
    ///   - state: the directory of the journal.
    ///   - accepted: told the pipelines that got an attempt.
    init(state: String, clock: any WallClock, accepted: @escaping @Sendable (Set<String>) -> Void) {
        self.state = state
        self.clock = clock
        self.accepted = accepted
    }

    /// Starts the writing thread.
    func start() throws(VoltError) {
        let journal = try Journal(state: state)
        // The journal moves to the thread that alone uses it from here on.
        nonisolated(unsafe) let owned = journal
        let thread = DispatchQueue(label: "volt.gitops.accept")
        thread.async { [self] in
            while true {
                wake.wait()
                let group = waiting.withLock { waiting in
                    defer { waiting.removeAll(keepingCapacity: true) }
                    return waiting
                }
                if !group.isEmpty { write(group, to: owned) }
            }
        }
    }

    /// Queues a delivery; `answer` is called on the writing thread.
    func submit(_ items: [Item], answer: @escaping @Sendable (Answer) -> Void) {
        let wasEmpty = waiting.withLock { waiting in
            waiting.append(Waiting(items: items, answer: answer))
            return waiting.count == 1
        }
        if wasEmpty { wake.signal() }
    }

    private func write(_ group: [Waiting], to journal: Journal) {
        let now = clock.now()
        var pipelines: Set<String> = []
        let answers: [Answer]
        do throws(VoltError) {
            answers = try journal.transaction { () throws(VoltError) in
                var answers: [Answer] = []
                for waiting in group {
                    var ids: [Int64] = []
                    for item in waiting.items {
                        if let delivery = item.delivery,
                            try journal.knows(delivery: delivery, of: item.pipeline)
                        {
                            continue
                        }
                        ids.append(
                            try journal.accept(
                                pipeline: item.pipeline, trigger: .webhook, delivery: item.delivery,
                                branch: item.branch, commit: item.commit, note: item.note, at: now))
                        pipelines.insert(item.pipeline)
                    }
                    answers.append(ids.isEmpty ? .duplicate : .accepted(ids))
                }
                return answers
            }
        } catch {
            for waiting in group { waiting.answer(.failed(error)) }
            return
        }
        for (waiting, answer) in zip(group, answers) { waiting.answer(answer) }
        if !pipelines.isEmpty { accepted(pipelines) }
    }
}
