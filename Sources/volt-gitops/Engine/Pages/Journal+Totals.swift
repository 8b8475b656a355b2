internal import VoltCore
internal import VoltSQLite

// What `/metrics` and the status page read. The totals are kept by triggers, so that no scrape counts
// the history.
extension Journal {
    /// The tables of the totals, and the trigger that tells of attempts which wait for a person.
    static let totalsMigration = """
        CREATE TABLE totals (
            pipeline TEXT NOT NULL REFERENCES pipelines(name) ON DELETE CASCADE,
            name TEXT NOT NULL, count INTEGER NOT NULL, last INTEGER NOT NULL,
            PRIMARY KEY (pipeline, name)
        ) STRICT, WITHOUT ROWID;
        INSERT INTO totals SELECT pipeline, state, count(*), max(finished) FROM attempts
            WHERE finished IS NOT NULL GROUP BY pipeline, state;
        CREATE TABLE durations (le INTEGER PRIMARY KEY, count INTEGER NOT NULL, sum INTEGER NOT NULL) STRICT;
        INSERT INTO durations VALUES (1000, 0, 0), (2000, 0, 0), (5000, 0, 0), (10000, 0, 0), (30000, 0, 0),
            (60000, 0, 0), (120000, 0, 0), (300000, 0, 0), (600000, 0, 0), (1800000, 0, 0),
            (9223372036854775807, 0, 0);
        CREATE TRIGGER attempts_count AFTER UPDATE OF finished ON attempts
        WHEN OLD.finished IS NULL AND NEW.finished IS NOT NULL
        BEGIN
            INSERT INTO totals VALUES (NEW.pipeline, NEW.state, 1, NEW.finished)
                ON CONFLICT (pipeline, name) DO UPDATE SET count = count + 1, last = excluded.last;
            UPDATE durations SET count = count + 1, sum = sum + max(0, NEW.finished - NEW.started)
                WHERE NEW.started IS NOT NULL AND le >= NEW.finished - NEW.started;
        END;
        CREATE TRIGGER waits_tell BEFORE INSERT ON waits
        WHEN json_extract(NEW.wait, '$.kind') = 'approval'
            AND NOT EXISTS (SELECT 1 FROM waits WHERE attempt = NEW.attempt
                AND json_extract(wait, '$.kind') = 'approval')
        BEGIN
            INSERT INTO tidings (pipeline, attempt, kind, commit_id, note, at)
            SELECT pipeline, id, 'approval', new_commit, json_extract(NEW.wait, '$.reason'), accepted
            FROM attempts WHERE id = NEW.attempt AND (SELECT json_type(settings, '$.notify')
                FROM pipelines WHERE name = attempts.pipeline) = 'object';
        END;
        CREATE TRIGGER polls_count AFTER UPDATE OF polled ON pipelines WHEN NEW.poll_error IS NOT NULL
        BEGIN
            INSERT INTO totals VALUES (NEW.name, 'poll_error', 1, coalesce(NEW.polled, 0))
                ON CONFLICT (pipeline, name) DO UPDATE SET count = count + 1, last = excluded.last;
        END;
        """

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
    func totals() throws(VoltError) -> [Total] {
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
