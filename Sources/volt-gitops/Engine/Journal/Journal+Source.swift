internal import VoltCore
internal import VoltSQLite

extension Journal {
    /// What was deployed last; nil before the first deploy.
    func deployed(of pipeline: String) throws(VoltError) -> Deployed? {
        try database.rows(
            """
            SELECT id, new_commit, snapshot, origin, shape, configuration FROM attempts
            WHERE pipeline = ? AND state = 'done' ORDER BY id DESC LIMIT 1
            """, .text(pipeline)
        ) { row in
            row.optionalText(1).map { commit in
                Deployed(
                    attempt: row.integer(0), commit: commit, snapshot: row.optionalText(2) ?? commit,
                    origin: row.optionalText(3), shape: row.optionalText(4),
                    configuration: row.optionalText(5))
            }
        }.first ?? nil
    }

    /// Everything that was deployed, each snapshot once, the newest first, with the last attempt that did it.
    func allDeployed(of pipeline: String) throws(VoltError) -> [Gitops.KeptCommit] {
        try database.rows(
            """
            SELECT new_commit, max(id), coalesce(snapshot, new_commit) AS name, origin FROM attempts
            WHERE pipeline = ? AND state = 'done' AND new_commit NOT NULL GROUP BY name ORDER BY max(id) DESC
            """, .text(pipeline)
        ) {
            Gitops.KeptCommit(
                commit: $0.text(0), attempt: $0.integer(1), snapshot: $0.text(2), origin: $0.optionalText(3))
        }
    }

    /// The rollback that left a kept commit behind; nil when another deploy came after it, or none.
    func rollback(from kept: Gitops.KeptCommit, of pipeline: String) throws(VoltError) -> Int64? {
        try database.rows(
            """
            SELECT id, trigger FROM attempts WHERE pipeline = ? AND state = 'done' AND id > ?
            AND coalesce(snapshot, new_commit) <> ? ORDER BY id LIMIT 1
            """, .text(pipeline), .integer(kept.attempt), .text(kept.snapshot)
        ) { $0.text(1) == Trigger.rollback.rawValue ? $0.integer(0) : nil }.first ?? nil
    }

    /// Completes what an earlier Volt wrote about a deployed commit.
    func adopt(_ deployed: Deployed, origin: String, shape: String) throws(VoltError) {
        try database.execute(
            "UPDATE attempts SET origin = ?, shape = ?, snapshot = coalesce(snapshot, new_commit) WHERE id = ?",
            .text(origin), .text(shape), .integer(deployed.attempt))
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
}
