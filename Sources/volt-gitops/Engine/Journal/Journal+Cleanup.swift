internal import VoltCore
internal import VoltSQLite

/// What a pipeline that was deleted has left on disk.
struct DeletedPipeline: Sendable, Equatable {
    /// The number of the record.
    let id: Int64
    /// The pipeline that was.
    let pipeline: Name
    /// Its repository.
    let repo: String
    /// The workload that may still mount a snapshot; nil when it was removed, too.
    let workload: Name?
    /// The kind of the workload, when it is known.
    let kind: String?
}

extension Journal {
    /// Removes a pipeline with its history, and keeps what it leaves on disk until that is gone: both or neither.
    ///
    /// - Parameters:
    ///   - keepingWorkload: whether a workload goes on, which may mount a snapshot.
    ///   - kind: the kind of the workload, nil when it is not known.
    /// - Throws: `VoltError` with code `notFound`.
    func delete(_ pipeline: Pipeline, keepingWorkload: Bool, kind: String?) throws(VoltError) {
        try transaction { () throws(VoltError) in
            try delete(pipeline.name.text)
            try database.execute(
                "INSERT INTO leftovers (pipeline, repo, workload, kind) VALUES (?, ?, ?, ?)",
                .text(pipeline.name.text), .text(pipeline.repo),
                SQLValue(keepingWorkload ? pipeline.workload.text : nil), SQLValue(kind))
        }
    }

    /// What deleted pipelines have left, the oldest first.
    func deletedPipelines() throws(VoltError) -> [DeletedPipeline] {
        try database.rows("SELECT id, pipeline, repo, workload, kind FROM leftovers ORDER BY id") { row in
            (try? Name(row.text(1))).map { pipeline in
                DeletedPipeline(
                    id: row.integer(0), pipeline: pipeline, repo: row.text(2),
                    workload: row.optionalText(3).flatMap { try? Name($0) }, kind: row.optionalText(4))
            }
        }.compactMap(\.self)
    }

    /// Forgets what is gone.
    func forget(_ deleted: DeletedPipeline) throws(VoltError) {
        try database.execute("DELETE FROM leftovers WHERE id = ?", .integer(deleted.id))
    }
}
