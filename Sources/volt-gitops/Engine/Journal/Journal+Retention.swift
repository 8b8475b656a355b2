internal import VoltCore
internal import VoltSQLite

extension Journal {
    /// How much history a pipeline keeps.
    struct Retention: Sendable {
        /// The newest attempts, whatever their age.
        var attempts: Int64 = 1000
        /// Everything younger, but attempts that a newer one took the place of before they began.
        var age = Duration.seconds(90 * 86_400)
        /// The newest successes, whatever their age: the running commit is among them.
        var successes: Int64 = 20
        /// Attempts a transaction removes, so that a delivery never waits long for the disk.
        var batch: Int64 = 500
    }

    /// Removes the attempts of a pipeline that are too old, with their steps and logs.
    ///
    /// - Returns: how many.
    @discardableResult
    func prune(_ pipeline: String, at now: Timestamp, keeping limit: Retention = Retention())
        throws(VoltError) -> Int
    {
        guard
            let newest = try database.integer(
                "SELECT id FROM attempts WHERE pipeline = ? ORDER BY id DESC LIMIT 1 OFFSET ?",
                .text(pipeline), .integer(limit.attempts - 1))
        else { return 0 }
        let success =
            try database.integer(
                """
                SELECT id FROM attempts WHERE pipeline = ? AND state = 'done'
                ORDER BY id DESC LIMIT 1 OFFSET ?
                """, .text(pipeline), .integer(limit.successes - 1)) ?? 0
        let oldest = now.milliseconds - limit.age.milliseconds
        var removed = 0
        while true {
            try database.execute(
                """
                DELETE FROM attempts WHERE id IN (
                    SELECT id FROM attempts WHERE pipeline = ?1 AND id < ?2 AND finished IS NOT NULL
                        AND (finished < ?3 OR state = 'superseded' AND started IS NULL)
                        AND NOT (state = 'done' AND id >= ?4)
                    ORDER BY id LIMIT ?5)
                """, .text(pipeline), .integer(newest), .integer(oldest), .integer(success),
                .integer(limit.batch))
            removed += database.changes
            if database.changes < Int(limit.batch) { return removed }
        }
    }
}
