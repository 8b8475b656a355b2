internal import VoltCore

/// A rollback that nobody asked for is no success like another: what is told and counted of it has a name of its own.
extension Journal {
    /// Queues a deploy of the last good commit that nobody asked for.
    ///
    /// - Returns: its number.
    func acceptRollback(to good: Deployed, of pipeline: Pipeline, note: String, at: Timestamp)
        throws(VoltError) -> Int64
    {
        try transaction { () throws(VoltError) in
            let id = try accept(
                pipeline: pipeline.name.text, trigger: .rollback, branch: pipeline.branch,
                commit: good.commit, origin: good.origin, note: note, target: good.commit,
                snapshot: good.snapshot, at: at)
            try mark(id, .automatic)
            return id
        }
    }
}
