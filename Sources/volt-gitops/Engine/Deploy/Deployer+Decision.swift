internal import VoltCore
internal import VoltSystem
internal import VoltWorkload
internal import VoltWorkloadTool

extension Deployer {
    /// What is to become of an attempt once its commit is known.
    enum Verdict: Equatable {
        /// It goes on; the words complete "deployed because".
        case deploy(because: String)
        /// It ends as done.
        case nothingToDo(note: String, decision: String)
        /// It ends as held.
        case hold(note: String, decision: String)
    }

    /// Decides whether the commit is deployed.
    func decide(_ snapshot: Snapshot, _ run: AttemptRun) throws(VoltError) -> Verdict {
        let attempt = run.attempt
        let name = attempt.pipeline
        let short = Self.short(snapshot.commit)
        if attempt.trigger == .rollback {
            try holdOthers(than: snapshot, run)
            return .deploy(because: "\(short) is to run again: \(attempt.note)")
        }
        let hold = try journal.holds.hold(
            of: snapshot.commit, origin: snapshot.origin, pipeline: name,
            configuration: run.pipeline.configuration)
        let isForced = try journal.has(.forced, attempt: attempt.id)
        if isForced {
            try journal.holds.release(snapshot.commit, origin: snapshot.origin, of: name)
        } else if let hold {
            return .hold(
                note: "\(run.note), held: \(hold.reason)",
                decision:
                    "held because \(hold.reason); \(hold.advice(for: name))"
            )
        }
        let isAskedFor = attempt.trigger == .manual || attempt.trigger == .drift
        if !isAskedFor, run.isDeployed, try !journal.isInterrupted(name) {
            return .nothingToDo(
                note: "\(run.note), already deployed", decision: "nothing to do: \(short) runs already")
        }
        guard let deployed = run.deployed else {
            return .deploy(because: "nothing ran before and \(short) is the tip of '\(attempt.branch)'")
        }
        let force = isForced && hold != nil ? ", and its hold was lifted by --force" : ""
        guard !run.isDeployed else {
            let who =
                switch attempt.trigger {
                case .manual: "it was asked for by hand"
                case .drift: "the workload was no longer what it says"
                default: "its last deploy was cut off"
                }
            return .deploy(because: "\(who), though \(short) ran before\(force)")
        }
        guard deployed.commit != snapshot.commit else {
            let what =
                deployed.isReshaped(by: run.pipeline) ? "ran with other settings" : "ran with other files"
            return .deploy(because: "\(short), the tip of '\(attempt.branch)', \(what)\(force)")
        }
        return .deploy(
            because:
                "\(short), the tip of '\(attempt.branch)', differs from \(Self.short(deployed.commit)) that ran\(force)"
        )
    }

    /// Holds what a rollback by hand leaves behind, when it was not known yet as the rollback was asked for.
    private func holdOthers(than kept: Snapshot, _ run: AttemptRun) throws(VoltError) {
        guard run.attempt.delivery == nil, let deployed = run.deployed, deployed.snapshot != kept.name,
            deployed.commit != kept.commit || deployed.origin != kept.origin
        else { return }
        try journal.holds.hold(
            deployed.commit, origin: deployed.origin, of: run.attempt.pipeline, configuration: nil,
            reason: "\(Self.short(kept.commit)) was brought back in its place by attempt \(run.attempt.id)",
            at: clock.now())
    }

    // MARK: Failure

    /// Ends an attempt that did not succeed: whatever it left, a good commit runs or is about to.
    func end(with error: VoltError, _ run: AttemptRun) throws(VoltError) {
        let note = run.note
        switch run.stop {
        case .superseded(let newer, let why):
            return try finish(
                .superseded, "\(note), superseded by attempt \(newer)", "superseded because \(why)", run)
        case .shutdown:
            try flush(run, all: true)
            return try journal.requeue(run.attempt.id, note: run.attempt.note)
        case .deleted: return
        case nil: break
        }
        if let hint = error.hint { run.log.append("hint: \(hint)") }
        try flush(run, all: true)
        let state = run.state
        // Before the transaction: the tool is asked, and nothing may wait for that.
        let problem = try workloadProblem(run)
        let outcome = try journal.transaction { () throws(VoltError) in
            let outcome = try consequence(for: run, problem: problem)
            try journal.finish(
                run.attempt.id, as: .failed, note: "\(note): \(error.message)\(outcome.note)",
                decision: "failed while \(state.rawValue): \(error.message); \(outcome.decision)",
                at: clock.now())
            return outcome
        }
        progress("failed: \(note): \(error.message)\(outcome.note)")
    }

    /// - Parameter problem: what is wrong with the workload, or nil.
    private func consequence(for run: AttemptRun, problem: String?) throws(VoltError) -> (
        note: String, decision: String
    ) {
        let pipeline = run.pipeline
        let name = pipeline.name.text
        let policy = pipeline.retries
        if run.attempt.trigger == .rollback {
            let tries = (run.earlierTry?.count ?? 0) + 1
            guard problem != nil, tries < policy.attempts else {
                return ("", "the workload is as it was")
            }
            let wait = try retry(run, count: tries)
            return ("", "no workload runs, so it is tried again in \(wait)")
        }
        // The look for drift has a back-off and an end of its own.
        guard run.attempt.trigger != .drift else { return ("", "the next look for drift tries again") }
        guard let commit = run.commit, let snapshot = run.snapshot else {
            let tries = (run.earlierTry?.commit == nil ? run.earlierTry?.count ?? 0 : 0) + 1
            guard tries < policy.attempts else { return ("", "the next poll or push tries again") }
            let wait = try retry(run, count: tries)
            return ("", "the workload is untouched, and it is tried again in \(wait)")
        }
        if let problem, let good = run.deployed, good.snapshot != snapshot.name {
            try hold(commit, run, "it failed in attempt \(run.attempt.id) and left \(problem)")
            let id = try journal.acceptRollback(
                to: good, of: pipeline, note: "rollback of attempt \(run.attempt.id)", at: clock.now())
            return (
                "; rolled back by attempt \(id)",
                "rolled back to \(Self.short(good.commit)) by attempt \(id) because it left \(problem)"
            )
        }
        let kept = run.deployed.map { "\(Self.short($0.commit)) goes on running" } ?? "nothing ran before"
        let failures =
            try journal.failures(
                of: commit, origin: snapshot.origin, pipeline: name, configuration: pipeline.configuration)
            + 1
        guard failures < policy.attempts else {
            let times = failures == 1 ? "once" : "\(failures) times"
            try hold(commit, run, "it failed \(times), the last time in attempt \(run.attempt.id)")
            return ("; held", "\(kept), and \(Self.short(commit)) is held because it failed \(times)")
        }
        let wait = try retry(run, count: failures)
        return ("", "\(kept), and try \(failures + 1) of \(policy.attempts) comes in \(wait)")
    }

    private func hold(_ commit: String, _ run: AttemptRun, _ reason: String) throws(VoltError) {
        try journal.holds.hold(
            commit, origin: run.snapshot?.origin, of: run.attempt.pipeline,
            configuration: run.pipeline.configuration, reason: reason, at: clock.now())
    }

    /// Schedules the next try, and says how long it waits.
    private func retry(_ run: AttemptRun, count: Int) throws(VoltError) -> String {
        let wait = Duration.seconds(run.pipeline.retries.wait(after: count))
        try journal.schedule(
            Retry(
                pipeline: run.attempt.pipeline, attempt: run.attempt.id, commit: run.commit,
                target: run.attempt.target, snapshot: run.attempt.snapshot, origin: run.snapshot?.origin,
                count: count, due: clock.now().advanced(by: wait)))
        return DurationText.format(wait)
    }

    /// What is wrong with the workload after a failed apply, or nil when it runs.
    private func workloadProblem(_ run: AttemptRun) throws(VoltError) -> String? {
        if try journal.isInterrupted(run.attempt.pipeline) { return "a deploy that was cut off" }
        guard run.wasApplied, let tool = run.tool else { return nil }
        // A kind that has no 'status' is believed: the contract says that the old one goes on.
        guard let status = try? tool.status(of: run.pipeline.workload) else { return nil }
        switch status.state {
        case .running, .restarting, .starting: return nil
        case .absent where run.deployed == nil: return nil
        default: return "the workload \(status.state)"
        }
    }

    static func short(_ commit: String) -> String { String(commit.prefix(7)) }
}
