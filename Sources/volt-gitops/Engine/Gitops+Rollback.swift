public import VoltCore
internal import VoltSystem

extension Gitops {
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

    /// A rollback that was queued.
    public struct QueuedRollback: Sendable, Equatable {
        /// The number of its attempt.
        public var attempt: Int64
        /// What people should know of the commits that were passed over, or of the one that was named.
        public var notices: [String]
    }

    /// The commits of a pipeline that can be brought back, the newest deploy first.
    public func kept(_ name: String) throws(VoltError) -> [KeptCommit] {
        let journal = try journal()
        let directory = paths.snapshots(try journal.pipeline(name).name)
        return try journal.allDeployed(of: name).filter { Files.isDirectory("\(directory)/\($0.snapshot)") }
    }

    /// Queues a deploy of a commit that ran before, and holds the commits that it leaves behind.
    ///
    /// - Parameter wanted: the number of an attempt, a commit, or the start of one; nil for the last good commit
    ///   before the one of now: what is held, or was left behind by a rollback, is passed over.
    /// - Throws: `VoltError` with code `notFound`, which names the kept commits, or `usage` for what is no reference.
    public func queueRollback(_ name: String, to wanted: String?) throws(VoltError) -> QueuedRollback {
        let journal = try journal()
        let pipeline = try journal.pipeline(name)
        let deployed = try journal.deployed(of: name)
        let kept = try kept(name)
        let others = kept.filter { $0.snapshot != deployed?.snapshot }
        var bad: [String: String] = [:]
        for other in others { bad[other.snapshot] = try reasonToPassOver(other, pipeline, journal) }
        let target = try target(wanted, among: kept, others: others, bad: bad, journal, pipeline)
        let short = target.commit.prefix(7)
        // An attempt that is named is the one whose images run again: its commit may have been deployed more than once.
        let limit = try wanted.flatMap { Int64($0) }.flatMap { (id) throws(VoltError) in
            try journal.attempt(id)?.snapshotName == target.snapshot ? id : nil
        }
        let images = try journal.images(of: target.snapshot, pipeline: name, upTo: limit)
        try checkImages(images, of: target, pipeline)
        // The newest come first: what stands before the target was passed over.
        let passed = wanted == nil ? Array(others.prefix { $0.snapshot != target.snapshot }) : []
        let past =
            passed.isEmpty
            ? "" : " past \(passed.map { String($0.commit.prefix(7)) }.joined(separator: ", "))"
        let id = try journal.transaction { () throws(VoltError) in
            let id = try journal.accept(
                pipeline: name, trigger: .rollback, branch: pipeline.branch, commit: target.commit,
                origin: target.origin, note: "manual rollback to \(short)\(past)", target: target.commit,
                snapshot: target.snapshot, at: clock.now())
            try journal.setImages(images, attempt: id)
            try journal.holds.release(target.commit, origin: target.origin, of: name)
            let poll = try journal.poll(of: name)
            let last = try journal.lastTracked(of: name)
            // A tip that was seen before the last attempt followed the branch is older than that one.
            let isTip = last.map { last in poll.at.map { $0 >= last.acceptedAt } ?? false } ?? true
            let behind = [
                (deployed?.commit, deployed?.origin), isTip ? (poll.seen, poll.origin) : (nil, nil),
                (last?.commit, last?.origin),
            ]
            for case (let commit?, let origin) in behind
            where commit != target.commit || origin != nil && target.origin != nil && origin != target.origin
            {
                try journal.holds.hold(
                    commit, origin: origin, of: name, configuration: nil,
                    reason: "\(short) was brought back in its place by attempt \(id)", at: clock.now())
            }
            try journal.dropRetry(of: name)
            return id
        }
        wakeServer()
        var notices = passed.map { "passed over \($0.commit.prefix(7)), which \(bad[$0.snapshot] ?? "")" }
        if let reason = bad[target.snapshot] {
            notices.append("warning: \(short) \(reason); it is brought back because it was named")
        }
        return QueuedRollback(attempt: id, notices: notices)
    }

    /// Why a commit is not gone back to unless it is named, in words that follow it; nil for a good one.
    private func reasonToPassOver(_ kept: KeptCommit, _ pipeline: Pipeline, _ journal: Journal)
        throws(VoltError)
        -> String?
    {
        let name = pipeline.name.text
        if let hold = try journal.holds.hold(
            of: kept.commit, origin: kept.origin, pipeline: name, configuration: pipeline.configuration)
        {
            return "was held: \(hold.reason)"
        }
        // A newer commit ends the holds, and makes nothing good that was left behind.
        return try journal.rollback(from: kept, of: name).map {
            "was left behind by the rollback of attempt \($0)"
        }
    }

    private func target(
        _ wanted: String?, among kept: [KeptCommit], others: [KeptCommit], bad: [String: String],
        _ journal: Journal, _ pipeline: Pipeline
    ) throws(VoltError) -> KeptCommit {
        let names = kept.prefix(10).map { "\($0.commit.prefix(7)) (attempt \($0.attempt))" }
        let hint = names.isEmpty ? "nothing was deployed yet" : "kept are \(names.joined(separator: ", "))"
        guard let wanted else {
            guard !others.isEmpty else {
                throw VoltError(
                    .notFound, "pipeline '\(pipeline.name)' has no earlier commit to go back to", hint: hint)
            }
            guard let good = others.first(where: { bad[$0.snapshot] == nil }) else {
                let names = others.prefix(10).map { "\($0.commit.prefix(7)) \(bad[$0.snapshot] ?? "")" }
                throw VoltError(
                    .notFound,
                    "pipeline '\(pipeline.name)' has no earlier commit that was good: \(names.joined(separator: "; "))",
                    hint: "name one with --to to bring it back all the same")
            }
            return good
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
