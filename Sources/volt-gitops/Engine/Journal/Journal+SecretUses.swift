internal import VoltCore
internal import VoltSQLite

/// When which secret of a hook verified a delivery. Secrets are known by their digests.
extension Journal {
    /// A delivery that a secret verified.
    struct SecretUse: Sendable, Hashable {
        var pipeline: String
        var digest: String
    }

    /// Keeps the time of the last delivery of each secret; a pipeline that is gone is left out.
    func record(_ uses: [SecretUse: Timestamp]) throws(VoltError) {
        for (use, at) in uses {
            try database.execute(
                """
                INSERT INTO secret_uses (pipeline, digest, at)
                SELECT name, ?2, ?3 FROM pipelines WHERE name = ?1
                ON CONFLICT (pipeline, digest) DO UPDATE SET at = max(at, excluded.at)
                """, .text(use.pipeline), .text(use.digest), .integer(at.milliseconds))
        }
    }

    /// The time of the last delivery by the digest of its secret.
    func secretUses(of pipeline: String) throws(VoltError) -> [String: Timestamp] {
        let rows = try database.rows(
            "SELECT digest, at FROM secret_uses WHERE pipeline = ?", .text(pipeline)
        ) { ($0.text(0), Timestamp(milliseconds: $0.integer(1))) }
        return Dictionary(rows) { $1 }
    }

    /// Forgets the uses of all other secrets of a pipeline.
    func keepUses(of pipeline: String, secrets: [String]) throws(VoltError) {
        for digest in try secretUses(of: pipeline).keys where !secrets.contains(digest) {
            try database.execute(
                "DELETE FROM secret_uses WHERE pipeline = ? AND digest = ?", .text(pipeline), .text(digest))
        }
    }
}
