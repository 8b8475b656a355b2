internal import VoltCore
internal import VoltSQLite

/// What the log of accepted deliveries hands over to the journal.
extension Journal {
    /// Whether a delivery is in flight or was deployed: then it is a duplicate.
    func knows(delivery: String, of pipeline: String) throws(VoltError) -> Bool {
        try database.integer(
            """
            SELECT 1 FROM attempts INDEXED BY attempts_by_known_delivery
            WHERE delivery = ? AND pipeline = ? AND (finished IS NULL OR state = 'done') LIMIT 1
            """, .text(delivery), .text(pipeline)) != nil
    }

    /// Several looks at one moment of the journal.
    func reading<Result>(_ body: () throws(VoltError) -> Result) throws(VoltError) -> Result {
        try database.reading(body)
    }

    /// Up to where the log of deliveries was taken over.
    func drained() throws(VoltError) -> DeliveryLog.Position {
        try database.rows("SELECT generation, position FROM drained") {
            DeliveryLog.Position(generation: $0.integer(0), offset: $0.integer(1))
        }.first ?? DeliveryLog.Position(generation: 0, offset: 0)
    }

    /// Takes deliveries over as attempts, once: their position in the log is kept with them. Of each
    /// pipeline only the newest is queued, the others were superseded before they began. Those of a
    /// pipeline that was deleted meanwhile are dropped, as its history was.
    func drain(_ deliveries: [AcceptedDelivery], to end: DeliveryLog.Position, at now: Timestamp)
        throws(VoltError)
    {
        try transaction { () throws(VoltError) in
            let names = Set(try database.rows("SELECT name FROM pipelines") { $0.text(0) })
            let kept = deliveries.filter { names.contains($0.pipeline) }
            let first =
                try (database.integer("SELECT seq FROM sqlite_sequence WHERE name = 'attempts'") ?? 0) + 1
            var newest: [String: Int64] = [:]
            for (index, delivery) in kept.enumerated() { newest[delivery.pipeline] = first + Int64(index) }
            for (index, delivery) in kept.enumerated() {
                let id = first + Int64(index)
                let newer = newest[delivery.pipeline] ?? id
                let isQueued = newer == id
                try database.execute(
                    """
                    INSERT INTO attempts
                    (id, pipeline, state, trigger, delivery, branch, new_commit, note, accepted, finished, decision)
                    VALUES (?, ?, ?, 'webhook', ?, ?, ?, ?, ?, ?, ?)
                    """, .integer(id), .text(delivery.pipeline),
                    .text((isQueued ? AttemptState.accepted : .superseded).rawValue),
                    SQLValue(delivery.delivery), .text(delivery.branch), SQLValue(delivery.commit),
                    .text(isQueued ? delivery.note : "\(delivery.note), superseded by attempt \(newer)"),
                    .integer(delivery.at.milliseconds), isQueued ? nil : .integer(now.milliseconds),
                    isQueued ? nil : .text("not started: attempt \(newer) was queued after it"))
            }
            try database.execute(
                "INSERT OR REPLACE INTO drained (one, generation, position) VALUES (1, ?, ?)",
                .integer(end.generation), .integer(end.offset))
        }
    }

    /// Takes over what a server that died left in its log of deliveries.
    ///
    /// - Parameter state: the directory of the log; nobody else may write to it.
    func drainLog(in state: String, at now: Timestamp) throws(VoltError) {
        let groups = try DeliveryLog.groups(in: state, after: drained())
        guard let last = groups.last else { return }
        try drain(groups.flatMap { AcceptedDelivery.decode($0.payload) }, to: last.end, at: now)
    }
}
