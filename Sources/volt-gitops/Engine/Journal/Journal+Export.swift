internal import VoltCore
internal import VoltSQLite

extension Journal {
    /// Gives a pipeline other settings; its history stays. Where it reads from elsewhere, what the last poll
    /// found is forgotten.
    func replace(_ pipeline: Pipeline) throws(VoltError) {
        let old = try self.pipeline(pipeline.name.text)
        let isElsewhere =
            old.repo != pipeline.repo || old.branch != pipeline.branch || old.shape != pipeline.shape
        try database.execute(
            "UPDATE pipelines SET settings = ? WHERE name = ?", .text(try Self.encode(pipeline)),
            .text(pipeline.name.text))
        guard isElsewhere else { return }
        try database.execute(
            "UPDATE pipelines SET polled = NULL, poll_error = NULL, seen = NULL, seen_origin = NULL WHERE name = ?",
            .text(pipeline.name.text))
    }
}
