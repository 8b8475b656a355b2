internal import Glibc
public import VoltCore
internal import VoltSystem

extension Gitops {
    // MARK: Sync

    /// Queues a deploy of the tip.
    ///
    /// - Parameter forced: whether a hold on the commit, a suspension, deploy windows and pipelines that come
    ///   first do not keep it back.
    /// - Returns: the number of the attempt.
    public func queueSync(_ name: String, forced: Bool = false) throws(VoltError) -> Int64 {
        let journal = try journal()
        let pipeline = try journal.pipeline(name)
        if !forced { try refuseSuspended(name, journal) }
        let id = try journal.transaction { () throws(VoltError) in
            let id = try journal.accept(
                pipeline: name, trigger: .manual, branch: pipeline.branch, commit: nil,
                note: forced ? "manual sync (forced)" : "manual sync", at: clock.now())
            if forced { try journal.mark(id, .forced) }
            return id
        }
        wakeServer()
        return id
    }

    /// Waits until an attempt has ended: a running server works on it, or this process does.
    ///
    /// - Parameter progress: told each state the attempt enters.
    /// - Returns: the attempt as it ended.
    public func wait(for id: Int64, progress: @escaping @Sendable (String) -> Void) throws(VoltError)
        -> Attempt
    {
        let journal = try journal()
        var shown = 0
        while true {
            guard let attempt = try journal.attempt(id) else {
                throw VoltError(.notFound, "attempt \(id) is gone: its pipeline was deleted")
            }
            let steps = try journal.steps(of: id)
            for step in steps.dropFirst(shown) { progress(step.state.rawValue) }
            shown = steps.count
            if attempt.finishedAt == nil, attempt.wait?.isLong == true { return attempt }
            // Without a server nobody else would bring back what a failed attempt has left down.
            let next = try journal.nextQueued(of: attempt.pipeline)
            let hasMore = attempt.finishedAt == nil || next?.target != nil
            if hasMore, let lock = try? FileLock.tryLock(paths.lock) {
                try workAlone(on: attempt.pipeline, journal)
                _ = consume lock
            }
            if attempt.finishedAt != nil { return attempt }
            usleep(50_000)
        }
    }

    /// Does what a server would do for a pipeline, once.
    private func workAlone(on name: String, _ journal: Journal) throws(VoltError) {
        let pipeline = try journal.pipeline(name)
        try Recovery(journal: journal, paths: paths, kinds: kinds, clock: clock, log: { _ in }).run([pipeline]
        )
        let turn = try gatekeeper.turn(of: name, journal, looks: true)
        guard let next = try journal.settle(turn, at: clock.now()) else { return }
        try deployer(journal, shutsDown: { false }, progress: { _ in }).run(next, of: pipeline)
    }
}
