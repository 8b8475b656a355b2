public import VoltCore
internal import VoltSQLite

/// A commit that is not deployed by itself any more.
public struct Hold: Codable, Sendable, Equatable {
    /// The commit.
    public var commit: String
    /// Why it waits.
    public var reason: String
    /// Since when.
    public var since: Timestamp
    /// What ends it; nil for a newer commit or a forced sync.
    public var advice: String?

    /// What ends it, in words.
    ///
    /// - Parameter pipeline: the name of its pipeline.
    public func advice(for pipeline: String) -> String {
        advice ?? "a newer commit or 'volt gitops sync --name \(pipeline) --force' ends it"
    }
}

/// The commits that are not deployed by themselves any more.
public struct HoldStore {
    let database: Database

    /// Whether a commit is held, under a configuration of its pipeline.
    ///
    /// - Parameter origin: what the commit is of, see `Attempt.origin`; nil for any.
    public func hold(of commit: String, origin: String?, pipeline: String, configuration: String)
        throws(VoltError) -> Hold?
    {
        try database.rows(
            """
            SELECT revision, reason, at, advice FROM holds WHERE pipeline = ?1 AND revision = ?2
            AND (configuration IS NULL OR configuration = ?3) AND (origin IS NULL OR ?4 IS NULL OR origin = ?4)
            """, .text(pipeline), .text(commit), .text(configuration), SQLValue(origin), read: Self.hold
        ).first
    }

    /// Holds a commit.
    ///
    /// - Parameters:
    ///   - origin: what the commit is of, see `Attempt.origin`; nil where that is not known.
    ///   - configuration: with another one the commit is free again; nil for a hold that only a newer commit or a
    ///     person ends.
    func hold(
        _ commit: String, origin: String?, of pipeline: String, configuration: String?, reason: String,
        advice: String? = nil, at: Timestamp
    ) throws(VoltError) {
        try database.execute(
            """
            INSERT OR REPLACE INTO holds (pipeline, revision, configuration, reason, at, advice, origin)
            VALUES (?, ?, ?, ?, ?, ?, ?)
            """, .text(pipeline), .text(commit), SQLValue(configuration), .text(reason),
            .integer(at.milliseconds), SQLValue(advice), SQLValue(origin))
    }

    /// Ends the hold of a commit, or of every commit.
    ///
    /// - Parameter origin: what the commit is of, see `Attempt.origin`; nil for any.
    func release(_ commit: String? = nil, origin: String? = nil, of pipeline: String) throws(VoltError) {
        try database.execute(
            """
            DELETE FROM holds WHERE pipeline = ?1
            AND (?2 IS NULL OR revision = ?2 AND (origin IS NULL OR ?3 IS NULL OR origin = ?3))
            """, .text(pipeline), SQLValue(commit), SQLValue(origin))
    }

    private static func hold(_ row: Row) -> Hold {
        Hold(
            commit: row.text(0), reason: row.text(1), since: Timestamp(milliseconds: row.integer(2)),
            advice: row.optionalText(3))
    }
}
