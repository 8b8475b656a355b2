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
        ring()
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
        try Recovery(journal: journal, paths: paths, clock: clock, log: { _ in }).run([pipeline])
        guard let next = try gatekeeper.next(of: name, journal, looks: true) else { return }
        try deployer(journal, shutsDown: { false }, progress: { _ in }).run(next, of: pipeline)
    }

    // MARK: Rollback

    /// A commit that can be brought back: it was deployed, and its files are kept.
    public struct KeptCommit: Codable, Sendable, Equatable {
        /// The commit.
        public var commit: String
        /// The last attempt that deployed it.
        public var attempt: Int64
        /// The name of its snapshot.
        public var snapshot: String
        /// What it is of, see `Attempt.origin`.
        public var origin: String?
    }

    /// The commits of a pipeline that can be brought back, the newest deploy first.
    public func kept(_ name: String) throws(VoltError) -> [KeptCommit] {
        let journal = try journal()
        let directory = paths.snapshots(try journal.pipeline(name).name)
        return try journal.allDeployed(of: name).filter { Files.isDirectory("\(directory)/\($0.snapshot)") }
    }

    /// Queues a deploy of a commit that ran before, and holds the commits that it leaves behind.
    ///
    /// - Parameter wanted: the number of an attempt, a commit, or the start of one; nil for the commit that
    ///   was deployed before the one of now.
    /// - Returns: the number of the attempt.
    /// - Throws: `VoltError` with code `notFound`, which names the kept commits, or `usage` for what is no reference.
    public func queueRollback(_ name: String, to wanted: String?) throws(VoltError) -> Int64 {
        let journal = try journal()
        let pipeline = try journal.pipeline(name)
        let deployed = try journal.deployed(of: name)
        let target = try target(wanted, among: try kept(name), deployed: deployed, journal, pipeline)
        let short = target.commit.prefix(7)
        // An attempt that is named is the one whose images run again: its commit may have been deployed more than once.
        let limit = try wanted.flatMap { Int64($0) }.flatMap { (id) throws(VoltError) in
            try journal.attempt(id)?.snapshotName == target.snapshot ? id : nil
        }
        let images = try journal.images(of: target.snapshot, pipeline: name, upTo: limit)
        try checkImages(images, of: target, pipeline)
        let id = try journal.transaction { () throws(VoltError) in
            let id = try journal.accept(
                pipeline: name, trigger: .rollback, branch: pipeline.branch, commit: target.commit,
                origin: target.origin, note: "manual rollback to \(short)", target: target.commit,
                snapshot: target.snapshot, at: clock.now())
            try journal.setImages(images, attempt: id)
            try journal.release(target.commit, origin: target.origin, of: name)
            let poll = try journal.poll(of: name)
            let last = try journal.lastTracked(of: name)
            let behind = [
                (deployed?.commit, deployed?.origin), (poll.seen, poll.origin), (last?.commit, last?.origin),
            ]
            for case (let commit?, let origin) in behind
            where commit != target.commit || origin != nil && target.origin != nil && origin != target.origin
            {
                try journal.hold(
                    commit, origin: origin, of: name, configuration: nil,
                    reason: "\(short) was brought back in its place by attempt \(id)", at: clock.now())
            }
            try journal.dropRetry(of: name)
            return id
        }
        ring()
        return id
    }

    private func target(
        _ wanted: String?, among kept: [KeptCommit], deployed: Deployed?, _ journal: Journal,
        _ pipeline: Pipeline
    ) throws(VoltError) -> KeptCommit {
        let names = kept.prefix(10).map { "\($0.commit.prefix(7)) (attempt \($0.attempt))" }
        let hint = names.isEmpty ? "nothing was deployed yet" : "kept are \(names.joined(separator: ", "))"
        guard let wanted else {
            guard let before = kept.first(where: { $0.snapshot != deployed?.snapshot }) else {
                throw VoltError(
                    .notFound, "pipeline '\(pipeline.name)' has no earlier commit to go back to", hint: hint)
            }
            return before
        }
        let reference = CommitReference(wanted)
        if let number = reference.number, try journal.hasGiven(number: number) {
            return try target(attempt: number, among: kept, journal, pipeline, hint: hint)
        }
        guard !reference.isShort else {
            throw VoltError(
                .usage, "'\(wanted)' is too short for a commit",
                hint: "write at least \(CommitReference.shortest) characters of it; \(hint)")
        }
        let matches = kept.filter { reference.means($0.commit) }
        // The newest of one commit that was deployed from several places, or with several settings.
        guard Set(matches.map(\.commit)).count <= 1 else {
            throw VoltError(.usage, "'\(wanted)' is the start of several kept commits", hint: hint)
        }
        guard let match = matches.first else {
            throw VoltError(
                .notFound, "pipeline '\(pipeline.name)' keeps no deployed commit or attempt '\(wanted)'",
                hint: hint)
        }
        return match
    }

    /// What an attempt deployed, and never what another one did.
    private func target(
        attempt number: Int64, among kept: [KeptCommit], _ journal: Journal, _ pipeline: Pipeline,
        hint: String
    ) throws(VoltError) -> KeptCommit {
        guard let attempt = try journal.attempt(number) else {
            throw VoltError(.notFound, "attempt \(number) is no longer in the history", hint: hint)
        }
        guard attempt.pipeline == pipeline.name.text else {
            throw VoltError(
                .notFound,
                "attempt \(number) is of pipeline '\(attempt.pipeline)', not of '\(pipeline.name)'",
                hint: hint)
        }
        guard let commit = attempt.commit else {
            throw VoltError(.notFound, "attempt \(number) ended before its commit was known", hint: hint)
        }
        guard let match = kept.first(where: { $0.snapshot == attempt.snapshotName }) else {
            throw VoltError(
                .notFound,
                "commit \(commit.prefix(7)) of attempt \(number) was not deployed, or is no longer kept",
                hint: hint)
        }
        return match
    }
}
