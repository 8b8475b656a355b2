internal import VoltCore
internal import VoltSQLite

extension Journal {
    /// Whether the journal is whole (`PRAGMA quick_check`).
    func check() throws(VoltError) -> DoctorCheck {
        let problems = try database.rows("PRAGMA quick_check(3)") { $0.text(0) }
        guard problems == ["ok"] else {
            return .fail(
                "journal", "it is damaged: \(problems.joined(separator: "; "))",
                "stop the server and restore it from a backup, or recover it with sqlite3 '.recover'")
        }
        let attempts = try database.integer("SELECT count(*) FROM attempts") ?? 0
        return .ok("journal", "whole, with \(attempts) attempts")
    }

    /// When the last webhook came for a pipeline; nil when none ever did.
    func lastWebhook(of pipeline: String) throws(VoltError) -> Timestamp? {
        try database.integer(
            "SELECT accepted FROM attempts WHERE pipeline = ? AND trigger = 'webhook' ORDER BY id DESC LIMIT 1",
            .text(pipeline)
        ).map { Timestamp(milliseconds: $0) }
    }
}
