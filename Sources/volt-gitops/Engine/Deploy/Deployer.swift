internal import FoundationEssentials
internal import Glibc
internal import VoltCore
internal import VoltPlugin
internal import VoltSystem
internal import VoltWorkload

/// Brings one attempt from the queue to its end: fetch, snapshot, detect, apply. Everything blocks the
/// calling thread, whose journal it uses.
struct Deployer {
    /// Why an attempt is given up.
    enum Stop: Sendable, Equatable {
        /// A newer commit is queued.
        case superseded(by: Int64)
        /// The server ends; the attempt goes back into the queue.
        case shutdown
        /// The pipeline was deleted.
        case deleted
    }

    /// Failed attempts of one commit, after which it waits for a newer one.
    static let attemptLimit = 3
    /// Lines of a deploy's log that are kept.
    static let logLimit = 2000
    /// Successful snapshots that are kept.
    static let snapshotLimit = 5

    let journal: Journal
    let paths: GitopsPaths
    let environment: [String: String]
    let clock: any WallClock
    let reader: SourceReader
    let plugins: PluginSearch
    let gatekeeper: Gatekeeper
    /// Whether the server is to end.
    let shutsDown: @Sendable () -> Bool
    /// Told each state and note of the attempt, for people who wait.
    let progress: @Sendable (String) -> Void

    /// Works on an attempt until it has ended or goes back into the queue.
    func run(_ attempt: Attempt, of pipeline: Pipeline) throws(VoltError) {
        let started = ContinuousClock.now
        let limit = Duration.seconds(pipeline.timeout)
        var work = Work(attempt: attempt)
        do throws(VoltError) {
            try enter(.fetching, &work)
            let snapshot = try reader.snapshot(
                of: pipeline, attempt: attempt.id, limit: limit,
                stop: { asksToStop(&work, pipeline) != nil }, note: { work.log.append($0) })
            work.commit = snapshot.commit
            let deployed = try journal.deployedCommit(of: pipeline.name.text)
            try journal.setCommits(old: deployed, new: snapshot.commit, attempt: attempt.id)
            if try waits(attempt, for: snapshot.commit, pipeline, &work) { return }
            if attempt.trigger != .manual, deployed == snapshot.commit {
                return try finish(.done, "\(attempt.note), already deployed", &work)
            }
            if attempt.trigger != .manual,
                try journal.failures(of: snapshot.commit, pipeline: pipeline.name.text) >= Self.attemptLimit
            {
                return try finish(
                    .held, "\(attempt.note), held: this commit failed \(Self.attemptLimit) times", &work)
            }
            let manifest = try ManifestFinder.find(
                in: snapshot.directory, path: pipeline.path, workload: pipeline.workload)
            guard let tool = plugins.path(of: manifest.kind) else {
                throw VoltError(
                    .missing, "'volt-\(manifest.kind)' is not installed",
                    hint: "install it, then run 'volt gitops sync --name \(pipeline.name)'")
            }
            if asksToStop(&work, pipeline) != nil { throw VoltError(.tryAgain, "stopped") }
            let left = max(limit - (ContinuousClock.now - started), .seconds(1))
            let message = try apply(tool, manifest, snapshot, pipeline, limit: left, &work)
            try finish(.done, message == .unchanged ? "\(attempt.note), unchanged" : attempt.note, &work)
            // A workload that is unchanged goes on with the snapshot of an earlier commit.
            if message != .unchanged { prune(pipeline) }
        } catch {
            try end(with: error, &work, pipeline)
        }
    }

    /// Puts an attempt that was fetched back into the queue, or ends it, when its commit may not be deployed yet.
    private func waits(_ attempt: Attempt, for commit: String, _ pipeline: Pipeline, _ work: inout Work)
        throws(VoltError) -> Bool
    {
        switch try gatekeeper.decideFetched(attempt, commit: commit, pipeline, journal) {
        case .run: return false
        case .end(let state, let reason): try finish(state, "\(attempt.note), \(reason)", &work)
        case .wait(let kind, let reason, let until):
            try flush(&work, all: true)
            try journal.requeue(attempt.id, note: attempt.note)
            let wait = Wait(kind: kind, reason: reason, until: until, since: clock.now())
            try gatekeeper.note(wait, attempt, journal)
            progress("\(wait.shown): \(reason)")
        }
        return true
    }

    /// What is known of the attempt so far.
    private struct Work {
        let attempt: Attempt
        var state = AttemptState.accepted
        var commit: String?
        var log: [String] = []
        var logged = 0
        var stop: Stop?
        var nextLook = ContinuousClock.now

        init(attempt: Attempt) { self.attempt = attempt }
    }

    /// Ends an attempt that did not succeed; the old workload keeps running.
    private func end(with error: VoltError, _ work: inout Work, _ pipeline: Pipeline) throws(VoltError) {
        let note = work.attempt.note
        switch work.stop {
        case .superseded(let newer):
            return try finish(.superseded, "\(note), superseded by attempt \(newer)", &work)
        case .shutdown:
            try flush(&work, all: true)
            return try journal.requeue(work.attempt.id, note: note)
        case .deleted: return
        case nil: break
        }
        if let hint = error.hint { work.log.append("hint: \(hint)") }
        let reason = "\(note): \(error.message)"
        // Without a commit it is the repository that failed: the poll tries again.
        if let commit = work.commit, work.attempt.trigger != .manual,
            try journal.failures(of: commit, pipeline: pipeline.name.text) + 1 >= Self.attemptLimit
        {
            return try finish(.held, "\(reason); held after \(Self.attemptLimit) attempts", &work)
        }
        try finish(.failed, reason, &work)
    }

    private func enter(_ state: AttemptState, _ work: inout Work) throws(VoltError) {
        guard state != work.state else { return }
        work.state = state
        try flush(&work, all: true)
        try journal.enter(state, attempt: work.attempt.id, at: clock.now())
        progress(state.rawValue)
    }

    private func finish(_ state: AttemptState, _ note: String, _ work: inout Work) throws(VoltError) {
        try flush(&work, all: true)
        try journal.finish(work.attempt.id, as: state, note: note, at: clock.now())
        progress("\(state.shown): \(note)")
    }

    private func flush(_ work: inout Work, all: Bool) throws(VoltError) {
        guard all && !work.log.isEmpty || work.log.count >= 50 else { return }
        let room = max(0, Self.logLimit - work.logged)
        var lines = Array(work.log.prefix(room))
        if room > 0, work.log.count > room {
            lines.append("the log ends here: it is longer than \(Self.logLimit) lines")
        }
        work.logged += work.log.count
        work.log.removeAll()
        try journal.addLog(lines, attempt: work.attempt.id)
    }

    /// Whether the attempt is to be given up; the journal is looked at twice a second.
    private func asksToStop(_ work: inout Work, _ pipeline: Pipeline) -> Stop? {
        if let stop = work.stop { return stop }
        if shutsDown() { work.stop = .shutdown }
        let now = ContinuousClock.now
        guard work.stop == nil, now >= work.nextLook else { return work.stop }
        work.nextLook = now + .milliseconds(500)
        // A journal that cannot be read now is no reason to give up.
        guard let known = try? journal.attempt(work.attempt.id) else {
            if (try? journal.pipelines())?.contains(where: { $0.name == pipeline.name }) == false {
                work.stop = .deleted
            }
            return work.stop
        }
        guard known.finishedAt == nil, work.state.isCancellable, let commit = work.commit,
            let next = try? journal.newestQueued(of: pipeline.name.text), next.id > work.attempt.id,
            let newer = next.commit, newer != commit,
            (try? gatekeeper.maySupersede(next, pipeline, journal)) == true
        else { return nil }
        work.stop = .superseded(by: next.id)
        return work.stop
    }

    /// Runs `volt-<kind> apply` and follows its events.
    private func apply(
        _ tool: String, _ manifest: FoundManifest, _ snapshot: Snapshot, _ pipeline: Pipeline,
        limit: Duration,
        _ work: inout Work
    ) throws(VoltError) -> ApplyStatus {
        let seconds = max(1, limit.milliseconds / 1000)
        let child = try Child.start(
            tool,
            [
                "apply", "--workload", pipeline.workload.text, "--manifest", manifest.file, "--source",
                manifest.source, "--revision", snapshot.commit, "--timeout", "\(seconds)s", "-o", "json",
            ], environment: environment)
        try journal.setChild(
            pid: child.pid, start: Processes.startTime(child.pid) ?? 0, attempt: work.attempt.id)
        var status: ApplyStatus?
        var message = ""
        var refusal: ToolFailure?
        var failure: VoltError?
        var state = work
        // The tool keeps the limit itself and undoes what it did; killing it is the last resort.
        let outcome = child.finish(
            limit: limit + .seconds(30), stop: { asksToStop(&state, pipeline) != nil }
        ) { stream, line in
            guard stream == .stdout,
                let event = try? JSONDecoder().decode(ApplyEvent.self, from: Data(line.utf8))
            else {
                if let said = try? JSONDecoder().decode(ToolFailure.self, from: Data(line.utf8)) {
                    refusal = said
                } else if !line.isEmpty {
                    state.log.append(line)
                }
                return
            }
            do throws(VoltError) {
                switch event {
                case .step(let step, .started, _): try enter(step.attemptState, &state)
                case .step: break
                case .log(_, let text):
                    state.log.append(text)
                    try flush(&state, all: false)
                case .result(let result, _, let text):
                    status = result
                    message = text
                }
            } catch { failure = error }
        }
        work = state
        if let failure { throw failure }
        if outcome == .exited(0), let status, status != .failed { return status }
        if outcome == .timedOut {
            throw VoltError(.failed, "the deploy did not end within \(DurationText.format(limit))")
        }
        if let refusal { throw VoltError(.failed, refusal.error, hint: refusal.hint) }
        let tail = work.log.last { !$0.isEmpty && !$0.hasPrefix("hint: ") }
        let reason =
            !message.isEmpty ? message : tail ?? "'volt-\(manifest.kind) apply' ended with \(outcome)"
        throw VoltError(.failed, reason)
    }

    /// Removes the snapshots that neither run nor are among the last successful ones.
    private func prune(_ pipeline: Pipeline) {
        let directory = paths.snapshots(pipeline.name)
        // What cannot be removed now is removed after the next deploy.
        guard let keep = try? journal.deployedCommits(of: pipeline.name.text, limit: Self.snapshotLimit),
            let names = try? Files.list(directory)
        else { return }
        for name in names where !keep.contains(name) { try? Files.removeTree("\(directory)/\(name)") }
    }
}

/// The error of a tool that runs with `-o json`: one object on stderr.
private struct ToolFailure: Decodable {
    let error: String
    let hint: String?
}

extension ApplyStep {
    /// The state of the journal that a step stands for.
    var attemptState: AttemptState {
        switch self {
        case .prepare: .building
        case .start: .starting
        case .check: .checking
        case .switch, .stopOld: .switching
        }
    }
}
