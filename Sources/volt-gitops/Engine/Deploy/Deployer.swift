internal import Glibc
internal import VoltCore
internal import VoltSystem
internal import VoltWorkload
internal import VoltWorkloadTool

/// Brings one attempt from the queue to its end: fetch, snapshot, decide, apply. Everything blocks the
/// calling thread, whose journal it uses.
struct Deployer {
    /// Why an attempt is given up.
    enum Stop: Sendable, Equatable {
        /// A newer commit is queued.
        case superseded(by: Int64, why: String)
        /// The server ends; the attempt goes back into the queue.
        case shutdown
        /// The pipeline was deleted.
        case deleted
    }

    /// Lines of a deploy's log that are kept.
    static let logLimit = 2000
    /// Successful snapshots that are kept.
    static let snapshotLimit = 5

    let journal: Journal
    let paths: GitopsPaths
    let environment: [String: String]
    let clock: any WallClock
    let reader: SourceReader
    let kinds: WorkloadKinds
    let gatekeeper: Gatekeeper
    /// Whether the server is to end.
    let shutsDown: @Sendable () -> Bool
    /// Told each state and note of the attempt, for people who wait.
    let progress: @Sendable (String) -> Void

    /// Works on an attempt until it has ended or goes back into the queue.
    func run(_ attempt: Attempt, of pipeline: Pipeline) throws(VoltError) {
        let started = ContinuousClock.now
        let limit = Duration.seconds(pipeline.timeout)
        let run = AttemptRun(attempt: attempt, pipeline: pipeline)
        run.earlierTry = try journal.retry(of: attempt.pipeline)
        try journal.dropRetry(of: attempt.pipeline)
        do throws(VoltError) {
            try enter(.fetching, run)
            let snapshot = try source(of: run, limit: limit)
            run.snapshot = snapshot
            let deployed = try journal.deployed(of: attempt.pipeline)
            run.deployed = deployed
            if try endsUnseen(snapshot, run) { return }
            if try givesWay(to: snapshot, run) { return }
            try journal.setCommits(
                old: deployed?.commit, new: snapshot.commit, origin: snapshot.origin,
                snapshot: snapshot.decline == nil ? snapshot.name : nil,
                shape: pipeline.shape, configuration: pipeline.configuration, attempt: attempt.id)
            if try endsUntaken(snapshot, run) { return }
            try keepChanges(snapshot, run)
            if try waits(for: snapshot, run) { return }
            switch try decide(snapshot, run) {
            case .nothingToDo(let note, let decision): return try finish(.done, note, decision, run)
            case .hold(let note, let decision): return try finish(.held, note, decision, run)
            case .deploy(let reason): run.reason = reason
            }
            if let pruned = try Pruning(journal: journal, paths: paths, kinds: kinds).run(
                snapshot, pipeline, deployed: deployed?.snapshot)
            {
                try journal.mark(attempt.id, .pruned)
                let text = pruned.text(pipeline.workload)
                return try finish(
                    .done, "\(run.note), \(text)", "pruned because the commit has \(text)", run)
            }
            let manifest = try ManifestFinder.find(
                in: snapshot.directory, path: pipeline.path, workload: pipeline.workload)
            let tool = try kinds.find(
                manifest.kind, hint: "install it, then run 'volt gitops sync --name \(pipeline.name)'")
            run.tool = tool
            if asksToStop(run) != nil { throw VoltError(.tryAgain, "stopped") }
            run.otherKinds = try KindChange(
                journal: journal, reader: WorkloadReader(paths: paths, kinds: kinds)
            ).others(than: manifest.kind, of: pipeline)
            let left = max(limit + run.waited - (ContinuousClock.now - started), .seconds(1))
            let status = try apply(tool, manifest, snapshot, limit: left, run)
            try removeOthers(run)
            try succeed(isUnchanged: status == .unchanged, run)
        } catch {
            try end(with: error, run)
        }
    }

    /// Ends an attempt whose commit waited for approval when the branch has gone on: the newer commit waits under a
    /// number of its own, so that a decision about one is never one about the other.
    ///
    /// - Returns: whether it has ended.
    private func givesWay(to newer: Snapshot, _ run: AttemptRun) throws(VoltError) -> Bool {
        let attempt = run.attempt
        guard run.pipeline.control?.requiresApproval == true, attempt.target == nil,
            attempt.startedAt != nil,
            let waited = attempt.commit,
            waited != newer.commit || attempt.origin != nil && attempt.origin != newer.origin
        else { return false }
        try flush(run, all: true)
        let (old, new) = (Self.short(waited), Self.short(newer.commit))
        let id = try journal.transaction { () throws(VoltError) in
            let id = try journal.accept(
                pipeline: attempt.pipeline, trigger: attempt.trigger, delivery: attempt.delivery,
                branch: run.pipeline.branch, commit: newer.commit, origin: newer.origin,
                note: "came while attempt \(attempt.id) waited", at: clock.now())
            if try journal.has(.forced, attempt: attempt.id) { try journal.mark(id, .forced) }
            try journal.finish(
                attempt.id, as: .superseded, note: "\(attempt.note), superseded by attempt \(id)",
                decision: "superseded because the newer commit \(new) came while \(old) waited",
                at: clock.now())
            return id
        }
        progress("superseded by attempt \(id) at \(new)")
        return true
    }

    /// Puts an attempt that was fetched back into the queue, or ends it, when its commit may not be deployed yet.
    private func waits(for snapshot: Snapshot, _ run: AttemptRun) throws(VoltError) -> Bool {
        let attempt = run.attempt
        switch try gatekeeper.decideFetched(attempt, snapshot, run.pipeline, journal) {
        case .run:
            let verdict = try journal.verdict(
                on: snapshot.commit, origin: snapshot.origin, of: attempt.pipeline)
            if run.pipeline.control?.requiresApproval == true, attempt.target == nil, let verdict,
                verdict.isApproved
            {
                // An earlier Volt wrote it into the note at once.
                let approval = ", approved by \(verdict.by)"
                run.approval = attempt.note.contains(approval) ? "" : approval
            }
            return false
        case .end(let state, let reason):
            try finish(state, "\(attempt.note), \(reason)", "\(state.shown): \(reason)", run)
        case .wait(let kind, let reason, let until):
            try flush(run, all: true)
            try journal.requeue(attempt.id, note: attempt.note)
            let wait = Wait(kind: kind, reason: reason, until: until, since: clock.now())
            if let news = wait.news(since: attempt.wait) { try journal.wait(attempt.id, for: news) }
            progress("\(wait.shown): \(reason)")
        }
        return true
    }

    /// The snapshot to deploy: the tip of the branch, or for a rollback and a repair one that was kept.
    private func source(of run: AttemptRun, limit: Duration) throws(VoltError) -> Snapshot {
        if let target = run.attempt.target {
            let name = run.attempt.snapshot ?? target
            let directory = "\(paths.snapshots(run.pipeline.name))/\(name)"
            guard Files.isDirectory(directory) else {
                throw VoltError(.notFound, "the snapshot of commit '\(target)' is no longer kept")
            }
            return Snapshot(commit: target, directory: directory, origin: run.attempt.origin)
        }
        let announced = announced(run)
        let snapshot = try fetch(run, announced: announced, limit: limit)
        guard let announced, snapshot.isUnseen else { return snapshot }
        return try awaitAnnounced(announced, after: snapshot, run) { () throws(VoltError) in
            try fetch(run, announced: announced, limit: limit)
        }
    }

    private func fetch(_ run: AttemptRun, announced: String?, limit: Duration) throws(VoltError) -> Snapshot {
        let conditions = try conditions(run)
        return try reader.snapshot(
            of: run.pipeline, attempt: run.attempt.id, announced: announced, conditions: conditions,
            limit: limit, stop: { asksToStop(run) != nil }, note: { run.log.append($0) })
    }

    private func succeed(isUnchanged: Bool, _ run: AttemptRun) throws(VoltError) {
        let note = run.note
        let reason = run.reason ?? ""
        let ends =
            isUnchanged ? "nothing in it concerns the workload, which goes on as it was" : "it is healthy"
        let name = run.attempt.pipeline
        try flush(run, all: true)
        try journal.transaction { () throws(VoltError) in
            // A commit that came to run ends what was held before it; a rollback and a repair do not.
            if run.attempt.trigger != .rollback, run.attempt.trigger != .drift {
                try journal.holds.release(of: name)
            }
            try journal.setImages(run.images, attempt: run.attempt.id)
            try journal.setInterrupted(false, name)
            try journal.finish(
                run.attempt.id, as: .done, note: isUnchanged ? "\(note), unchanged" : note,
                decision: "deployed because \(reason); \(ends)\(run.leftKinds)", at: clock.now())
        }
        let word: PipelineState.Word = run.attempt.isAutomatic == true ? .rolledBack : .success
        progress("\(word.rawValue): \(note)")
        // A workload that is unchanged goes on with the snapshot of an earlier commit.
        if !isUnchanged { prune(run.pipeline) }
    }

    // MARK: The journal

    func enter(_ state: AttemptState, _ run: AttemptRun) throws(VoltError) {
        guard state != run.state else { return }
        run.state = state
        try flush(run, all: true)
        try journal.enter(state, attempt: run.attempt.id, at: clock.now())
        progress(state.rawValue)
    }

    func finish(_ state: AttemptState, _ note: String, _ decision: String, _ run: AttemptRun)
        throws(VoltError)
    {
        try flush(run, all: true)
        try journal.finish(run.attempt.id, as: state, note: note, decision: decision, at: clock.now())
        progress("\(state.shown): \(note)")
    }

    /// Writes the lines that wait; without `all` only when they are many or have waited for a while.
    func flush(_ run: AttemptRun, all: Bool) throws(VoltError) {
        let now = ContinuousClock.now
        let isDue = run.log.count >= 50 || now >= run.nextFlush
        guard !run.log.isEmpty, all || isDue else { return }
        run.nextFlush = now + .milliseconds(250)
        let room = max(0, Self.logLimit - run.logged)
        var lines = Array(run.log.prefix(room))
        if room > 0, run.log.count > room {
            lines.append("the log ends here: it is longer than \(Self.logLimit) lines")
        }
        run.logged += run.log.count
        run.log.removeAll()
        try journal.addLog(lines, attempt: run.attempt.id)
    }

    private func keepChanges(_ snapshot: Snapshot, _ run: AttemptRun) throws(VoltError) {
        guard let old = run.deployed, old.snapshot != snapshot.name else { return }
        let directory = "\(paths.snapshots(run.pipeline.name))/\(old.snapshot)"
        guard Files.isDirectory(directory) else { return }
        try journal.setChanges(
            TreeDifference.between(directory, snapshot.directory), attempt: run.attempt.id)
    }

    /// Removes the snapshots that neither run nor are among the last successful ones.
    private func prune(_ pipeline: Pipeline) {
        let directory = paths.snapshots(pipeline.name)
        // What cannot be removed now is removed after the next deploy.
        guard let deployed = try? journal.allDeployed(of: pipeline.name.text),
            let open = try? journal.open(of: pipeline.name.text),
            let deleted = try? journal.deletedPipelines(),
            let names = try? Files.list(directory)
        else { return }
        // Another workload may run from those of a deleted pipeline that had the name.
        let others = deleted.filter { $0.pipeline == pipeline.name && $0.workload != pipeline.workload }
        guard others.allSatisfy({ $0.workload == nil }) else { return }
        // What is queued needs its own as well.
        let keep = Set(deployed.prefix(Self.snapshotLimit).map(\.snapshot) + open.compactMap(\.snapshotName))
        for name in names where !keep.contains(name) {
            try? Files.removeTree("\(directory)/\(name)")
        }
    }
}
