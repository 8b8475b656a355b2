import Glibc
import Testing
import VoltCore
import VoltSQLite
import VoltSystem
import VoltTestKit

private let tables = ["CREATE TABLE things (id INTEGER PRIMARY KEY, name TEXT UNIQUE) STRICT"]

@Suite struct DatabaseTests {
    @Test("a database is in WAL mode with synchronous=FULL and foreign keys")
    func modes() throws {
        let scratch = try ScratchDirectory()
        let database = try Database(path: "\(scratch.path)/a.db", migrations: tables)
        #expect(try database.text("PRAGMA journal_mode") == "wal")
        #expect(try database.integer("PRAGMA synchronous") == 2)
        #expect(try database.integer("PRAGMA foreign_keys") == 1)
    }

    @Test("values come back as they were bound, a zero byte and every letter included")
    func values() throws {
        let scratch = try ScratchDirectory()
        let database = try Database(path: "\(scratch.path)/a.db", migrations: tables)
        for (id, name) in [(1, "ä€😀"), (2, "it's; DROP TABLE things"), (3, "")] as [(Int64, String)] {
            try database.execute("INSERT INTO things (id, name) VALUES (?, ?)", .integer(id), .text(name))
        }
        try database.execute("INSERT INTO things (id, name) VALUES (?, ?)", .integer(.min), nil)
        let rows = try database.rows("SELECT id, name FROM things ORDER BY id") {
            ($0.integer(0), $0.optionalText(1))
        }
        #expect(rows.map(\.0) == [.min, 1, 2, 3])
        #expect(rows.map(\.1) == [nil, "ä€😀", "it's; DROP TABLE things", ""])
    }

    @Test("a transaction that throws leaves nothing, and the database goes on")
    func rollback() throws {
        let scratch = try ScratchDirectory()
        let database = try Database(path: "\(scratch.path)/a.db", migrations: tables)
        #expect(throws: VoltError.self) {
            try database.transaction { () throws(VoltError) in
                try database.execute("INSERT INTO things (name) VALUES ('a')")
                try database.execute("INSERT INTO things (name) VALUES ('a')")
            }
        }
        #expect(try database.integer("SELECT count(*) FROM things") == 0)
        try database.execute("INSERT INTO things (name) VALUES ('a')")
        #expect(database.changes == 1)
    }

    @Test("migrations run once each, in their order, on a file that was made by fewer of them")
    func migrations() throws {
        let scratch = try ScratchDirectory()
        let path = "\(scratch.path)/a.db"
        do {
            let first = try Database(path: path, migrations: tables)
            try first.execute("INSERT INTO things (name) VALUES ('kept')")
        }
        let second = try Database(
            path: path, migrations: tables + ["ALTER TABLE things ADD COLUMN size INTEGER"])
        #expect(try second.text("SELECT name FROM things WHERE size IS NULL") == "kept")
        #expect(try second.integer("PRAGMA user_version") == 2)
    }

    @Test("a migration that fails leaves the old version whole")
    func failedMigration() throws {
        let scratch = try ScratchDirectory()
        let path = "\(scratch.path)/a.db"
        _ = try Database(path: path, migrations: tables)
        #expect(throws: VoltError.self) {
            try Database(
                path: path,
                migrations: tables + ["CREATE TABLE more (id INTEGER); CREATE TABLE things (id INTEGER)"])
        }
        let again = try Database(path: path, migrations: tables)
        #expect(try again.integer("SELECT count(*) FROM sqlite_master WHERE name = 'more'") == 0)
    }

    @Test("a file of a newer version is refused with a hint")
    func newer() throws {
        let scratch = try ScratchDirectory()
        let path = "\(scratch.path)/a.db"
        do {
            let database = try Database(path: path, migrations: tables)
            try database.execute("PRAGMA user_version=9")
        }
        let error = #expect(throws: VoltError.self) { try Database(path: path, migrations: tables) }
        #expect(error?.code == .refused)
        #expect(error?.message == "cannot open '\(path)': format 9 is newer than this tool reads (1)")
        #expect(error?.hint != nil)
    }

    @Test("a file that is no database is named, with what to do")
    func noDatabase() throws {
        let scratch = try ScratchDirectory()
        let path = "\(scratch.path)/a.db"
        try Files.replace(path, with: String(repeating: "not a database ", count: 100).utf8)
        let error = #expect(throws: VoltError.self) { try Database(path: path, migrations: tables) }
        #expect(error?.message.contains("'\(path)'") == true)
        #expect(error?.hint != nil)
    }

    @Test("a directory that is not there is an error with the path")
    func missing() throws {
        let scratch = try ScratchDirectory()
        let path = "\(scratch.path)/none/a.db"
        let error = #expect(throws: VoltError.self) { try Database(path: path, migrations: tables) }
        #expect(error?.message.contains("'\(path)'") == true)
    }

    @Test("a second connection sees what the first has committed, and counts its changes")
    func twoConnections() throws {
        let scratch = try ScratchDirectory()
        let path = "\(scratch.path)/a.db"
        let first = try Database(path: path, migrations: tables)
        let second = try Database(path: path, migrations: tables)
        let before = try second.integer("PRAGMA data_version")
        try first.execute("INSERT INTO things (name) VALUES ('a')")
        #expect(try second.text("SELECT name FROM things") == "a")
        #expect(try second.integer("PRAGMA data_version") != before)
    }

    @Test(
        "a full disk is an error that says so, and writing goes on when there is room again",
        .enabled(if: getuid() == 0, "needs root to mount a small file system"))
    func diskFull() throws {
        let scratch = try ScratchDirectory()
        let mount = "\(scratch.path)/small"
        try Files.makeDirectory(mount)
        let shell = ToolRunner(scratch: scratch.path)
        try #require(try shell("mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", mount).status == 0)
        defer { _ = try? shell("umount", "-l", mount) }
        do {
            let database = try Database(path: "\(mount)/a.db", migrations: tables)
            let filler = "\(mount)/filler"
            _ = try? Files.replace(filler, with: [UInt8](repeating: 7, count: 820_000))
            let long = String(repeating: "x", count: 400_000)
            let error = #expect(throws: VoltError.self) {
                try database.execute("INSERT INTO things (name) VALUES (?)", .text(long))
            }
            #expect(error?.code == .tryAgain)
            #expect(error?.hint == "is the disk full?")
            try Files.remove(filler)
            try database.execute("INSERT INTO things (name) VALUES ('after')")
            #expect(try database.integer("SELECT count(*) FROM things") == 1)
        }
    }
}
