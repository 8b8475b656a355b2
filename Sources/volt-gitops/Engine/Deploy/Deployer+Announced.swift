internal import Dispatch
internal import GitopsNotifications
internal import VoltCore
internal import VoltSystem

/// A delivery may be faster than what serves the repository: then the commit that it announces is not there yet.
extension Deployer {
    /// How long is waited before each further look.
    static let refetches: [Duration] = [.seconds(2), .seconds(5), .seconds(10)]
    /// Other waits, in milliseconds with commas between them.
    static let refetchVariable = "VOLT_GITOPS_REFETCH"

    private var refetches: [Duration] {
        guard let text = environment[Self.refetchVariable] else { return Self.refetches }
        let parts = text.split(separator: ",")
        let waits = parts.compactMap { Int64($0) }.filter { (0...60_000).contains($0) }
        guard waits.count == parts.count, waits.count <= 10 else { return Self.refetches }
        return waits.map { .milliseconds($0) }
    }

    /// The commit that has to be in the history of what is fetched; nil when nobody announced one, and once the
    /// attempt has the commit that was fetched.
    func announced(_ run: AttemptRun) -> String? {
        let attempt = run.attempt
        // The tag that was pushed need not be the highest one. What nobody has signed may name any commit, and would
        // keep others waiting.
        guard attempt.trigger == .webhook, attempt.origin == nil, run.pipeline.followsBranch,
            !run.pipeline.allowsUnsigned
        else { return nil }
        return attempt.commit
    }

    /// Fetches again while an announced commit is not in the history of the tip. A force push may have dropped it, so
    /// that ends after a few times.
    ///
    /// - Returns: what was fetched last.
    func awaitAnnounced(
        _ commit: String, after first: Snapshot, _ run: AttemptRun,
        fetch: () throws(VoltError) -> Snapshot
    ) throws(VoltError) -> Snapshot {
        var snapshot = first
        for wait in refetches {
            let text =
                "\(Self.short(commit)) was announced and is not in the history of \(Self.short(snapshot.commit)); the next look is in \(DurationText.format(wait))"
            run.log.append(text)
            try flush(run, all: true)
            progress(text)
            let end = ContinuousClock.now + wait
            // The time that a deploy may take is not for this.
            run.waited += wait
            while ContinuousClock.now < end {
                if asksToStop(run) != nil { throw VoltError(.tryAgain, "stopped") }
                _ = DispatchSemaphore(value: 0).wait(timeout: .now() + 0.05)
            }
            // A tip that has not moved has nothing to fetch, and neither has a repository that does not answer now.
            guard let tip = try? reader.tip(of: run.pipeline, limit: Scheduler.pollLimit),
                tip.commit != snapshot.commit
            else { continue }
            do throws(VoltError) { snapshot = try fetch() } catch {
                guard run.stop == nil else { throw error }
                run.log.append(error.message)
            }
            if !snapshot.isUnseen { break }
        }
        return snapshot
    }

    /// Says that an announced commit never came. The attempt ends with that when nothing else is to be deployed: it is
    /// no success of the commit, and no failure of the workload.
    ///
    /// - Returns: whether it has ended.
    func endsUnseen(_ snapshot: Snapshot, _ run: AttemptRun) throws(VoltError) -> Bool {
        guard snapshot.isUnseen, let commit = announced(run) else { return false }
        let text = "\(Self.short(commit)) was announced and never came"
        let tip = "the tip of '\(run.pipeline.branch)' is \(Self.short(snapshot.commit))"
        try journal.mark(run.attempt.id, .unseen, commit)
        if run.isDeployed, try !journal.isInterrupted(run.attempt.pipeline) {
            try finish(
                .unseen, "\(run.note), \(text)",
                "\(text): \(tip), which runs; a push or a poll deploys the commit once it is there", run)
            return true
        }
        run.unseen = ", \(text)"
        try journal.outbox.notify(
            Notification(
                kind: .unseen, attempt: run.attempt.id, commit: commit,
                note: "\(run.attempt.note): \(text): \(tip)", at: clock.now()),
            of: run.attempt.pipeline)
        return false
    }
}
