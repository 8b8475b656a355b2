internal import FoundationEssentials
public import VoltCore
internal import VoltSQLite

extension Journal {
    // MARK: Pipelines

    /// Writes the settings of a pipeline that is there already.
    ///
    /// - Throws: `VoltError` with code `notFound`.
    public func update(_ pipeline: Pipeline) throws(VoltError) {
        try database.execute(
            "UPDATE pipelines SET settings = ? WHERE name = ?", .text(try Self.json(pipeline)),
            .text(pipeline.name.text))
        guard database.changes == 1 else {
            throw VoltError(.notFound, "there is no pipeline '\(pipeline.name)'")
        }
    }

    // MARK: Suspension

    /// The suspension of a pipeline, or nil while it deploys.
    public func suspension(of pipeline: String) throws(VoltError) -> Suspension? {
        try database.rows("SELECT reason, actor, at FROM suspensions WHERE pipeline = ?", .text(pipeline)) {
            Suspension(reason: $0.text(0), by: $0.text(1), at: Timestamp(milliseconds: $0.integer(2)))
        }.first
    }

    func suspend(_ pipeline: String, _ suspension: Suspension?) throws(VoltError) {
        guard let suspension else {
            return try database.execute("DELETE FROM suspensions WHERE pipeline = ?", .text(pipeline))
        }
        try database.execute(
            "INSERT OR REPLACE INTO suspensions (pipeline, reason, actor, at) VALUES (?, ?, ?, ?)",
            .text(pipeline), .text(suspension.reason), .text(suspension.by),
            .integer(suspension.at.milliseconds))
    }

    // MARK: Verdicts

    /// What was decided about a commit, or nil.
    ///
    /// - Parameter origin: what the commit is of, see `Attempt.origin`.
    func verdict(on commit: String, origin: String?, of pipeline: String) throws(VoltError) -> Verdict? {
        try database.rows(
            """
            SELECT commit_id, approved, actor, reason, at FROM verdicts WHERE pipeline = ? AND commit_id = ?
            AND (origin IS NULL OR origin = ?)
            """, .text(pipeline), .text(commit), SQLValue(origin)
        ) {
            Verdict(
                commit: $0.text(0), isApproved: $0.integer(1) != 0, by: $0.text(2), reason: $0.text(3),
                at: Timestamp(milliseconds: $0.integer(4)))
        }.first
    }

    func record(_ verdict: Verdict, origin: String?, of pipeline: String) throws(VoltError) {
        try database.execute(
            """
            INSERT OR REPLACE INTO verdicts (pipeline, commit_id, approved, actor, reason, at, origin)
            VALUES (?, ?, ?, ?, ?, ?, ?)
            """, .text(pipeline), .text(verdict.commit), SQLValue(verdict.isApproved), .text(verdict.by),
            .text(verdict.reason), .integer(verdict.at.milliseconds), SQLValue(origin))
    }

    /// The commit of an attempt that waited with a commit of its own until a given one took its place; nil when there
    /// is none since the last one that ended otherwise.
    func waitedBefore(_ newest: Attempt) throws(VoltError) -> String? {
        try database.text(
            """
            SELECT new_commit FROM attempts WHERE pipeline = ?1 AND id < ?2 AND state = 'superseded'
            AND started NOT NULL AND new_commit NOT NULL AND new_commit <> ?3 AND id > coalesce((
                SELECT max(id) FROM attempts WHERE pipeline = ?1 AND id < ?2
                AND state IN ('done', 'failed', 'held', 'interrupted')
            ), 0) ORDER BY id DESC LIMIT 1
            """, .text(newest.pipeline), .integer(newest.id), SQLValue(newest.commit))
    }

    // MARK: Marks

    /// What is noted on an attempt beside its state.
    enum Mark: String {
        /// A hold on its commit, windows, a suspension and pipelines that come first do not keep it back.
        case forced
        /// It removed the workload, whose manifest had vanished.
        case pruned
        /// It was not applied, because no file that matters had changed.
        case skipped
        /// The commit in the value was announced and never came.
        case unseen
        /// It is a rollback that nobody asked for.
        case automatic
        /// Its tool was started; the value is its kind of workload.
        case kind
        /// The kinds in the value, with spaces between them, had the workload before.
        case kinds
        /// Its commit did not fulfil what the pipeline asks for; the value says why.
        case declined
    }

    func mark(_ attempt: Int64, _ mark: Mark, _ value: String = "") throws(VoltError) {
        try database.execute(
            "INSERT OR REPLACE INTO marks (attempt, mark, value) VALUES (?, ?, ?)", .integer(attempt),
            .text(mark.rawValue), .text(value))
    }

    func has(_ mark: Mark, attempt: Int64) throws(VoltError) -> Bool {
        try database.integer(
            "SELECT 1 FROM marks WHERE attempt = ? AND mark = ?", .integer(attempt), .text(mark.rawValue))
            != nil
    }

    // MARK: The queue

    /// Notes what a queued attempt waits for; does nothing when it has left the queue.
    func wait(_ attempt: Int64, for wait: Wait) throws(VoltError) {
        try database.execute(
            """
            INSERT OR REPLACE INTO waits (attempt, wait)
            SELECT id, ? FROM attempts WHERE id = ? AND state = 'accepted' AND finished IS NULL
            """, .text(try Self.json(wait)), .integer(attempt))
    }

    static func wait(from text: String?) -> Wait? {
        text.flatMap { try? JSONDecoder().decode(Wait.self, from: Data($0.utf8)) }
    }

    /// The newest queued attempt that was forced.
    func newestForced(of pipeline: String) throws(VoltError) -> Int64? {
        try database.integer(
            """
            SELECT id FROM attempts WHERE pipeline = ? AND finished IS NULL AND state = 'accepted'
            AND EXISTS (SELECT 1 FROM marks WHERE attempt = id AND mark = 'forced') ORDER BY id DESC LIMIT 1
            """, .text(pipeline))
    }

    /// Closes the queued attempts of a pipeline that are older than a given one, but none that was forced.
    func supersedeUnforced(of pipeline: String, before id: Int64, at: Timestamp) throws(VoltError) {
        try database.execute(
            """
            UPDATE attempts SET state = 'superseded', note = note || ', superseded by attempt ' || ?1,
                decision = 'not started: attempt ' || ?1 || ' was queued after it', finished = ?2
            WHERE pipeline = ?3 AND finished IS NULL AND state = 'accepted' AND id < ?1 AND trigger <> 'rollback'
            AND NOT EXISTS (SELECT 1 FROM marks WHERE attempt = attempts.id AND mark = 'forced')
            """, .integer(id), .integer(at.milliseconds), .text(pipeline))
    }

    static func json(_ value: some Encodable) throws(VoltError) -> String {
        do { return String(decoding: try JSONEncoder().encode(value), as: UTF8.self) } catch {
            throw VoltError(.failed, "cannot encode a value of the journal: \(error)")
        }
    }
}
