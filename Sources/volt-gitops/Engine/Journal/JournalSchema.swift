/// The whole schema of the journal, as the steps that led to it. A step that was released is never changed: a journal on
/// disk has it behind it. The names of tables and columns are those of the version that made them.
enum JournalSchema {
    /// The steps in their order.
    static let migrations = [
        """
        CREATE TABLE pipelines (
            name TEXT PRIMARY KEY, settings TEXT NOT NULL, created INTEGER NOT NULL,
            polled INTEGER, poll_error TEXT, seen TEXT
        ) STRICT;
        CREATE TABLE attempts (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            pipeline TEXT NOT NULL REFERENCES pipelines(name) ON DELETE CASCADE,
            state TEXT NOT NULL, trigger TEXT NOT NULL, delivery TEXT, branch TEXT NOT NULL,
            old_commit TEXT, new_commit TEXT, note TEXT NOT NULL,
            accepted INTEGER NOT NULL, started INTEGER, finished INTEGER,
            child_pid INTEGER, child_start INTEGER
        ) STRICT;
        CREATE INDEX attempts_by_pipeline ON attempts(pipeline, id);
        CREATE INDEX attempts_open ON attempts(pipeline, id) WHERE finished IS NULL;
        CREATE INDEX attempts_by_delivery ON attempts(delivery) WHERE delivery IS NOT NULL;
        CREATE TABLE steps (
            attempt INTEGER NOT NULL REFERENCES attempts(id) ON DELETE CASCADE, state TEXT NOT NULL, at INTEGER NOT NULL
        ) STRICT;
        CREATE INDEX steps_by_attempt ON steps(attempt);
        CREATE TABLE log (
            attempt INTEGER NOT NULL REFERENCES attempts(id) ON DELETE CASCADE, line TEXT NOT NULL
        ) STRICT;
        CREATE INDEX log_by_attempt ON log(attempt);
        """,
        // Suspensions, verdicts, marks on attempts, and what queued attempts wait for.
        """
        CREATE TABLE suspensions (
            pipeline TEXT PRIMARY KEY REFERENCES pipelines(name) ON DELETE CASCADE,
            reason TEXT NOT NULL, actor TEXT NOT NULL, at INTEGER NOT NULL
        ) STRICT;
        CREATE TABLE verdicts (
            pipeline TEXT NOT NULL REFERENCES pipelines(name) ON DELETE CASCADE, commit_id TEXT NOT NULL,
            approved INTEGER NOT NULL, actor TEXT NOT NULL, reason TEXT NOT NULL, at INTEGER NOT NULL,
            PRIMARY KEY (pipeline, commit_id)
        ) STRICT;
        CREATE TABLE marks (
            attempt INTEGER NOT NULL REFERENCES attempts(id) ON DELETE CASCADE, mark TEXT NOT NULL,
            value TEXT NOT NULL, PRIMARY KEY (attempt, mark)
        ) STRICT;
        CREATE TABLE waits (
            attempt INTEGER PRIMARY KEY REFERENCES attempts(id) ON DELETE CASCADE, wait TEXT NOT NULL
        ) STRICT;
        CREATE TRIGGER waits_end AFTER UPDATE OF state ON attempts WHEN NEW.state <> 'accepted'
        BEGIN DELETE FROM waits WHERE attempt = NEW.id; END;
        CREATE TABLE drift (
            pipeline TEXT PRIMARY KEY REFERENCES pipelines(name) ON DELETE CASCADE, record TEXT NOT NULL
        ) STRICT;
        """,
        // The tables of what is told, and the totals for `/metrics`.
        """
        CREATE TABLE tidings (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            pipeline TEXT NOT NULL REFERENCES pipelines(name) ON DELETE CASCADE,
            attempt INTEGER, kind TEXT NOT NULL, commit_id TEXT, note TEXT NOT NULL, at INTEGER NOT NULL
        ) STRICT;
        CREATE TABLE outbox (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            pipeline TEXT NOT NULL REFERENCES pipelines(name) ON DELETE CASCADE,
            target TEXT NOT NULL, attempt INTEGER, kind TEXT NOT NULL, commit_id TEXT, note TEXT NOT NULL,
            at INTEGER NOT NULL, tries INTEGER NOT NULL DEFAULT 0, due INTEGER NOT NULL
        ) STRICT;
        CREATE INDEX outbox_by_due ON outbox(due);
        CREATE TABLE told (
            pipeline TEXT NOT NULL REFERENCES pipelines(name) ON DELETE CASCADE,
            commit_id TEXT NOT NULL, kind TEXT NOT NULL, at INTEGER NOT NULL,
            PRIMARY KEY (pipeline, commit_id, kind)
        ) STRICT;
        CREATE TRIGGER attempts_tell_start AFTER UPDATE OF new_commit ON attempts
        WHEN NEW.finished IS NULL AND NEW.state <> 'accepted' AND NEW.new_commit IS NOT NULL
            AND (SELECT json_type(settings, '$.notify') FROM pipelines WHERE name = NEW.pipeline) = 'object'
        BEGIN
            INSERT INTO tidings (pipeline, attempt, kind, commit_id, note, at)
            VALUES (NEW.pipeline, NEW.id, 'started', NEW.new_commit, NEW.note, coalesce(NEW.started, NEW.accepted));
        END;
        CREATE TRIGGER attempts_tell_end AFTER UPDATE OF finished ON attempts
        WHEN OLD.finished IS NULL AND NEW.finished IS NOT NULL
            AND (NEW.state <> 'superseded' OR OLD.state <> 'accepted')
            AND (SELECT json_type(settings, '$.notify') FROM pipelines WHERE name = NEW.pipeline) = 'object'
        BEGIN
            INSERT INTO tidings (pipeline, attempt, kind, commit_id, note, at)
            VALUES (NEW.pipeline, NEW.id, CASE NEW.state WHEN 'done' THEN 'success' ELSE NEW.state END,
                NEW.new_commit, NEW.note, NEW.finished);
        END;
        """,
        // Up to where the log was taken over.
        """
        CREATE TABLE drained (
            one INTEGER PRIMARY KEY, generation INTEGER NOT NULL, position INTEGER NOT NULL
        ) STRICT;
        """,
        """
        CREATE TABLE secret_uses (
            pipeline TEXT NOT NULL REFERENCES pipelines(name) ON DELETE CASCADE,
            digest TEXT NOT NULL, at INTEGER NOT NULL, PRIMARY KEY (pipeline, digest)
        ) STRICT, WITHOUT ROWID;
        """,
        // Decisions, holds, retries, and the files that an attempt changed.
        """
        ALTER TABLE attempts ADD COLUMN decision TEXT;
        ALTER TABLE attempts ADD COLUMN target TEXT;
        ALTER TABLE attempts ADD COLUMN configuration TEXT;
        ALTER TABLE pipelines ADD COLUMN unsettled INTEGER NOT NULL DEFAULT 0;
        CREATE TABLE holds (
            pipeline TEXT NOT NULL REFERENCES pipelines(name) ON DELETE CASCADE, revision TEXT NOT NULL,
            configuration TEXT, reason TEXT NOT NULL, at INTEGER NOT NULL, PRIMARY KEY (pipeline, revision)
        ) STRICT;
        CREATE TABLE retries (
            pipeline TEXT PRIMARY KEY REFERENCES pipelines(name) ON DELETE CASCADE, attempt INTEGER NOT NULL,
            revision TEXT, target TEXT, count INTEGER NOT NULL, due INTEGER NOT NULL
        ) STRICT;
        CREATE TABLE changes (
            attempt INTEGER NOT NULL REFERENCES attempts(id) ON DELETE CASCADE, kind TEXT NOT NULL,
            path TEXT NOT NULL
        ) STRICT;
        CREATE INDEX changes_by_attempt ON changes(attempt);
        """,
        // What is asked of a long history: what was deployed last, and how often a commit failed.
        """
        CREATE INDEX attempts_done ON attempts(pipeline, id) WHERE state = 'done';
        CREATE INDEX attempts_failed ON attempts(pipeline, new_commit) WHERE state = 'failed';
        """,
        // The entry of `migrations` that keeps what deleted pipelines have left on disk.
        """
        CREATE TABLE leftovers (
            id INTEGER PRIMARY KEY AUTOINCREMENT, pipeline TEXT NOT NULL, repo TEXT NOT NULL, workload TEXT,
            kind TEXT
        ) STRICT;
        """,
        // The tables of the totals, and the trigger that tells of attempts which wait for a person.
        """
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
        """,
        // What ends a hold, where that is not the usual.
        "ALTER TABLE holds ADD COLUMN advice TEXT",
        """
        CREATE TABLE images (
            attempt INTEGER NOT NULL REFERENCES attempts(id) ON DELETE CASCADE, name TEXT NOT NULL,
            digest TEXT NOT NULL, PRIMARY KEY (attempt, name)
        ) STRICT;
        """,
        // What commits are of, and their snapshots. Null is what an earlier Volt wrote: a snapshot that has the name of
        // its commit.
        """
        ALTER TABLE attempts ADD COLUMN origin TEXT;
        ALTER TABLE attempts ADD COLUMN snapshot TEXT;
        ALTER TABLE attempts ADD COLUMN shape TEXT;
        ALTER TABLE retries ADD COLUMN snapshot TEXT;
        ALTER TABLE retries ADD COLUMN origin TEXT;
        ALTER TABLE holds ADD COLUMN origin TEXT;
        ALTER TABLE verdicts ADD COLUMN origin TEXT;
        ALTER TABLE pipelines ADD COLUMN seen_origin TEXT;
        """,
        """
        CREATE TABLE strays (
            pipeline TEXT PRIMARY KEY REFERENCES pipelines(name) ON DELETE CASCADE,
            repository TEXT NOT NULL, expected TEXT NOT NULL, delivery TEXT, at INTEGER NOT NULL
        ) STRICT, WITHOUT ROWID;
        """,
        // The same as the triggers of the same names before, with the name of a rollback.
        """
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
        """,
    ]

    /// Indexes that took the place of others. They are no migration: every version reads a journal with them, also a
    /// server of the version before that still runs.
    ///
    /// A delivery is looked up among those that are in flight or were deployed. The others, thousands of one burst, cost no
    /// entry in an index whose keys come in no order.
    static let indexes = [
        """
        CREATE INDEX attempts_by_known_delivery ON attempts(delivery)
            WHERE delivery IS NOT NULL AND (finished IS NULL OR state = 'done')
        """,
        "DROP INDEX IF EXISTS attempts_by_delivery",
    ]
    static let areIndexesThere = "SELECT 1 FROM sqlite_schema WHERE name = 'attempts_by_known_delivery'"
}
