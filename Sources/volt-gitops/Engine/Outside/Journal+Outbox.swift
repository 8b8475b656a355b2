internal import FoundationEssentials
internal import GitopsMessage
internal import VoltCore
internal import VoltSQLite

// Triggers write what is to be told, so that it is in the transaction of the state change, whoever makes
// that: nothing is told that did not happen, and nothing that happened is forgotten by a kill.
extension Journal {
    /// The tables of what is told, and the totals for `/metrics`.
    static let outsideMigration = """
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
        """

    /// Writes something to tell that is not the end of an attempt, in the transaction that is open.
    func tell(_ tiding: Tiding, of pipeline: String) throws(VoltError) {
        guard let settings = try self.pipeline(pipeline).notify, !settings.isEmpty else { return }
        try database.execute(
            "INSERT INTO tidings (pipeline, attempt, kind, commit_id, note, at) VALUES (?, ?, ?, ?, ?, ?)",
            .text(pipeline), SQLValue(tiding.attempt), .text(tiding.kind.rawValue), SQLValue(tiding.commit),
            .text(String(tiding.note.prefix(1000))), .integer(tiding.at.milliseconds))
    }

    /// A message that waits in the outbox.
    struct Letter: Sendable, Equatable {
        var id: Int64
        var pipeline: String
        /// `status`, or the id of a `NotifyTarget`.
        var target: String
        var tiding: Tiding
        /// How often it was tried.
        var tries: Int
    }

    /// The name of the commit status among the targets.
    static let statusTarget = "status"

    /// The same is not told again within this time, however the pipeline went back and forth.
    static let quiet = Duration.seconds(300)

    /// Makes letters of what is to be told: one for each who wants it, all in one transaction.
    func spreadTidings(at now: Timestamp) throws(VoltError) {
        // The usual case costs one look at an empty table.
        guard try database.integer("SELECT 1 FROM tidings LIMIT 1") != nil else { return }
        try transaction { () throws(VoltError) in
            let rows = try database.rows(
                "SELECT id, pipeline, attempt, kind, commit_id, note, at FROM tidings ORDER BY id LIMIT 500"
            ) { row in (row.integer(0), row.text(1), Self.tiding(row, from: 2)) }
            for (id, name, tiding) in rows {
                if let tiding, let settings = try self.pipeline(name).notify {
                    try spread(tiding, of: name, settings, now)
                }
                try database.execute("DELETE FROM tidings WHERE id = ?", .integer(id))
            }
        }
    }

    private static func tiding(_ row: Row, from column: Int) -> Tiding? {
        // A kind that this version does not know says nothing.
        guard let kind = Tiding.Kind(rawValue: row.text(column + 1)) else { return nil }
        return Tiding(
            kind: kind, attempt: row.optionalInteger(column), commit: row.optionalText(column + 2),
            note: row.text(column + 3), at: Timestamp(milliseconds: row.integer(column + 4)))
    }

    private func spread(_ tiding: Tiding, of name: String, _ settings: NotifySettings, _ now: Timestamp)
        throws(VoltError)
    {
        if settings.status != nil, let commit = tiding.commit, tiding.kind != .drift, tiding.kind != .test {
            // Only the newest state of a commit counts.
            try database.execute(
                "DELETE FROM outbox WHERE pipeline = ? AND target = ? AND commit_id = ?", .text(name),
                .text(Self.statusTarget), .text(commit))
            try post(tiding, of: name, to: Self.statusTarget, now)
        }
        guard tiding.kind != .started, tiding.kind != .superseded,
            try isNews(tiding, of: name, onlyFailures: settings.onlyFailures)
        else { return }
        for target in settings.targets { try post(tiding, of: name, to: target.id, now) }
    }

    private func post(_ tiding: Tiding, of name: String, to target: String, _ now: Timestamp)
        throws(VoltError)
    {
        try database.execute(
            """
            INSERT INTO outbox (pipeline, target, attempt, kind, commit_id, note, at, due)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?)
            """, .text(name), .text(target), SQLValue(tiding.attempt), .text(tiding.kind.rawValue),
            SQLValue(tiding.commit), .text(tiding.note), .integer(tiding.at.milliseconds),
            .integer(now.milliseconds))
    }

    /// Whether people want to hear it: not what was said last, and no failure again that was said a moment
    /// ago. The last word is always right: a success after a failure is said. Keeps what is said.
    private func isNews(_ tiding: Tiding, of name: String, onlyFailures: Bool) throws(VoltError) -> Bool {
        let commit = tiding.commit ?? ""
        let last = try database.rows(
            "SELECT kind, commit_id FROM told WHERE pipeline = ? ORDER BY at DESC, rowid DESC LIMIT 1",
            .text(name)
        ) { (kind: $0.text(0), commit: $0.text(1)) }.first
        if let last, last.kind == tiding.kind.rawValue, last.commit == commit { return false }
        let isRecovery =
            tiding.kind == .success && last.flatMap { Tiding.Kind(rawValue: $0.kind) }?.isBad == true
        let same = try database.integer(
            "SELECT at FROM told WHERE pipeline = ? AND commit_id = ? AND kind = ?", .text(name),
            .text(commit), .text(tiding.kind.rawValue))
        let isRecent = same.map { tiding.at.milliseconds - $0 < Self.quiet.milliseconds } ?? false
        if isRecent, !isRecovery { return false }
        // What is a day old is remembered only as the last word, which is replaced here.
        try database.execute(
            "DELETE FROM told WHERE pipeline = ? AND at < ?", .text(name),
            .integer(tiding.at.milliseconds - 86_400_000))
        try database.execute(
            "INSERT OR REPLACE INTO told (pipeline, commit_id, kind, at) VALUES (?, ?, ?, ?)", .text(name),
            .text(commit), .text(tiding.kind.rawValue), .integer(tiding.at.milliseconds))
        return !onlyFailures || tiding.kind != .success || isRecovery
    }

    /// The letters whose time has come, the oldest first.
    func dueLetters(at now: Timestamp, limit: Int) throws(VoltError) -> [Letter] {
        try database.rows(
            """
            SELECT id, pipeline, target, attempt, kind, commit_id, note, at, tries FROM outbox
            WHERE due <= ? ORDER BY id LIMIT ?
            """, .integer(now.milliseconds), .integer(Int64(limit))
        ) { row -> Letter? in
            Self.tiding(row, from: 3).map {
                Letter(
                    id: row.integer(0), pipeline: row.text(1), target: row.text(2), tiding: $0,
                    tries: Int(row.integer(8)))
            }
        }.compactMap { $0 }
    }

    /// How many letters wait.
    func lettersWaiting() throws(VoltError) -> Int {
        Int(try database.integer("SELECT count(*) FROM outbox") ?? 0)
    }

    /// Counts a try before it is made; a server that dies at it tries again at `next`.
    ///
    /// - Returns: false when the letter is gone meanwhile, since a newer state has replaced it.
    func beginTry(of letter: Letter, next: Timestamp) throws(VoltError) -> Bool {
        try transaction { () throws(VoltError) in
            try database.execute(
                "UPDATE outbox SET tries = ?, due = ? WHERE id = ?", .integer(Int64(letter.tries + 1)),
                .integer(next.milliseconds), .integer(letter.id))
            return database.changes == 1
        }
    }

    /// Makes every letter due: a server that starts does not wait for what its predecessor put off.
    func hurryLetters(at now: Timestamp) throws(VoltError) {
        try database.execute(
            "UPDATE outbox SET due = ?1 WHERE due > ?1", .integer(now.milliseconds))
    }

    /// Puts off the next try.
    func putOff(_ letter: Letter, until next: Timestamp) throws(VoltError) {
        try database.execute(
            "UPDATE outbox SET due = ? WHERE id = ?", .integer(next.milliseconds), .integer(letter.id))
    }

    /// Takes a letter out of the outbox: it was delivered, or is given up.
    func drop(_ letter: Letter) throws(VoltError) {
        try database.execute("DELETE FROM outbox WHERE id = ?", .integer(letter.id))
    }
}
