internal import VoltCore
internal import VoltSystem
internal import VoltWorkloadTool

/// Deals with the attempts that a server which died has left open.
struct Recovery {
    /// An attempt that took down as many servers is not tried again.
    static let resumeLimit = 3

    let journal: Journal
    let paths: GitopsPaths
    let kinds: WorkloadKinds
    let clock: any WallClock
    let log: (String) -> Void

    /// Ends the processes that still work on them, and queues each attempt again or closes it. Where none is
    /// left that would settle a deploy that was cut off, the last good commit is applied again.
    ///
    /// - Parameter pipelines: those to look at.
    func run(_ pipelines: [Pipeline]) throws(VoltError) {
        for pipeline in pipelines {
            let orphans = OrphanedApply(snapshots: paths.snapshots(pipeline.name)) {
                log("\(pipeline.name): \($0)")
            }
            orphans.end(known: nil)
            for attempt in try journal.open(of: pipeline.name.text) where attempt.state != .accepted {
                orphans.end(known: try journal.child(of: attempt.id))
                try resume(attempt, of: pipeline)
            }
            try settle(pipeline)
            try KindChange(journal: journal, reader: WorkloadReader(paths: paths, kinds: kinds))
                .finish(pipeline) { log("\(pipeline.name): \($0)") }
        }
    }

    private func resume(_ attempt: Attempt, of pipeline: Pipeline) throws(VoltError) {
        let resumes = try journal.steps(of: attempt.id).filter { $0.state == .fetching }.count
        guard resumes < Self.resumeLimit else {
            try journal.finish(
                attempt.id, as: .interrupted,
                note: "\(attempt.note), interrupted: the server died \(resumes) times at it",
                decision:
                    "interrupted while \(attempt.state.rawValue) because the server died \(resumes) times at it",
                at: clock.now())
            return log("\(pipeline.name): attempt \(attempt.id) is closed as interrupted")
        }
        let note = attempt.note.hasSuffix(", resumed") ? attempt.note : "\(attempt.note), resumed"
        try journal.requeue(attempt.id, note: note)
        log(
            "\(pipeline.name): attempt \(attempt.id) was \(attempt.state.rawValue) when the server died; it is resumed"
        )
    }

    private func settle(_ pipeline: Pipeline) throws(VoltError) {
        let name = pipeline.name.text
        guard try journal.isInterrupted(name), try journal.open(of: name).isEmpty,
            let good = try journal.deployed(of: name),
            // A rollback that took down the server as well is left to people.
            let last = try journal.history(of: name, limit: 1).first, last.trigger != .rollback
        else { return }
        let id = try journal.acceptRollback(
            to: good, of: pipeline, note: "rollback of attempt \(last.id), which was cut off",
            at: clock.now())
        log("\(name): attempt \(id) brings back \(good.commit.prefix(7))")
    }
}
