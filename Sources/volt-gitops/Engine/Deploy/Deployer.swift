internal import Glibc
internal import VoltCore
internal import VoltPlugin
internal import VoltSystem
internal import VoltWorkload

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
        var work = Work(attempt: attempt, pipeline: pipeline)
        work.earlierTry = try journal.retry(of: attempt.pipeline)
        try journal.dropRetry(of: attempt.pipeline)
        do throws(VoltError) {
            try enter(.fetching, &work)
            let snapshot = try source(of: &work, limit: limit)
            work.commit = snapshot.commit
            let deployed = try journal.deployedCommit(of: attempt.pipeline)
            work.deployed = deployed
            try journal.setCommits(
                old: deployed, new: snapshot.commit, configuration: pipeline.configuration,
                attempt: attempt.id)
            if try endsUntaken(snapshot, &work) { return }
            try keepChanges(snapshot, work)
            if try waits(for: snapshot.commit, &work) { return }
            switch try decide(snapshot.commit, &work) {
            case .nothingToDo(let note, let decision): return try finish(.done, note, decision, &work)
            case .hold(let note, let decision): return try finish(.held, note, decision, &work)
            case .deploy(let reason): work.reason = reason
            }
            if let pruned = try Pruning(paths: paths, environment: environment, plugins: plugins).run(
                snapshot, pipeline, deployed: deployed)
            {
                try journal.mark(attempt.id, .pruned)
                let text = pruned.text(pipeline.workload)
                return try finish(
                    .done, "\(attempt.note), \(text)", "pruned because the commit has \(text)", &work)
            }
            let manifest = try ManifestFinder.find(
                in: snapshot.directory, path: pipeline.path, workload: pipeline.workload)
            let tool = try plugins.tool(
                ofKind: manifest.kind, hint: "install it, then run 'volt gitops sync --name \(pipeline.name)'"
            )
            work.tool = tool
            if asksToStop(&work) != nil { throw VoltError(.tryAgain, "stopped") }
            let left = max(limit - (ContinuousClock.now - started), .seconds(1))
            let status = try apply(tool, manifest, snapshot, limit: left, &work)
            try succeed(isUnchanged: status == .unchanged, &work)
        } catch {
            try end(with: error, &work)
        }
    }

    /// Puts an attempt that was fetched back into the queue, or ends it, when its commit may not be deployed yet.
    private func waits(for commit: String, _ work: inout Work) throws(VoltError) -> Bool {
        let attempt = work.attempt
        switch try gatekeeper.decideFetched(attempt, commit: commit, work.pipeline, journal) {
        case .run: return false
        case .end(let state, let reason):
            try finish(state, "\(attempt.note), \(reason)", "\(state.shown): \(reason)", &work)
        case .wait(let kind, let reason, let until):
            try flush(&work, all: true)
            try journal.requeue(attempt.id, note: attempt.note)
            let wait = Wait(kind: kind, reason: reason, until: until, since: clock.now())
            try gatekeeper.note(wait, attempt, journal)
            progress("\(wait.shown): \(reason)")
        }
        return true
    }

    /// The snapshot to deploy: the tip of the branch, or for a rollback and a repair one that was kept.
    private func source(of work: inout Work, limit: Duration) throws(VoltError) -> Snapshot {
        if let target = work.attempt.target {
            work.commit = target
            let directory = "\(paths.snapshots(work.pipeline.name))/\(target)"
            guard Files.isDirectory(directory) else {
                throw VoltError(.notFound, "the snapshot of commit '\(target)' is no longer kept")
            }
            return Snapshot(commit: target, directory: directory)
        }
        let conditions = try conditions(work)
        var state = work
        do throws(VoltError) {
            let snapshot = try reader.snapshot(
                of: work.pipeline, attempt: work.attempt.id, conditions: conditions, limit: limit,
                stop: { asksToStop(&state) != nil }, note: { state.log.append($0) })
            work = state
            return snapshot
        } catch {
            work = state
            throw error
        }
    }

    private func succeed(isUnchanged: Bool, _ work: inout Work) throws(VoltError) {
        let note = work.attempt.note
        let reason = work.reason ?? ""
        let ends =
            isUnchanged ? "nothing in it concerns the workload, which goes on as it was" : "it is healthy"
        let name = work.attempt.pipeline
        try flush(&work, all: true)
        try journal.transaction { () throws(VoltError) in
            // A commit that came to run ends what was held before it; a way back and a repair do not.
            if work.attempt.trigger != .rollback, work.attempt.trigger != .drift {
                try journal.release(of: name)
            }
            try journal.setImages(work.images, attempt: work.attempt.id)
            try journal.finish(
                work.attempt.id, as: .done, note: isUnchanged ? "\(note), unchanged" : note,
                decision: "deployed because \(reason); \(ends)", at: clock.now())
        }
        progress("success: \(note)")
        // A workload that is unchanged goes on with the snapshot of an earlier commit.
        if !isUnchanged { prune(work.pipeline) }
    }

    // MARK: The journal

    func enter(_ state: AttemptState, _ work: inout Work) throws(VoltError) {
        guard state != work.state else { return }
        work.state = state
        try flush(&work, all: true)
        try journal.enter(state, attempt: work.attempt.id, at: clock.now())
        progress(state.rawValue)
    }

    func finish(_ state: AttemptState, _ note: String, _ decision: String, _ work: inout Work)
        throws(VoltError)
    {
        try flush(&work, all: true)
        try journal.finish(work.attempt.id, as: state, note: note, decision: decision, at: clock.now())
        progress("\(state.shown): \(note)")
    }

    /// Writes the lines that wait; without `all` only when they are many or have waited for a while.
    func flush(_ work: inout Work, all: Bool) throws(VoltError) {
        let now = ContinuousClock.now
        let isDue = work.log.count >= 50 || now >= work.nextFlush
        guard !work.log.isEmpty, all || isDue else { return }
        work.nextFlush = now + .milliseconds(250)
        let room = max(0, Self.logLimit - work.logged)
        var lines = Array(work.log.prefix(room))
        if room > 0, work.log.count > room {
            lines.append("the log ends here: it is longer than \(Self.logLimit) lines")
        }
        work.logged += work.log.count
        work.log.removeAll()
        try journal.addLog(lines, attempt: work.attempt.id)
    }

    private func keepChanges(_ snapshot: Snapshot, _ work: Work) throws(VoltError) {
        guard let old = work.deployed, old != snapshot.commit else { return }
        let directory = "\(paths.snapshots(work.pipeline.name))/\(old)"
        guard Files.isDirectory(directory) else { return }
        try journal.setChanges(
            TreeDifference.between(directory, snapshot.directory), attempt: work.attempt.id)
    }

    /// Removes the snapshots that neither run nor are among the last successful ones.
    private func prune(_ pipeline: Pipeline) {
        let directory = paths.snapshots(pipeline.name)
        // What cannot be removed now is removed after the next deploy.
        guard let keep = try? journal.deployedCommits(of: pipeline.name.text, limit: Self.snapshotLimit),
            let names = try? Files.list(directory)
        else { return }
        // A rollback that is queued needs its own as well.
        let wanted = ((try? journal.open(of: pipeline.name.text)) ?? []).compactMap(\.target)
        for name in names where !keep.contains(name) && !wanted.contains(name) {
            try? Files.removeTree("\(directory)/\(name)")
        }
    }
}

/// What is known of an attempt while it is worked on.
struct Work {
    let attempt: Attempt
    let pipeline: Pipeline
    var state = AttemptState.accepted
    /// The commit that was fetched.
    var commit: String?
    /// The commit that ran before.
    var deployed: String?
    /// Why it is deployed.
    var reason: String?
    /// What was to be tried again when it began.
    var earlierTry: Retry?
    /// The tool of the workload's kind.
    var tool: String?
    /// Whether the tool was started.
    var wasApplied = false
    /// What names of images in its definition resolved to.
    var images: [String: String] = [:]
    var log: [String] = []
    var logged = 0
    var stop: Deployer.Stop?
    var rival = Rival()
    var nextLook = ContinuousClock.now
    var nextFlush = ContinuousClock.now

    init(attempt: Attempt, pipeline: Pipeline) {
        self.attempt = attempt
        self.pipeline = pipeline
    }
}
