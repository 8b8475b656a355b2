internal import FoundationEssentials
public import VoltCore
internal import VoltSQLite
internal import VoltSystem

/// Pipelines and their attempts on disk. What a method has written survives `kill -9` when it returns.
///
/// A journal belongs to one thread; other threads and processes open their own on the same file.
public final class Journal {
    let database: Database

    /// The commits that are held.
    public var holds: HoldStore { HoldStore(database: database) }
    /// What was found when the workloads were looked at.
    public var drift: DriftStore { DriftStore(database: database) }
    /// What waits to be delivered.
    var outbox: OutboxStore { OutboxStore(database: database) }
    /// The counters.
    var totals: TotalsStore { TotalsStore(database: database) }

    /// Opens the journal below a state directory, which is made with mode 0700.
    ///
    /// - Throws: `VoltError`; code `refused` when a newer Volt wrote it.
    public init(state: String) throws(VoltError) {
        try Files.makePrivateDirectory(state)
        database = try Database(path: "\(state)/journal.db", migrations: JournalSchema.migrations)
        if try database.integer(JournalSchema.areIndexesThere) == nil {
            try database.transaction { () throws(VoltError) in
                // Another program may have been first.
                guard try database.integer(JournalSchema.areIndexesThere) == nil else { return }
                for index in JournalSchema.indexes { try database.execute(index) }
            }
        }
    }

    /// Runs several writes as one.
    func transaction<Result>(_ body: () throws(VoltError) -> Result) throws(VoltError) -> Result {
        try database.transaction(body)
    }

    // MARK: Pipelines

    /// Adds a pipeline.
    ///
    /// - Throws: `VoltError` with code `conflict` when the name is taken.
    public func add(_ pipeline: Pipeline) throws(VoltError) {
        let settings = try Self.encode(pipeline)
        try database.execute(
            "INSERT OR IGNORE INTO pipelines (name, settings, created) VALUES (?, ?, ?)",
            .text(pipeline.name.text),
            .text(settings), .integer(pipeline.createdAt.milliseconds))
        guard database.changes == 1 else {
            throw VoltError(
                .conflict, "pipeline '\(pipeline.name)' exists already",
                hint:
                    "delete it first with 'volt gitops delete --name \(pipeline.name)', or choose another name"
            )
        }
    }

    /// All pipelines, by name.
    public func pipelines() throws(VoltError) -> [Pipeline] {
        let texts = try database.rows("SELECT settings FROM pipelines ORDER BY name") { $0.text(0) }
        var pipelines: [Pipeline] = []
        for text in texts { pipelines.append(try Self.decode(text)) }
        return pipelines
    }

    /// A pipeline.
    ///
    /// - Throws: `VoltError` with code `notFound`.
    public func pipeline(_ name: String) throws(VoltError) -> Pipeline {
        try Self.pipeline(name, in: database)
    }

    /// A pipeline, for the stores of other tables.
    static func pipeline(_ name: String, in database: Database) throws(VoltError) -> Pipeline {
        guard let text = try database.text("SELECT settings FROM pipelines WHERE name = ?", .text(name))
        else {
            throw VoltError(
                .notFound, "there is no pipeline '\(name)'", hint: "'volt gitops list' shows those there are")
        }
        return try decode(text)
    }

    /// Removes a pipeline with its history.
    ///
    /// - Throws: `VoltError` with code `notFound`.
    public func delete(_ name: String) throws(VoltError) {
        _ = try pipeline(name)
        try database.execute("DELETE FROM pipelines WHERE name = ?", .text(name))
    }

    /// A number that changes when another connection has written.
    public func version() throws(VoltError) -> Int64 { try database.integer("PRAGMA data_version") ?? 0 }

    // MARK: Polls

    /// What the last poll of a pipeline found.
    public struct Poll: Sendable, Equatable {
        /// When; nil before the first.
        public var at: Timestamp?
        /// Why it failed.
        public var error: String?
        /// The tip it saw last.
        public var seen: String?
        /// See `Attempt.origin`; nil when an earlier Volt saw the tip.
        public var origin: String?
    }

    /// What the last poll of a pipeline found.
    public func poll(of pipeline: String) throws(VoltError) -> Poll {
        try database.rows(
            "SELECT polled, poll_error, seen, seen_origin FROM pipelines WHERE name = ?", .text(pipeline)
        ) {
            Poll(
                at: $0.optionalInteger(0).map { Timestamp(milliseconds: $0) }, error: $0.optionalText(1),
                seen: $0.optionalText(2), origin: $0.optionalText(3))
        }.first ?? Poll()
    }

    /// Keeps what a poll found; the tip seen before stays when it failed.
    func record(_ poll: Poll, of pipeline: String) throws(VoltError) {
        try database.execute(
            """
            UPDATE pipelines SET polled = ?1, poll_error = ?2, seen = coalesce(?3, seen),
                seen_origin = CASE WHEN ?3 IS NULL THEN seen_origin ELSE ?4 END WHERE name = ?5
            """, SQLValue(poll.at?.milliseconds), SQLValue(poll.error), SQLValue(poll.seen),
            SQLValue(poll.origin), .text(pipeline))
    }

    // MARK: Attempts

    /// Writes an attempt in state `accepted`.
    ///
    /// - Parameters:
    ///   - origin: what the commit is of, see `Attempt.origin`.
    ///   - target: the commit of a kept snapshot that is to run, in place of the tip.
    ///   - snapshot: the name of that snapshot.
    /// - Returns: its number.
    @discardableResult
    public func accept(
        pipeline: String, trigger: Trigger, delivery: String? = nil, branch: String, commit: String?,
        origin: String? = nil, note: String, target: String? = nil, snapshot: String? = nil, at: Timestamp
    ) throws(VoltError) -> Int64 {
        try database.execute(
            """
            INSERT INTO attempts
                (pipeline, state, trigger, delivery, branch, new_commit, origin, note, target, snapshot, accepted)
            VALUES (?, 'accepted', ?, ?, ?, ?, ?, ?, ?, ?, ?)
            """, .text(pipeline), .text(trigger.rawValue), SQLValue(delivery), .text(branch),
            SQLValue(commit), SQLValue(origin), .text(note), SQLValue(target), SQLValue(snapshot),
            .integer(at.milliseconds))
        return database.lastInsertedRow
    }

    static let columns =
        """
        id, pipeline, state, trigger, delivery, branch, old_commit, new_commit, note, accepted, started, finished,
        (SELECT wait FROM waits WHERE attempt = attempts.id), decision, target, origin, snapshot,
        EXISTS (SELECT 1 FROM marks WHERE attempt = attempts.id AND mark = 'automatic'),
        (SELECT value FROM marks WHERE attempt = attempts.id AND mark = 'unseen')
        """

    func attempt(_ row: Row) -> Attempt {
        Attempt(
            id: row.integer(0), pipeline: row.text(1), state: AttemptState(rawValue: row.text(2)) ?? .failed,
            trigger: Trigger(rawValue: row.text(3)) ?? .manual, delivery: row.optionalText(4),
            branch: row.text(5),
            oldCommit: row.optionalText(6), commit: row.optionalText(7), note: row.text(8),
            acceptedAt: Timestamp(milliseconds: row.integer(9)),
            startedAt: row.optionalInteger(10).map { Timestamp(milliseconds: $0) },
            finishedAt: row.optionalInteger(11).map { Timestamp(milliseconds: $0) },
            wait: Self.wait(from: row.optionalText(12)), decision: row.optionalText(13),
            target: row.optionalText(14), origin: row.optionalText(15), snapshot: row.optionalText(16),
            isAutomatic: row.integer(17) == 1 ? true : nil,
            unseen: row.optionalText(18))
    }

    /// The newest attempts of a pipeline, the newest first.
    public func history(of pipeline: String, limit: Int) throws(VoltError) -> [Attempt] {
        try database.rows(
            "SELECT \(Self.columns) FROM attempts WHERE pipeline = ? ORDER BY id DESC LIMIT ?",
            .text(pipeline),
            .integer(Int64(limit)), read: attempt)
    }

    /// An attempt by its number.
    public func attempt(_ id: Int64) throws(VoltError) -> Attempt? {
        try database.rows("SELECT \(Self.columns) FROM attempts WHERE id = ?", .integer(id), read: attempt)
            .first
    }

    /// The attempts of a pipeline that have not ended, the oldest first.
    func open(of pipeline: String) throws(VoltError) -> [Attempt] {
        try database.rows(
            "SELECT \(Self.columns) FROM attempts WHERE pipeline = ? AND finished IS NULL ORDER BY id",
            .text(pipeline), read: attempt)
    }

    /// The attempt whose turn it is: a rollback before anything else, then the newest that is queued.
    func nextQueued(of pipeline: String) throws(VoltError) -> Attempt? {
        try database.rows(
            """
            SELECT \(Self.columns) FROM attempts
            WHERE pipeline = ? AND finished IS NULL AND state = 'accepted'
            ORDER BY trigger = 'rollback' DESC, id DESC LIMIT 1
            """, .text(pipeline), read: attempt
        ).first
    }

    /// The pipelines that have a queued attempt.
    func pipelinesWithQueue() throws(VoltError) -> [String] {
        // By the index of the open attempts: thousands may be queued in a burst.
        try database.rows(
            """
            SELECT name FROM pipelines WHERE EXISTS (
                SELECT 1 FROM attempts WHERE pipeline = name AND finished IS NULL AND state = 'accepted')
            """
        ) { $0.text(0) }
    }

    /// Closes the queued attempts that a given one makes needless: for a rollback the older rollbacks, else
    /// everything older but rollbacks.
    func supersedeQueued(before attempt: Attempt, at: Timestamp) throws(VoltError) {
        try database.execute(
            """
            UPDATE attempts SET state = 'superseded', note = note || ', superseded by attempt ' || ?1,
                decision = 'not started: attempt ' || ?1 || ' was queued after it', finished = ?2
            WHERE pipeline = ?3 AND finished IS NULL AND state = 'accepted' AND id < ?1
                AND (trigger = 'rollback') = ?4
            """, .integer(attempt.id), .integer(at.milliseconds), .text(attempt.pipeline),
            .integer(attempt.trigger == .rollback ? 1 : 0))
    }

    /// Moves an attempt to a state that is not final. The state is on disk before the step begins.
    func enter(_ state: AttemptState, attempt id: Int64, at: Timestamp) throws(VoltError) {
        try transaction { () throws(VoltError) in
            try database.execute(
                "UPDATE attempts SET state = ?, started = coalesce(started, ?) WHERE id = ?",
                .text(state.rawValue),
                .integer(at.milliseconds), .integer(id))
            try database.execute(
                "INSERT INTO steps (attempt, state, at) VALUES (?, ?, ?)", .integer(id),
                .text(state.rawValue),
                .integer(at.milliseconds))
        }
    }

    /// Puts an attempt back into the queue, after the server that worked on it died.
    func requeue(_ id: Int64, note: String) throws(VoltError) {
        try database.execute(
            "UPDATE attempts SET state = 'accepted', note = ?, child_pid = NULL WHERE id = ?", .text(note),
            .integer(id))
    }

    /// Keeps the commits of an attempt once they are known.
    ///
    /// - Parameters:
    ///   - origin: what the new one is of, see `Attempt.origin`.
    ///   - snapshot: the name of its snapshot.
    ///   - shape: what becomes of it, see `Pipeline.shape`.
    func setCommits(
        old: String?, new: String, origin: String? = nil, snapshot: String? = nil, shape: String? = nil,
        configuration: String, attempt id: Int64
    ) throws(VoltError) {
        try database.execute(
            """
            UPDATE attempts SET old_commit = ?, new_commit = ?, origin = ?, snapshot = ?, shape = ?, configuration = ?
            WHERE id = ?
            """, SQLValue(old), .text(new), SQLValue(origin), SQLValue(snapshot), SQLValue(shape),
            .text(configuration), .integer(id))
    }

    /// Keeps which process applies an attempt, so that a later server finds it.
    func setChild(pid: Int32, start: UInt64, attempt id: Int64) throws(VoltError) {
        try database.execute(
            "UPDATE attempts SET child_pid = ?, child_start = ? WHERE id = ?", .integer(Int64(pid)),
            .integer(Int64(start)), .integer(id))
    }

    /// The process that applies an attempt, by id and start time.
    func child(of id: Int64) throws(VoltError) -> (pid: Int32, start: UInt64)? {
        try database.rows("SELECT child_pid, child_start FROM attempts WHERE id = ?", .integer(id)) { row in
            row.optionalInteger(0).map {
                (Int32(truncatingIfNeeded: $0), UInt64(truncatingIfNeeded: row.integer(1)))
            }
        }.first ?? nil
    }

    /// Ends an attempt.
    ///
    /// - Parameter decision: why it ended so.
    func finish(_ id: Int64, as state: AttemptState, note: String, decision: String, at: Timestamp)
        throws(VoltError)
    {
        try database.execute(
            "UPDATE attempts SET state = ?, note = ?, decision = ?, finished = ?, child_pid = NULL WHERE id = ?",
            .text(state.rawValue), .text(String(note.prefix(1000))), .text(String(decision.prefix(1000))),
            .integer(at.milliseconds), .integer(id))
    }

    /// The steps of an attempt in their order.
    public func steps(of id: Int64) throws(VoltError) -> [AttemptStep] {
        try database.rows("SELECT state, at FROM steps WHERE attempt = ? ORDER BY rowid", .integer(id)) {
            AttemptStep(
                state: AttemptState(rawValue: $0.text(0)) ?? .failed,
                at: Timestamp(milliseconds: $0.integer(1)))
        }
    }

    /// Adds lines to the log of an attempt.
    func addLog(_ lines: [String], attempt id: Int64) throws(VoltError) {
        try transaction { () throws(VoltError) in
            for line in lines {
                try database.execute(
                    "INSERT INTO log (attempt, line) VALUES (?, ?)", .integer(id), .text(line))
            }
        }
    }

    /// The last lines of an attempt's log, the oldest first.
    public func log(of id: Int64, last count: Int) throws(VoltError) -> [String] {
        try database.rows(
            "SELECT line FROM log WHERE attempt = ? ORDER BY rowid DESC LIMIT ?", .integer(id),
            .integer(Int64(count))
        ) { $0.text(0) }.reversed()
    }

    /// The last attempt that succeeded.
    public func lastSuccess(of pipeline: String) throws(VoltError) -> Attempt? {
        try database.rows(
            "SELECT \(Self.columns) FROM attempts WHERE pipeline = ? AND state = 'done' ORDER BY id DESC LIMIT 1",
            .text(pipeline), read: attempt
        ).first
    }

    /// The commit of the last attempt that succeeded.
    public func deployedCommit(of pipeline: String) throws(VoltError) -> String? {
        try database.text(
            "SELECT new_commit FROM attempts WHERE pipeline = ? AND state = 'done' ORDER BY id DESC LIMIT 1",
            .text(pipeline))
    }

    /// Whether a number is, or was, that of an attempt of any pipeline.
    func hasGiven(number: Int64) throws(VoltError) -> Bool {
        let last = try database.integer("SELECT seq FROM sqlite_sequence WHERE name = 'attempts'") ?? 0
        return number >= 1 && number <= last
    }

    static func encode(_ pipeline: Pipeline) throws(VoltError) -> String {
        do { return String(decoding: try JSONEncoder().encode(pipeline), as: UTF8.self) } catch {
            throw VoltError(.failed, "cannot encode pipeline '\(pipeline.name)': \(error)")
        }
    }

    private static func decode(_ text: String) throws(VoltError) -> Pipeline {
        do {
            var pipeline = try JSONDecoder().decode(Pipeline.self, from: Data(text.utf8))
            // Older versions kept what the user wrote.
            pipeline.settleBranch()
            return pipeline
        } catch {
            throw VoltError(.failed, "the journal holds a pipeline that cannot be read: \(error)")
        }
    }
}
