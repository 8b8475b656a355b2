internal import GitopsNotifications
internal import Synchronization
internal import VoltCore
internal import VoltSystem
internal import VoltWorkload

/// Looks at the workloads of the pipelines from time to time and queues repairs, while the server runs.
final class DriftWatch: Sendable {
    /// Looks at the same time.
    private static let parallelLooks = 4

    private struct State {
        var looking: Set<String> = []
        var due: [String: ContinuousClock.Instant] = [:]
    }

    private let state = Mutex(State())
    private let loop = JournalLoop("volt.gitops.drift")
    private let paths: GitopsPaths
    private let clock: any WallClock
    private let reader: WorkloadReader
    private let log: @Sendable (String) -> Void
    private let queued: @Sendable () -> Void

    /// - Parameter queued: told that a repair was queued.
    init(
        paths: GitopsPaths, clock: any WallClock, reader: WorkloadReader,
        log: @escaping @Sendable (String) -> Void,
        queued: @escaping @Sendable () -> Void
    ) {
        self.paths = paths
        self.clock = clock
        self.reader = reader
        self.log = log
        self.queued = queued
    }

    /// Starts the thread that hands out looks.
    func start() throws(VoltError) {
        try loop.start(state: paths.state, log: log) { [self] (journal) throws(VoltError) in
            try startLooks(journal)
        }
    }

    /// Stops and waits for the looks that are under way.
    func stop() { loop.stop() }

    private func startLooks(_ journal: Journal) throws(VoltError) {
        let now = ContinuousClock.now
        for pipeline in try journal.pipelines() {
            guard let mode = pipeline.control?.drift, mode != .off else { continue }
            let name = pipeline.name.text
            let seconds = pipeline.control?.driftInterval ?? ControlOptions.usualDriftInterval
            let starts = state.withLock { state in
                guard !loop.isStopped, state.looking.count < Self.parallelLooks, !state.looking.contains(name)
                else {
                    return false
                }
                guard let due = state.due[name] else {
                    // After a reboot a repair should not wait; a report may, and not all come at once.
                    let most = mode == .repair ? min(seconds * 1000, 3000) : seconds * 1000
                    state.due[name] = now + .milliseconds(Int64.random(in: most / 2...most))
                    return false
                }
                guard due <= now else { return false }
                state.looking.insert(name)
                return true
            }
            guard starts else { continue }
            loop.run { [self] in
                do throws(VoltError) { try look(at: pipeline, mode) } catch {
                    log("error: \(name): \(error.message)")
                }
                state.withLock { state in
                    state.looking.remove(name)
                    state.due[name] =
                        .now + .milliseconds(Int64(Double(seconds) * Double.random(in: 900...1100)))
                }
            }
        }
    }

    private func look(at pipeline: Pipeline, _ mode: DriftMode) throws(VoltError) {
        let name = pipeline.name.text
        let journal = try Journal(state: paths.state)
        guard let good = try journal.lastApplied(of: name), let commit = good.commit else { return }
        // While an attempt is under way the workload is on its way to something else.
        guard try journal.open(of: name).isEmpty, try !journal.has(.pruned, attempt: good.id) else { return }
        let old = try journal.drift.last(of: name)
        var record = DriftRecord(attempt: good.id, commit: commit, checkedAt: clock.now())
        let isSame = old?.attempt == good.id
        if isSame { record.config = old?.config }
        var differences: [DriftRules.Difference] = []
        do throws(VoltError) {
            guard let status = try reader.status(of: pipeline, snapshot: good.snapshotName ?? commit) else {
                return
            }
            if record.config == nil, status.desiredRevision == commit { record.config = status.desiredConfig }
            differences = DriftRules.compare(status, commit: commit, config: record.config)
        } catch { record.problem = error.message }
        record.differences = differences.map(\.text)
        record.since = differences.isEmpty ? nil : isSame ? old?.since ?? clock.now() : clock.now()
        let wasSeen = isSame && old?.isDrifted == true
        var note: String?
        if !differences.isEmpty {
            let action = DriftRules.decide(
                differences, mode: mode, suspension: try journal.suspension(of: name), wasSeen: wasSeen,
                repairs: try journal.drift.repairs(of: name), now: clock.now())
            switch action {
            case .repair:
                record.advice = "commit \(commit.prefix(7)) is applied again"
                note = "drift: \(record.text)"
            case .report(let reason): record.advice = reason
            }
        }
        guard try keep(record, pipeline, repairing: note, good, journal) else { return }
        if old?.differences != record.differences || old?.attempt != record.attempt, record.isDrifted {
            log("\(name): drifted: \(record.text): \(record.advice ?? "")")
        } else if wasSeen, !record.isDrifted, record.problem == nil {
            log("\(name): the drift is gone")
        }
        if let problem = record.problem, problem != old?.problem {
            log("\(name): cannot look for drift: \(problem)")
        }
        if note != nil { queued() }
    }

    /// Writes what was found, and the repair with it.
    ///
    /// - Returns: false when something was queued or deployed meanwhile, so that the look is out of date.
    private func keep(
        _ record: DriftRecord, _ pipeline: Pipeline, repairing note: String?, _ good: Attempt,
        _ journal: Journal
    ) throws(VoltError) -> Bool {
        let name = pipeline.name.text
        return try journal.transaction { () throws(VoltError) in
            guard try journal.lastApplied(of: name)?.id == good.id, try journal.open(of: name).isEmpty else {
                return false
            }
            let before = try journal.drift.last(of: name)
            try journal.drift.keep(record, of: name)
            if record.isDrifted,
                before?.attempt != record.attempt || before?.differences != record.differences
            {
                let notification = Notification(
                    kind: .drift, attempt: record.attempt, commit: record.commit, note: record.text,
                    at: record.checkedAt)
                try journal.outbox.notify(notification, of: name)
            }
            if let note {
                try journal.accept(
                    pipeline: name, trigger: .drift, branch: pipeline.branch, commit: record.commit,
                    origin: good.origin, note: note, target: record.commit, snapshot: good.snapshotName,
                    at: clock.now())
            }
            return true
        }
    }
}
