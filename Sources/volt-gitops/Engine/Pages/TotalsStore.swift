internal import VoltCore
internal import VoltSQLite

/// The counters that `/metrics` and the status page read. Triggers keep them, so that no scrape counts the history.
struct TotalsStore {
    let database: Database

    /// A counter that never goes back while its pipeline exists.
    struct Total: Sendable, Equatable {
        var pipeline: String
        /// The state of an attempt, or `poll_error`.
        var name: String
        var count: Int64
        /// When it was counted last.
        var last: Timestamp
    }

    /// The counters of all pipelines.
    func all() throws(VoltError) -> [Total] {
        try database.rows("SELECT pipeline, name, count, last FROM totals ORDER BY pipeline, name") {
            Total(
                pipeline: $0.text(0), name: $0.text(1), count: $0.integer(2),
                last: Timestamp(milliseconds: $0.integer(3)))
        }
    }

    /// How many attempts took at most so many milliseconds, and how long those took together; the last row
    /// is that of all.
    func durations() throws(VoltError) -> [(limit: Int64, count: Int64, sum: Int64)] {
        try database.rows("SELECT le, count, sum FROM durations ORDER BY le") {
            ($0.integer(0), $0.integer(1), $0.integer(2))
        }
    }

    /// The pipelines, how many attempts of each wait, and how many are under way.
    func queues() throws(VoltError) -> [(pipeline: String, waiting: Int64, running: Int64)] {
        // By the index of the open attempts.
        try database.rows(
            """
            SELECT name,
                (SELECT count(*) FROM attempts WHERE pipeline = name AND finished IS NULL AND state = 'accepted'),
                (SELECT count(*) FROM attempts WHERE pipeline = name AND finished IS NULL AND state <> 'accepted')
            FROM pipelines ORDER BY name
            """
        ) { ($0.text(0), $0.integer(1), $0.integer(2)) }
    }
}
