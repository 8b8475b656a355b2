internal import VoltCore
internal import VoltSQLite
internal import VoltWorkloadTool

/// The kinds whose tools may have the workload of a pipeline. A workload that changes its kind is applied by the new
/// tool first; once it is healthy it is removed from the others. What is not removed yet stays in the journal, so that
/// the next run ends what a kill has cut off.
struct KindChange {
    let journal: Journal
    let reader: WorkloadReader

    /// The kinds other than a given one that may have the workload, sorted.
    func others(than kind: String, of pipeline: Pipeline) throws(VoltError) -> [String] {
        var found = try journal.appliedKinds(of: pipeline.name.text)
        if let deployed = try deployedKind(of: pipeline) { found.insert(deployed) }
        return found.subtracting([kind]).sorted()
    }

    /// The kinds that still may have the workload beside the one that was deployed; none before the first deploy.
    func pending(of pipeline: Pipeline) throws(VoltError) -> [String] {
        guard let kind = try deployedKind(of: pipeline) else { return [] }
        return try others(than: kind, of: pipeline)
    }

    /// The kind that was deployed last; nil when nothing was, or it was removed, or its snapshot is gone.
    func deployedKind(of pipeline: Pipeline) throws(VoltError) -> String? {
        let name = pipeline.name.text
        let marked = try journal.markedKind(of: name)
        let good = try journal.lastApplied(of: name)
        if let good, good.id > marked?.attempt ?? 0, try journal.has(.pruned, attempt: good.id) { return nil }
        if let marked { return marked.kind }
        // A version that marked no kinds deployed it. A tool that says no steps leaves no applied attempt either.
        let deployed = try journal.deployed(of: name)
        guard let snapshot = good?.snapshotName ?? good?.commit ?? deployed?.snapshot else { return nil }
        return try? reader.kind(of: pipeline, in: snapshot)
    }

    /// Removes the workload from kinds that had it; its volumes stay.
    ///
    /// - Parameters:
    ///   - others: the kinds that give it up.
    ///   - log: told of each.
    /// - Returns: why it is not removed, by kind.
    func remove(from others: [String], _ pipeline: Pipeline, log: (String) -> Void) throws(VoltError)
        -> [String: String]
    {
        var failures: [String: String] = [:]
        for kind in others {
            do throws(VoltError) {
                if try reader.kinds.find(kind).remove(pipeline.workload) {
                    log("workload '\(pipeline.workload)' of kind '\(kind)' was removed")
                }
                try journal.forgetKind(kind, of: pipeline.name.text)
            } catch {
                failures[kind] = error.message
                log("workload '\(pipeline.workload)' of kind '\(kind)' is still there: \(error.message)")
            }
        }
        return failures
    }

    /// Removes the workload of a pipeline from every kind that may have it; its volumes stay. One that is not there
    /// any more was removed by hand, or by a removal that was cut off.
    ///
    /// - Parameter kind: the kind that was deployed last.
    /// - Throws: `VoltError` of the first that is not removed.
    func removeAll(_ kind: String, _ pipeline: Pipeline) throws(VoltError) {
        for kind in [kind] + (try others(than: kind, of: pipeline)) {
            _ = try reader.kinds.find(
                kind, hint: "install it, so that workload '\(pipeline.workload)' can be removed"
            ).remove(pipeline.workload)
            try journal.forgetKind(kind, of: pipeline.name.text)
        }
    }

    /// Ends what was cut off, when nothing of the pipeline is under way.
    func finish(_ pipeline: Pipeline, log: (String) -> Void) throws(VoltError) {
        let name = pipeline.name.text
        guard try journal.open(of: name).isEmpty, try !journal.isInterrupted(name) else { return }
        let pending = try pending(of: pipeline)
        guard !pending.isEmpty else { return }
        _ = try remove(from: pending, pipeline, log: log)
    }
}

extension Journal {
    /// The kind that the last successful attempt was marked with.
    func markedKind(of pipeline: String) throws(VoltError) -> (attempt: Int64, kind: String)? {
        try database.rows(
            """
            SELECT id, value FROM attempts JOIN marks ON attempt = id
            WHERE pipeline = ? AND state = 'done' AND mark = 'kind' ORDER BY id DESC LIMIT 1
            """, .text(pipeline)
        ) { (attempt: $0.integer(0), kind: $0.text(1)) }.first
    }

    /// The kinds whose tools were started for a pipeline, and have not given the workload up since.
    func appliedKinds(of pipeline: String) throws(VoltError) -> Set<String> {
        let values = try database.rows(
            """
            SELECT DISTINCT value FROM attempts JOIN marks ON attempt = id
            WHERE pipeline = ? AND mark IN ('kind', 'kinds')
            """, .text(pipeline)
        ) { $0.text(0) }
        return Set(values.flatMap { $0.split(separator: " ").map(String.init) })
    }

    /// Notes which kinds may have the workload from now on, before a tool is started.
    ///
    /// - Parameters:
    ///   - kind: the kind that is applied.
    ///   - others: those that had it.
    func markKinds(_ kind: String, others: [String], attempt: Int64) throws(VoltError) {
        try transaction { () throws(VoltError) in
            try mark(attempt, .kind, kind)
            if !others.isEmpty { try mark(attempt, .kinds, others.joined(separator: " ")) }
        }
    }

    /// Takes back what was noted for an attempt whose tool has undone what it did.
    func unmarkKinds(attempt: Int64) throws(VoltError) {
        try database.execute(
            "DELETE FROM marks WHERE attempt = ? AND mark IN ('kind', 'kinds')", .integer(attempt))
    }

    /// Notes that a kind does not have the workload of a pipeline any more.
    func forgetKind(_ kind: String, of pipeline: String) throws(VoltError) {
        try transaction { () throws(VoltError) in
            let marks = try database.rows(
                """
                SELECT id, mark, value FROM attempts JOIN marks ON attempt = id
                WHERE pipeline = ? AND mark IN ('kind', 'kinds')
                """, .text(pipeline)
            ) { ($0.integer(0), $0.text(1), $0.text(2)) }
            for (id, mark, value) in marks {
                let words = value.split(separator: " ")
                guard words.contains(Substring(kind)) else { continue }
                let rest = words.filter { $0 != kind }.joined(separator: " ")
                if rest.isEmpty {
                    try database.execute(
                        "DELETE FROM marks WHERE attempt = ? AND mark = ?", .integer(id), .text(mark))
                } else {
                    try database.execute(
                        "UPDATE marks SET value = ? WHERE attempt = ? AND mark = ?", .text(rest),
                        .integer(id), .text(mark))
                }
            }
        }
    }
}
