internal import GitopsSource
public import VoltCore
internal import VoltSQLite

extension Journal {
    /// What the next commit of a pipeline has to fulfil; nil for nothing. The parameters are those of
    /// `Pipeline.conditions`.
    func conditions(of pipeline: Pipeline, isAsked: Bool = false, isForced: Bool = false) throws(VoltError)
        -> SourceConditions?
    {
        guard pipeline.track != nil else { return nil }
        let name = pipeline.name.text
        // What was cut off has to be brought to an end, and other settings make something else of the commit, whatever
        // files have changed.
        let isInterrupted = try isInterrupted(name)
        let isReshaped = try deployed(of: name)?.isReshaped(by: pipeline) == true
        return pipeline.conditions(
            deployed: try deployedCommit(of: name),
            tag: try deployedRef(of: name).flatMap(TrackOptions.tag(inShown:)),
            isAsked: isAsked || isInterrupted || isReshaped, isForced: isForced)
    }

    /// Keeps which ref an attempt took, as people read it.
    func setRef(_ shown: String, attempt id: Int64) throws(VoltError) {
        try database.execute("UPDATE attempts SET branch = ? WHERE id = ?", .text(shown), .integer(id))
    }

    /// The ref by which the deployed commit came, as people read it; nil before the first deploy.
    public func deployedRef(of pipeline: String) throws(VoltError) -> String? {
        guard let commit = try deployedCommit(of: pipeline) else { return nil }
        return try database.text(
            """
            SELECT branch FROM attempts WHERE pipeline = ? AND new_commit = ? AND state = 'done'
            AND trigger <> 'rollback' ORDER BY id DESC LIMIT 1
            """, .text(pipeline), .text(commit))
    }

    /// Ends a hold that was made because a commit did not fulfil what the pipeline asked for.
    func releaseDeclined(_ commit: String, of pipeline: Pipeline) throws(VoltError) {
        let name = pipeline.name.text
        guard
            let hold = try holds.hold(
                of: commit, origin: nil, pipeline: name, configuration: pipeline.configuration),
            try database.integer(
                """
                SELECT 1 FROM attempts JOIN marks ON marks.attempt = attempts.id
                WHERE pipeline = ? AND new_commit = ? AND mark = 'declined' AND value = ? LIMIT 1
                """, .text(name), .text(commit), .text(hold.reason)) != nil
        else { return }
        try holds.release(commit, of: name)
    }

    /// The snapshots of commits that ended as done without ever being applied, because no file that matters had
    /// changed.
    func skippedSnapshots(of pipeline: String) throws(VoltError) -> [String] {
        try database.rows(
            """
            SELECT coalesce(snapshot, new_commit) AS name FROM attempts
            WHERE pipeline = ? AND state = 'done' AND new_commit IS NOT NULL GROUP BY name
            HAVING count(*) = sum(EXISTS (SELECT 1 FROM marks WHERE attempt = attempts.id AND mark = 'skipped'))
            """, .text(pipeline)
        ) { $0.text(0) }
    }
}
