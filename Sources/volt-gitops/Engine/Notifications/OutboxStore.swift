internal import FoundationEssentials
internal import GitopsNotifications
internal import VoltCore
internal import VoltSQLite

/// A message that waits in the outbox.
struct OutboxMessage: Sendable, Equatable {
    var id: Int64
    var pipeline: String
    /// `status`, or the id of a `NotifyTarget`.
    var target: String
    var notification: Notification
    /// How often it was tried.
    var tries: Int
}

/// The messages that wait to be delivered, and the notifications that they are made of.
///
/// Triggers write the notifications, so that each is in the transaction of the state change, whoever makes that: nothing
/// is told that did not happen, and nothing that happened is forgotten by a kill.
struct OutboxStore {
    let database: Database

    /// Writes something to tell that is not the end of an attempt, in the transaction that is open.
    func notify(_ notification: Notification, of pipeline: String) throws(VoltError) {
        guard let settings = try Journal.pipeline(pipeline, in: database).notify, !settings.isEmpty else {
            return
        }
        try database.execute(
            "INSERT INTO tidings (pipeline, attempt, kind, commit_id, note, at) VALUES (?, ?, ?, ?, ?, ?)",
            .text(pipeline), SQLValue(notification.attempt), .text(notification.kind.rawValue),
            SQLValue(notification.commit),
            .text(String(notification.note.prefix(1000))), .integer(notification.at.milliseconds))
    }

    /// The name of the commit status among the targets.
    static let statusTarget = "status"

    /// The same is not told again within this time, however the pipeline went back and forth.
    static let quiet = Duration.seconds(300)

    /// Makes messages of what is to be told: one for each who wants it, all in one transaction.
    func enqueueNotifications(at now: Timestamp) throws(VoltError) {
        // The usual case costs one look at an empty table.
        guard try database.integer("SELECT 1 FROM tidings LIMIT 1") != nil else { return }
        try database.transaction { () throws(VoltError) in
            let rows = try database.rows(
                "SELECT id, pipeline, attempt, kind, commit_id, note, at FROM tidings ORDER BY id LIMIT 500"
            ) { row in (row.integer(0), row.text(1), Self.notification(row, from: 2)) }
            for (id, name, notification) in rows {
                if let notification, let settings = try Journal.pipeline(name, in: database).notify {
                    try enqueue(notification, of: name, settings, now)
                }
                try database.execute("DELETE FROM tidings WHERE id = ?", .integer(id))
            }
        }
    }

    private static func notification(_ row: Row, from column: Int) -> Notification? {
        // A kind that this version does not know says nothing.
        guard let kind = Notification.Kind(rawValue: row.text(column + 1)) else { return nil }
        return Notification(
            kind: kind, attempt: row.optionalInteger(column), commit: row.optionalText(column + 2),
            note: row.text(column + 3), at: Timestamp(milliseconds: row.integer(column + 4)))
    }

    private func enqueue(
        _ notification: Notification, of name: String, _ settings: NotifySettings, _ now: Timestamp
    )
        throws(VoltError)
    {
        if settings.status != nil, let commit = notification.commit, notification.kind != .drift,
            notification.kind != .test
        {
            // Only the newest state of a commit counts.
            try database.execute(
                "DELETE FROM outbox WHERE pipeline = ? AND target = ? AND commit_id = ?", .text(name),
                .text(Self.statusTarget), .text(commit))
            try post(notification, of: name, to: Self.statusTarget, now)
        }
        guard notification.kind != .started, notification.kind != .superseded,
            try isNews(notification, of: name, onlyFailures: settings.onlyFailures)
        else { return }
        for target in settings.targets { try post(notification, of: name, to: target.id, now) }
    }

    private func post(_ notification: Notification, of name: String, to target: String, _ now: Timestamp)
        throws(VoltError)
    {
        try database.execute(
            """
            INSERT INTO outbox (pipeline, target, attempt, kind, commit_id, note, at, due)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?)
            """, .text(name), .text(target), SQLValue(notification.attempt),
            .text(notification.kind.rawValue),
            SQLValue(notification.commit), .text(notification.note), .integer(notification.at.milliseconds),
            .integer(now.milliseconds))
    }

    /// Whether people want to hear it: not what was said last, and no failure again that was said a moment
    /// ago. The last word is always right: a success after a failure is said. Keeps what is said.
    private func isNews(_ notification: Notification, of name: String, onlyFailures: Bool) throws(VoltError)
        -> Bool
    {
        let commit = notification.commit ?? ""
        let last = try database.rows(
            "SELECT kind, commit_id FROM told WHERE pipeline = ? ORDER BY at DESC, rowid DESC LIMIT 1",
            .text(name)
        ) { (kind: $0.text(0), commit: $0.text(1)) }.first
        if let last, last.kind == notification.kind.rawValue, last.commit == commit { return false }
        let isRecovery =
            notification.kind == .success
            && last.flatMap { Notification.Kind(rawValue: $0.kind) }?.isBad == true
        let same = try database.integer(
            "SELECT at FROM told WHERE pipeline = ? AND commit_id = ? AND kind = ?", .text(name),
            .text(commit), .text(notification.kind.rawValue))
        let isRecent = same.map { notification.at.milliseconds - $0 < Self.quiet.milliseconds } ?? false
        if isRecent, !isRecovery { return false }
        // What is a day old is remembered only as the last word, which is replaced here.
        try database.execute(
            "DELETE FROM told WHERE pipeline = ? AND at < ?", .text(name),
            .integer(notification.at.milliseconds - 86_400_000))
        try database.execute(
            "INSERT OR REPLACE INTO told (pipeline, commit_id, kind, at) VALUES (?, ?, ?, ?)", .text(name),
            .text(commit), .text(notification.kind.rawValue), .integer(notification.at.milliseconds))
        return !onlyFailures || notification.kind != .success || isRecovery
    }

    /// The messages whose time has come, the oldest first.
    func dueMessages(at now: Timestamp, limit: Int) throws(VoltError) -> [OutboxMessage] {
        try database.rows(
            """
            SELECT id, pipeline, target, attempt, kind, commit_id, note, at, tries FROM outbox
            WHERE due <= ? ORDER BY id LIMIT ?
            """, .integer(now.milliseconds), .integer(Int64(limit))
        ) { row -> OutboxMessage? in
            Self.notification(row, from: 3).map {
                OutboxMessage(
                    id: row.integer(0), pipeline: row.text(1), target: row.text(2), notification: $0,
                    tries: Int(row.integer(8)))
            }
        }.compactMap { $0 }
    }

    /// How many messages wait.
    func waitingMessages() throws(VoltError) -> Int {
        Int(try database.integer("SELECT count(*) FROM outbox") ?? 0)
    }

    /// Counts a try before it is made; a server that dies at it tries again at `next`.
    ///
    /// - Returns: false when the message is gone meanwhile, since a newer state has replaced it.
    func beginTry(of message: OutboxMessage, next: Timestamp) throws(VoltError) -> Bool {
        try database.transaction { () throws(VoltError) in
            try database.execute(
                "UPDATE outbox SET tries = ?, due = ? WHERE id = ?", .integer(Int64(message.tries + 1)),
                .integer(next.milliseconds), .integer(message.id))
            return database.changes == 1
        }
    }

    /// Makes every message due: a server that starts does not wait for what its predecessor put off.
    func retryNow(at now: Timestamp) throws(VoltError) {
        try database.execute(
            "UPDATE outbox SET due = ?1 WHERE due > ?1", .integer(now.milliseconds))
    }

    /// Puts off the next try.
    func putOff(_ message: OutboxMessage, until next: Timestamp) throws(VoltError) {
        try database.execute(
            "UPDATE outbox SET due = ? WHERE id = ?", .integer(next.milliseconds), .integer(message.id))
    }

    /// Takes a message out of the outbox: it was delivered, or is given up.
    func drop(_ message: OutboxMessage) throws(VoltError) {
        try database.execute("DELETE FROM outbox WHERE id = ?", .integer(message.id))
    }
}
