internal import FoundationEssentials
public import VoltCore
internal import VoltSQLite

extension Journal {
    /// What the last look at a pipeline's workload found; nil when nobody has looked.
    public func drift(of pipeline: String) throws(VoltError) -> DriftRecord? {
        try database.text("SELECT record FROM drift WHERE pipeline = ?", .text(pipeline)).flatMap {
            try? JSONDecoder().decode(DriftRecord.self, from: Data($0.utf8))
        }
    }

    /// What the last look found, when nothing has been deployed since and something differs.
    public func currentDrift(of pipeline: String) throws(VoltError) -> DriftRecord? {
        guard let record = try drift(of: pipeline), record.isDrifted,
            try lastApplied(of: pipeline)?.id == record.attempt
        else { return nil }
        return record
    }

    func keep(_ record: DriftRecord, of pipeline: String) throws(VoltError) {
        try database.execute(
            "INSERT OR REPLACE INTO drift (pipeline, record) SELECT name, ? FROM pipelines WHERE name = ?",
            .text(try Self.json(record)), .text(pipeline))
    }

    /// The last successful attempt that reached the workload, and did not end as deployed already.
    func lastApplied(of pipeline: String) throws(VoltError) -> Attempt? {
        let id = try database.integer(
            """
            SELECT id FROM attempts WHERE pipeline = ? AND state = 'done' AND (
                EXISTS (SELECT 1 FROM steps WHERE attempt = attempts.id AND state <> 'fetching')
                OR EXISTS (SELECT 1 FROM marks WHERE attempt = attempts.id AND mark = 'pruned'))
            ORDER BY id DESC LIMIT 1
            """, .text(pipeline))
        guard let id else { return nil }
        return try attempt(id)
    }

    /// The repairs since the last success that was none, the oldest first.
    func repairs(of pipeline: String) throws(VoltError) -> [DriftRules.Repair] {
        try database.rows(
            """
            SELECT state, finished FROM attempts
            WHERE pipeline = ?1 AND trigger = 'drift' AND state IN ('done', 'failed') AND finished IS NOT NULL
            AND id > coalesce(
                (SELECT max(id) FROM attempts WHERE pipeline = ?1 AND trigger <> 'drift' AND state = 'done'), 0)
            ORDER BY id DESC LIMIT 20
            """, .text(pipeline)
        ) {
            DriftRules.Repair(
                succeeded: $0.text(0) == "done", ended: Timestamp(milliseconds: $0.integer(1)))
        }.reversed()
    }
}
