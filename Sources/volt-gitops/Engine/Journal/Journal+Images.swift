internal import VoltCore
internal import VoltSQLite

/// The images that a deploy resolved: digests by their names in the definition.
extension Journal {
    /// The images of an attempt; none when its kind of workload does not say, or an earlier version made it.
    func images(of attempt: Int64) throws(VoltError) -> [String: String] {
        let rows = try database.rows(
            "SELECT name, digest FROM images WHERE attempt = ?", .integer(attempt)
        ) { ($0.text(0), $0.text(1)) }
        return Dictionary(rows) { $1 }
    }

    /// The images to run a snapshot with again: those that were kept for the attempt, else those of its last deploy.
    ///
    /// - Parameter limit: the number of the attempt up to which deploys count; nil for all.
    func images(of snapshot: String, pipeline: String, attempt: Int64? = nil, upTo limit: Int64? = nil)
        throws(VoltError) -> [String: String]
    {
        if let attempt {
            let own = try images(of: attempt)
            if !own.isEmpty { return own }
        }
        let last = try database.integer(
            """
            SELECT max(id) FROM attempts WHERE pipeline = ?1 AND coalesce(snapshot, new_commit) = ?2 AND state = 'done'
            AND (?3 IS NULL OR id <= ?3) AND EXISTS (SELECT 1 FROM images WHERE attempt = attempts.id)
            """, .text(pipeline), .text(snapshot), SQLValue(limit))
        if let last { return try images(of: last) }
        return limit == nil ? [:] : try images(of: snapshot, pipeline: pipeline)
    }

    /// Keeps the images of an attempt in place of those it has.
    func setImages(_ images: [String: String], attempt id: Int64) throws(VoltError) {
        try transaction { () throws(VoltError) in
            try database.execute("DELETE FROM images WHERE attempt = ?", .integer(id))
            for (name, digest) in images {
                try database.execute(
                    "INSERT INTO images (attempt, name, digest) VALUES (?, ?, ?)", .integer(id), .text(name),
                    .text(digest))
            }
        }
    }
}
