public import VoltCore
internal import VoltSQLite

/// The pipelines whose last verified delivery was of another repository than theirs.
extension Journal {
    /// Keeps the last stray delivery of each pipeline; nil for one whose hook has the right URL now. A pipeline that
    /// is gone is left out.
    func record(_ strays: [String: StrayDelivery?]) throws(VoltError) {
        for (pipeline, stray) in strays {
            guard let stray else {
                try database.execute("DELETE FROM strays WHERE pipeline = ?", .text(pipeline))
                continue
            }
            try database.execute(
                """
                INSERT OR REPLACE INTO strays (pipeline, repository, expected, delivery, at)
                SELECT name, ?2, ?3, ?4, ?5 FROM pipelines WHERE name = ?1
                """, .text(pipeline), .text(stray.repository), .text(stray.expected),
                SQLValue(stray.delivery), .integer(stray.at.milliseconds))
        }
    }

    /// The last verified delivery of a pipeline, when it was of another repository than the one of now.
    public func stray(of pipeline: Pipeline) throws(VoltError) -> StrayDelivery? {
        try database.rows(
            "SELECT repository, expected, delivery, at FROM strays WHERE pipeline = ? AND expected = ?",
            .text(pipeline.name.text), .text(pipeline.repo)
        ) {
            StrayDelivery(
                repository: $0.text(0), expected: $0.text(1), delivery: $0.optionalText(2),
                at: Timestamp(milliseconds: $0.integer(3)))
        }.first
    }
}
