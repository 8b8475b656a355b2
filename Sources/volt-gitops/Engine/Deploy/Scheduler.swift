internal import Dispatch
internal import GitopsSource
internal import Synchronization
internal import VoltCore
internal import VoltSystem

/// Gives each pipeline one running attempt and one next, and polls the repositories as a safety net.
final class Scheduler: Sendable {
    /// Attempts of different pipelines at the same time.
    static let parallelAttempts = 4
    /// Polls at the same time.
    static let parallelPolls = 4
    /// How long a poll may take.
    static let pollLimit = Duration.seconds(30)

    /// Between two attempts of a pipeline, so that a burst of deliveries costs a few fetches and not one each.
    static let rest = Duration.milliseconds(500)

    /// Between two looks at the workloads that a pipeline waits for.
    static let waitingRest = Duration.seconds(3)

    private struct State {
        var running: Set<String> = []
        var restsUntil: [String: ContinuousClock.Instant] = [:]
        var polling: Set<String> = []
        var due: [String: ContinuousClock.Instant] = [:]
        var failures: [String: Int] = [:]
    }

    private let state = Mutex(State())
    private let loop = JournalLoop("volt.gitops.schedule")
    private let paths: GitopsPaths
    private let clock: any WallClock
    private let log: @Sendable (String) -> Void
    private let reader: SourceReader
    private let gatekeeper: Gatekeeper
    private let makeDeployer: @Sendable (Journal, @escaping @Sendable () -> Bool, String) -> Deployer

    init(
        paths: GitopsPaths, clock: any WallClock, reader: SourceReader, gatekeeper: Gatekeeper,
        log: @escaping @Sendable (String) -> Void,
        makeDeployer: @escaping @Sendable (Journal, @escaping @Sendable () -> Bool, String) -> Deployer
    ) {
        self.paths = paths
        self.clock = clock
        self.reader = reader
        self.log = log
        self.gatekeeper = gatekeeper
        self.makeDeployer = makeDeployer
    }

    /// Looks at the queue now.
    func kick() { loop.kick() }

    /// Starts the thread that hands out run. The journal must have been recovered before.
    func start() throws(VoltError) {
        try loop.start(
            state: paths.state, log: log,
            pause: { [self] in state.withLock { $0.restsUntil.isEmpty } ? .seconds(1) : .milliseconds(100) }
        ) { [self] (journal) throws(VoltError) in
            try queueRetries(journal)
            try startAttempts(journal)
            try startPolls(journal)
        }
    }

    /// Stops handing out work, asks what runs to stop and waits for it.
    func stop() { loop.stop() }

    private func startAttempts(_ journal: Journal) throws(VoltError) {
        let now = ContinuousClock.now
        state.withLock { state in state.restsUntil = state.restsUntil.filter { $0.value > now } }
        for name in try journal.pipelinesWithQueue() {
            let turn = try gatekeeper.turn(of: name, journal, looks: false)
            guard try journal.settle(turn, at: clock.now()) != nil else { continue }
            let starts = state.withLock { state in
                guard !loop.isStopped, !state.running.contains(name), state.restsUntil[name] == nil,
                    state.running.count < Self.parallelAttempts
                else { return false }
                state.running.insert(name)
                return true
            }
            guard starts else { continue }
            loop.run { [self] in
                let ran = runNewest(of: name)
                state.withLock { state in
                    state.running.remove(name)
                    state.restsUntil[name] = .now + (ran ? Self.rest : Self.waitingRest)
                }
                kick()
            }
        }
    }

    /// Whether there was an attempt that could run.
    private func runNewest(of name: String) -> Bool {
        do throws(VoltError) {
            let journal = try Journal(state: paths.state)
            let turn = try gatekeeper.turn(of: name, journal, looks: true)
            guard let attempt = try journal.settle(turn, at: clock.now()) else { return false }
            let pipeline = try journal.pipeline(name)
            log("\(name): attempt \(attempt.id) starts: \(attempt.note)")
            try makeDeployer(journal, { [loop] in loop.isStopped }, "\(name): attempt \(attempt.id)").run(
                attempt, of: pipeline)
            try journal.prune(name, at: clock.now())
            return true
        } catch {
            log("error: \(name): \(error.message)")
            // The attempt is still in the journal; without a pause a full disk would make this a busy loop.
            if !loop.isStopped { _ = DispatchSemaphore(value: 0).wait(timeout: .now() + 1) }
            return true
        }
    }

    /// Queues what is to be tried again. A pipeline that has anything else to do needs no second try of the
    /// old: whatever runs next drops it.
    private func queueRetries(_ journal: Journal) throws(VoltError) {
        for retry in try journal.retries(dueAt: clock.now()) {
            guard try journal.open(of: retry.pipeline).isEmpty else { continue }
            let pipeline = try journal.pipeline(retry.pipeline)
            try journal.transaction { () throws(VoltError) in
                let id = try journal.accept(
                    pipeline: retry.pipeline, trigger: retry.target == nil ? .retry : .rollback,
                    branch: pipeline.branch, commit: retry.commit, origin: retry.origin,
                    note: "try \(retry.count + 1) after attempt \(retry.attempt) failed",
                    target: retry.target, snapshot: retry.target == nil ? nil : retry.snapshot,
                    at: clock.now())
                if retry.target != nil {
                    try journal.setImages(try journal.images(of: retry.attempt), attempt: id)
                    if try journal.has(.automatic, attempt: retry.attempt) {
                        try journal.mark(id, .automatic)
                    }
                }
            }
        }
    }

    private func startPolls(_ journal: Journal) throws(VoltError) {
        let now = ContinuousClock.now
        for pipeline in try journal.pipelines() {
            let name = pipeline.name.text
            let starts = state.withLock { state in
                guard !loop.isStopped, state.polling.count < Self.parallelPolls, !state.polling.contains(name)
                else { return false }
                // The first poll comes soon after the start: a push may have been missed meanwhile.
                guard let due = state.due[name] else {
                    state.due[name] = now + .milliseconds(Int64.random(in: 200...2000))
                    return false
                }
                guard due <= now else { return false }
                state.polling.insert(name)
                return true
            }
            guard starts else { continue }
            loop.run { [self] in
                let failed = !poll(pipeline)
                state.withLock { state in
                    state.polling.remove(name)
                    state.failures[name] = failed ? state.failures[name, default: 0] + 1 : 0
                    // A repository that does not answer is asked less and less, down to every ten minutes.
                    let doubled = pipeline.pollInterval << Int64(min(state.failures[name] ?? 0, 6))
                    let seconds =
                        failed ? max(pipeline.pollInterval, min(doubled, 600)) : pipeline.pollInterval
                    state.due[name] =
                        .now + .milliseconds(Int64(Double(seconds) * Double.random(in: 900...1100)))
                }
                kick()
            }
        }
    }

    /// Compares the tip of the branch with what was deployed; false when the repository did not answer.
    private func poll(_ pipeline: Pipeline) -> Bool {
        let name = pipeline.name.text
        do throws(VoltError) {
            let journal = try Journal(state: paths.state)
            let tip: Tip
            do throws(VoltError) {
                tip = try reader.tip(of: pipeline, limit: Self.pollLimit)
            } catch {
                log("\(name): poll failed: \(error.message)")
                try journal.record(Journal.Poll(at: clock.now(), error: error.message), of: name)
                return false
            }
            // As one: whoever approves a commit must not see the newer one without the attempt that it gets.
            try journal.transaction { () throws(VoltError) in
                // An import may have changed it meanwhile: the tip is of what was asked for.
                guard try journal.pipeline(name).access == pipeline.access else { return }
                try journal.record(
                    Journal.Poll(at: clock.now(), error: nil, seen: tip.commit, origin: tip.origin), of: name)
                guard try wantsAttempt(tip, of: pipeline, journal) else { return }
                let note = pipeline.provider == .svn ? "poll (svn)" : "poll"
                try journal.accept(
                    pipeline: name, trigger: .poll, branch: pipeline.branch, commit: tip.commit,
                    origin: tip.origin, note: note, at: clock.now())
            }
            return true
        } catch {
            log("error: \(name): \(error.message)")
            return false
        }
    }

    /// Whether a tip is neither deployed, nor on its way, nor held.
    private func wantsAttempt(_ tip: Tip, of pipeline: Pipeline, _ journal: Journal) throws(VoltError) -> Bool
    {
        let name = pipeline.name.text
        let isOnItsWay = try journal.open(of: name).contains { attempt in
            guard let commit = attempt.commit else { return true }
            if commit == tip.commit, attempt.origin == nil || attempt.origin == tip.origin { return true }
            // A queued attempt fetches the tip itself, but where approval is needed it waits with the commit it has.
            let waitsWithCommit = pipeline.control?.requiresApproval == true && attempt.startedAt != nil
            return attempt.state == .accepted && attempt.trigger != .rollback && !waitsWithCommit
        }
        guard !isOnItsWay else { return false }
        if let deployed = try journal.deployed(of: name), deployed.isSame(as: tip, of: pipeline) {
            if deployed.origin == nil {
                try journal.adopt(deployed, origin: tip.origin, shape: pipeline.shape)
            }
            return false
        }
        let hold = try journal.holds.hold(
            of: tip.commit, origin: tip.origin, pipeline: name, configuration: pipeline.configuration)
        guard hold == nil else { return false }
        guard let retry = try journal.retry(of: name), retry.commit == tip.commit else { return true }
        return retry.origin != nil && retry.origin != tip.origin
    }
}
