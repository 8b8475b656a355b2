internal import CSQLite
public import VoltCore

/// A SQLite database on disk in WAL mode with `synchronous=FULL`: when a transaction has ended, it
/// survives `kill -9` and a power cut.
///
/// A value belongs to one thread at a time; other processes may have the same file open.
public final class Database {
    private let handle: OpaquePointer
    private let path: String
    private var statements: [String: OpaquePointer] = [:]
    private var depth = 0
    private let writers: WriterLock

    /// Opens a database and brings its tables up to date.
    ///
    /// - Parameters:
    ///   - path: the file, made when it is not there.
    ///   - migrations: one script a version, in their order; `user_version` counts those that ran.
    /// - Throws: `VoltError`; code `refused` when a newer Volt wrote the file.
    public init(path: String, migrations: [String]) throws(VoltError) {
        var opened: OpaquePointer?
        let flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX
        guard sqlite3_open_v2(path, &opened, flags, nil) == SQLITE_OK, let opened else {
            let reason = opened.map { String(cString: sqlite3_errmsg($0)) } ?? "out of memory"
            sqlite3_close_v2(opened)
            throw VoltError(.failed, "cannot open '\(path)': \(reason)")
        }
        handle = opened
        self.path = path
        writers = WriterLock.of(path)
        sqlite3_busy_timeout(handle, 10_000)
        guard try text("PRAGMA journal_mode=WAL") == "wal" else {
            throw VoltError(
                .failed, "cannot open '\(path)': its file system does not allow a write-ahead log")
        }
        try execute("PRAGMA synchronous=FULL")
        guard try integer("PRAGMA synchronous") == 2 else {
            throw VoltError(.failed, "cannot open '\(path)': synchronous=FULL was not taken")
        }
        try execute("PRAGMA foreign_keys=ON")
        try migrate(migrations)
    }

    deinit {
        for statement in statements.values { sqlite3_finalize(statement) }
        sqlite3_close_v2(handle)
    }

    private func migrate(_ migrations: [String]) throws(VoltError) {
        guard try version(knowing: migrations.count) < migrations.count else { return }
        try transaction { () throws(VoltError) in
            // Another process may have done it while this one waited for the lock.
            let done = try version(knowing: migrations.count)
            for (index, script) in migrations.enumerated() where index >= done {
                try check(sqlite3_exec(handle, script, nil, nil, nil))
                try check(sqlite3_exec(handle, "PRAGMA user_version=\(index + 1)", nil, nil, nil))
            }
        }
    }

    private func version(knowing known: Int) throws(VoltError) -> Int {
        let mark = FormatMark(
            known, to: "open '\(path)'", hint: "upgrade Volt, or point VOLT_ROOT at another directory")
        return try mark.check(Int(try integer("PRAGMA user_version") ?? 0))
    }

    /// Runs statements as one: all of them are on disk when this returns, or none.
    ///
    /// A transaction within one belongs to the outer.
    public func transaction<Result>(_ body: () throws(VoltError) -> Result) throws(VoltError) -> Result {
        if depth > 0 { return try body() }
        writers.lock()
        defer { writers.unlock() }
        depth += 1
        defer { depth -= 1 }
        try execute("BEGIN IMMEDIATE")
        do throws(VoltError) {
            let result = try body()
            try execute("COMMIT")
            return result
        } catch {
            sqlite3_exec(handle, "ROLLBACK", nil, nil, nil)
            throw error
        }
    }

    /// Runs several queries on one moment of the database, which nobody waits for. They write nothing.
    public func reading<Result>(_ body: () throws(VoltError) -> Result) throws(VoltError) -> Result {
        if depth > 0 { return try body() }
        depth += 1
        defer {
            sqlite3_exec(handle, "COMMIT", nil, nil, nil)
            depth -= 1
        }
        try run("BEGIN", []) { _ in }
        return try body()
    }

    /// Runs a statement that gives no rows.
    public func execute(_ sql: String, _ values: SQLValue...) throws(VoltError) {
        let isAlone = depth == 0
        if isAlone { writers.lock() }
        defer { if isAlone { writers.unlock() } }
        try run(sql, values) { _ in }
    }

    /// The rows of a query.
    public func rows<Element>(_ sql: String, _ values: SQLValue..., read: (Row) -> Element) throws(VoltError)
        -> [Element]
    {
        var elements: [Element] = []
        try run(sql, values) { elements.append(read($0)) }
        return elements
    }

    /// The first column of the first row, or nil.
    public func integer(_ sql: String, _ values: SQLValue...) throws(VoltError) -> Int64? {
        var result: Int64?
        try run(sql, values) { row in if result == nil { result = row.optionalInteger(0) } }
        return result
    }

    /// The first column of the first row, or nil.
    public func text(_ sql: String, _ values: SQLValue...) throws(VoltError) -> String? {
        var result: String?
        try run(sql, values) { row in if result == nil { result = row.optionalText(0) } }
        return result
    }

    /// The row id of the last insert.
    public var lastInsertedRow: Int64 { sqlite3_last_insert_rowid(handle) }

    /// How many rows the last statement changed.
    public var changes: Int { Int(sqlite3_changes(handle)) }

    private func run(_ sql: String, _ values: [SQLValue], _ each: (Row) -> Void) throws(VoltError) {
        let statement = try prepared(sql)
        defer {
            sqlite3_reset(statement)
            sqlite3_clear_bindings(statement)
        }
        for (index, value) in values.enumerated() {
            let position = Int32(index + 1)
            switch value {
            case .null: try check(sqlite3_bind_null(statement, position))
            case .integer(let number): try check(sqlite3_bind_int64(statement, position, number))
            case .text(let text):
                try check(volt_sqlite_bind_text(statement, position, text, Int32(text.utf8.count)))
            }
        }
        while true {
            switch sqlite3_step(statement) {
            case SQLITE_ROW: each(Row(statement: statement))
            case SQLITE_DONE: return
            case let code: try check(code)
            }
        }
    }

    private func prepared(_ sql: String) throws(VoltError) -> OpaquePointer {
        if let statement = statements[sql] { return statement }
        var statement: OpaquePointer?
        try check(sqlite3_prepare_v3(handle, sql, -1, UInt32(SQLITE_PREPARE_PERSISTENT), &statement, nil))
        guard let statement else { throw VoltError(.failed, "an empty statement for '\(path)'") }
        statements[sql] = statement
        return statement
    }

    private func check(_ code: Int32) throws(VoltError) {
        guard code != SQLITE_OK else { return }
        let reason = String(cString: sqlite3_errmsg(handle))
        switch code & 0xff {
        case SQLITE_FULL, SQLITE_IOERR:
            throw VoltError(.tryAgain, "cannot write '\(path)': \(reason)", hint: "is the disk full?")
        case SQLITE_BUSY, SQLITE_LOCKED:
            throw VoltError(
                .tryAgain, "cannot write '\(path)': another process has locked it for ten seconds")
        case SQLITE_CORRUPT, SQLITE_NOTADB:
            throw VoltError(
                .failed, "cannot read '\(path)': \(reason)",
                hint: "move the file away and create the pipelines again; the workloads keep running")
        default: throw VoltError(.failed, "cannot use '\(path)': \(reason)")
        }
    }
}

/// A value bound to a statement.
public enum SQLValue: Sendable, ExpressibleByIntegerLiteral, ExpressibleByStringLiteral,
    ExpressibleByNilLiteral
{
    /// NULL.
    case null
    /// A 64-bit integer.
    case integer(Int64)
    /// UTF-8 text.
    case text(String)

    /// NULL.
    public init(nilLiteral: ()) { self = .null }
    /// An integer.
    public init(integerLiteral value: Int64) { self = .integer(value) }
    /// A text.
    public init(stringLiteral value: String) { self = .text(value) }
    /// A text, or NULL.
    public init(_ value: String?) { self = value.map(Self.text) ?? .null }
    /// An integer, or NULL.
    public init(_ value: Int64?) { self = value.map(Self.integer) ?? .null }
    /// A boolean as 0 or 1.
    public init(_ value: Bool) { self = .integer(value ? 1 : 0) }
}

/// A row of a query, valid while it is being read.
public struct Row {
    fileprivate let statement: OpaquePointer

    /// The integer in a column, 0 for NULL.
    public func integer(_ column: Int) -> Int64 { sqlite3_column_int64(statement, Int32(column)) }

    /// The integer in a column, or nil for NULL.
    public func optionalInteger(_ column: Int) -> Int64? {
        sqlite3_column_type(statement, Int32(column)) == SQLITE_NULL ? nil : integer(column)
    }

    /// The text in a column, empty for NULL.
    public func text(_ column: Int) -> String { optionalText(column) ?? "" }

    /// The text in a column, or nil for NULL.
    public func optionalText(_ column: Int) -> String? {
        sqlite3_column_text(statement, Int32(column)).map { String(cString: $0) }
    }
}
