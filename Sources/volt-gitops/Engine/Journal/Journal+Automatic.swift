internal import VoltCore

/// A way back that nobody asked for is no success like another: what is told and counted of it has a name of its own.
extension Journal {
    /// The same as the triggers of the same names before, with the name of a way back.
    static let automaticMigration = """
        DROP TRIGGER attempts_tell_end;
        CREATE TRIGGER attempts_tell_end AFTER UPDATE OF finished ON attempts
        WHEN OLD.finished IS NULL AND NEW.finished IS NOT NULL
            AND (NEW.state <> 'superseded' OR OLD.state <> 'accepted')
            AND (SELECT json_type(settings, '$.notify') FROM pipelines WHERE name = NEW.pipeline) = 'object'
        BEGIN
            INSERT INTO tidings (pipeline, attempt, kind, commit_id, note, at)
            VALUES (NEW.pipeline, NEW.id,
                CASE WHEN NEW.state <> 'done' THEN NEW.state
                    WHEN EXISTS (SELECT 1 FROM marks WHERE attempt = NEW.id AND mark = 'automatic')
                    THEN 'rolled-back' ELSE 'success' END,
                NEW.new_commit, NEW.note, NEW.finished);
        END;
        DROP TRIGGER attempts_count;
        CREATE TRIGGER attempts_count AFTER UPDATE OF finished ON attempts
        WHEN OLD.finished IS NULL AND NEW.finished IS NOT NULL
        BEGIN
            INSERT INTO totals VALUES (NEW.pipeline,
                CASE WHEN NEW.state = 'done'
                    AND EXISTS (SELECT 1 FROM marks WHERE attempt = NEW.id AND mark = 'automatic')
                    THEN 'rolled-back' ELSE NEW.state END, 1, NEW.finished)
                ON CONFLICT (pipeline, name) DO UPDATE SET count = count + 1, last = excluded.last;
            UPDATE durations SET count = count + 1, sum = sum + max(0, NEW.finished - NEW.started)
                WHERE NEW.started IS NOT NULL AND le >= NEW.finished - NEW.started;
        END;
        """

    /// Queues a deploy of the last good commit that nobody asked for.
    ///
    /// - Returns: its number.
    func acceptWayBack(to good: Deployed, of pipeline: Pipeline, note: String, at: Timestamp)
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
