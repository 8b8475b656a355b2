internal import FoundationEssentials
public import VoltCore
internal import VoltSQLite

/// What was found when the workloads were looked at last, and what was done about it.
public struct DriftStore {
    let database: Database

    /// What the last look at a pipeline's workload found; nil when nobody has looked.
    public func last(of pipeline: String) throws(VoltError) -> DriftRecord? {
        try database.text("SELECT record FROM drift WHERE pipeline = ?", .text(pipeline)).flatMap {
            try? JSONDecoder().decode(DriftRecord.self, from: Data($0.utf8))
        }
    }

    /// Keeps the result of a look, unless the pipeline is gone.
    func keep(_ record: DriftRecord, of pipeline: String) throws(VoltError) {
        try database.execute(
            "INSERT OR REPLACE INTO drift (pipeline, record) SELECT name, ? FROM pipelines WHERE name = ?",
            .text(try Journal.json(record)), .text(pipeline))
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
