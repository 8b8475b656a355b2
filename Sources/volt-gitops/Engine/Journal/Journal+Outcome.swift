public import VoltCore
internal import VoltSQLite

/// A failed attempt that is tried again.
public struct Retry: Codable, Sendable, Equatable {
    /// The pipeline.
    public var pipeline: String
    /// The attempt that failed.
    public var attempt: Int64
    /// The commit that failed; nil when none could be fetched.
    public var commit: String?
    /// The commit of the kept snapshot, for a rollback that failed.
    public var target: String?
    /// The name of that snapshot.
    public var snapshot: String?
    /// What the commit is of, see `Attempt.origin`.
    public var origin: String?
    /// Which try failed last, counted from 1.
    public var count: Int
    /// When it is tried again.
    public var due: Timestamp
}

/// A file that differs between two commits.
public struct FileChange: Codable, Sendable, Equatable {
    /// How.
    public enum Kind: String, Codable, Sendable { case added, changed, removed }
    /// How.
    public var kind: Kind
    /// The path in the repository.
    public var path: String
}

extension Journal {
    /// The hold on what a pipeline would deploy now, by what the last attempt and the last poll have seen.
    public func currentHold(of pipeline: Pipeline) throws(VoltError) -> Hold? {
        let name = pipeline.name.text
        let last = try lastTracked(of: name)
        let poll = try poll(of: name)
        let isPollNewer = (poll.at ?? .init(milliseconds: 0)) >= (last?.acceptedAt ?? .init(milliseconds: 0))
        let (commit, origin) =
            isPollNewer && poll.seen != nil ? (poll.seen, poll.origin) : (last?.commit, last?.origin)
        guard let commit else { return nil }
        return try holds.hold(
            of: commit, origin: origin, pipeline: name, configuration: pipeline.configuration)
    }

    // MARK: Retries

    /// How many attempts of a commit failed under a configuration since another commit was deployed.
    func failures(of commit: String, origin: String?, pipeline: String, configuration: String)
        throws(VoltError) -> Int
    {
        Int(
            try database.integer(
                """
                SELECT count(*) FROM attempts WHERE pipeline = ?1 AND new_commit = ?2 AND configuration = ?3
                AND (origin IS NULL OR ?4 IS NULL OR origin = ?4)
                AND state = 'failed' AND trigger NOT IN ('rollback', 'drift') AND id > coalesce((
                    SELECT max(id) FROM attempts WHERE pipeline = ?1 AND state = 'done'
                    AND trigger NOT IN ('rollback', 'drift')
                ), 0)
                """, .text(pipeline), .text(commit), .text(configuration), SQLValue(origin)) ?? 0)
    }

    /// Writes down that an attempt is tried again; there is one at most for a pipeline.
    func schedule(_ retry: Retry) throws(VoltError) {
        try database.execute(
            """
            INSERT OR REPLACE INTO retries (pipeline, attempt, revision, target, count, due, snapshot, origin)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?)
            """, .text(retry.pipeline), .integer(retry.attempt), SQLValue(retry.commit),
            SQLValue(retry.target), .integer(Int64(retry.count)), .integer(retry.due.milliseconds),
            SQLValue(retry.snapshot), SQLValue(retry.origin))
    }

    /// What is to be tried again in a pipeline.
    public func retry(of pipeline: String) throws(VoltError) -> Retry? {
        try database.rows(
            "SELECT \(Self.retryColumns) FROM retries WHERE pipeline = ?", .text(pipeline), read: Self.retry
        ).first
    }

    /// The retries whose time has come.
    func retries(dueAt now: Timestamp) throws(VoltError) -> [Retry] {
        try database.rows(
            "SELECT \(Self.retryColumns) FROM retries WHERE due <= ?", .integer(now.milliseconds),
            read: Self.retry)
    }

    /// Drops the retry of a pipeline.
    func dropRetry(of pipeline: String) throws(VoltError) {
        try database.execute("DELETE FROM retries WHERE pipeline = ?", .text(pipeline))
    }

    private static let retryColumns = "pipeline, attempt, revision, target, count, due, snapshot, origin"

    private static func retry(_ row: Row) -> Retry {
        Retry(
            pipeline: row.text(0), attempt: row.integer(1), commit: row.optionalText(2),
            target: row.optionalText(3), snapshot: row.optionalText(6), origin: row.optionalText(7),
            count: Int(row.integer(4)),
            due: Timestamp(milliseconds: row.integer(5)))
    }

    // MARK: Whether a deploy was cut off

    /// Whether an apply began of which it is not known that it ended by itself.
    func isInterrupted(_ pipeline: String) throws(VoltError) -> Bool {
        try database.integer("SELECT unsettled FROM pipelines WHERE name = ?", .text(pipeline)) == 1
    }

    /// Keeps whether an apply is under way.
    func setInterrupted(_ isInterrupted: Bool, _ pipeline: String) throws(VoltError) {
        try database.execute(
            "UPDATE pipelines SET unsettled = ? WHERE name = ?", .integer(isInterrupted ? 1 : 0),
            .text(pipeline))
    }

    // MARK: What happened

    /// The newest attempt that followed the branch, and so was no rollback and no repair, and knows its commit. One
    /// that never got the commit it was told of knows none.
    public func lastTracked(of pipeline: String) throws(VoltError) -> Attempt? {
        try database.rows(
            """
            SELECT \(Self.columns) FROM attempts WHERE pipeline = ? AND trigger NOT IN ('rollback', 'drift')
            AND new_commit NOT NULL AND state <> 'unseen' ORDER BY id DESC LIMIT 1
            """, .text(pipeline), read: attempt
        ).first
    }

    /// How many attempts in a row gave way to a newer one after they had started.
    func supersededInARow(of pipeline: String) throws(VoltError) -> Int {
        let states = try database.rows(
            """
            SELECT state FROM attempts WHERE pipeline = ? AND started NOT NULL AND finished NOT NULL
            ORDER BY id DESC LIMIT 16
            """, .text(pipeline)
        ) { $0.text(0) }
        return states.prefix { $0 == AttemptState.superseded.rawValue }.count
    }

    /// Keeps which files an attempt changed.
    func setChanges(_ changes: [FileChange], attempt id: Int64) throws(VoltError) {
        try transaction { () throws(VoltError) in
            try database.execute("DELETE FROM changes WHERE attempt = ?", .integer(id))
            for change in changes {
                try database.execute(
                    "INSERT INTO changes (attempt, kind, path) VALUES (?, ?, ?)", .integer(id),
                    .text(change.kind.rawValue), .text(change.path))
            }
        }
    }

    /// The files that an attempt changed, against the commit that ran before.
    public func changes(of id: Int64) throws(VoltError) -> [FileChange] {
        try database.rows(
            "SELECT kind, path FROM changes WHERE attempt = ? ORDER BY path", .integer(id)
        ) { FileChange(kind: FileChange.Kind(rawValue: $0.text(0)) ?? .changed, path: $0.text(1)) }
    }

    /// The lines of an attempt's log behind a position, which moves on.
    public func log(of id: Int64, after position: inout Int64) throws(VoltError) -> [String] {
        let rows = try database.rows(
            "SELECT rowid, line FROM log WHERE attempt = ? AND rowid > ? ORDER BY rowid", .integer(id),
            .integer(position)
        ) { ($0.integer(0), $0.text(1)) }
        position = rows.last?.0 ?? position
        return rows.map(\.1)
    }
}
