import Testing
import VoltCore
import VoltSystem
import VoltTestKit

@testable import GitopsEngine

private let database = "/usr/share/zoneinfo"

/// A moment from RFC 3339, in seconds.
func seconds(_ text: String) -> Int64 { (Timestamp(rfc3339: text)?.milliseconds ?? 0) / 1000 }

@Suite struct ZoneTests {
    @Test(
        "offsets are those that date(1) computes, before, in and behind the table of the zone",
        arguments: [
            "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Africa/Casablanca", "Asia/Kathmandu",
            "America/St_Johns", "Europe/Dublin", "Pacific/Apia", "Asia/Gaza", "Antarctica/Troll", "Etc/GMT+5",
        ])
    func offsets(name: String) throws {
        let rules = try ZoneRules.read(name, from: database)
        let scratch = try ScratchDirectory()
        var tool = ToolRunner(scratch: scratch.path)
        tool.environment["TZ"] = name
        // Every 9 days and some hours from 1972 to 2099: past 2037 the rules of the footer hold.
        let moments = Array(
            stride(from: Int64(63_072_000), to: 4_086_000_000, by: 9 * 86_400 + 5 * 3600 + 60))
        let input = moments.map { "@\($0)\n" }.joined()
        let lines = try tool.run(["date", "-f", "-", "+%s %z"], input: input).stdout.split(separator: "\n")
        try #require(lines.count == moments.count)
        for (moment, line) in zip(moments, lines) {
            let offset = rules.offset(at: moment)
            let minutes = abs(offset) / 60
            let pad = { (value: Int64) in (value < 10 ? "0" : "") + "\(value)" }
            let text = "\(moment) \(offset < 0 ? "-" : "+")\(pad(minutes / 60))\(pad(minutes % 60))"
            // "-0000" is how date(1) writes an offset that nobody knows.
            #expect(text == line.replacing("-0000", with: "+0000"))
        }
    }

    @Test("a time that the clock skips is the moment of the change, and one that it shows twice has two")
    func edges() throws {
        let berlin = try ZoneRules.read("Europe/Berlin", from: database)
        func local(_ text: String) -> CivilTime { CivilTime(seconds: seconds(text)) }
        let skipped = berlin.moments(of: local("2026-03-29T02:30:00Z"))
        #expect(skipped.moments == [seconds("2026-03-29T01:00:00Z")] && skipped.isSkipped)
        let twice = berlin.moments(of: local("2026-10-25T02:30:00Z"))
        #expect(twice.moments == [seconds("2026-10-25T00:30:00Z"), seconds("2026-10-25T01:30:00Z")])
        let before = berlin.moments(of: local("2026-03-29T01:59:00Z"))
        #expect(before.moments == [seconds("2026-03-29T00:59:00Z")] && !before.isSkipped)
        #expect(
            berlin.moments(of: local("2026-03-29T03:00:00Z")).moments == [seconds("2026-03-29T01:00:00Z")])
        // Half an hour only.
        let howe = try ZoneRules.read("Australia/Lord_Howe", from: database)
        #expect(howe.moments(of: local("2026-04-05T01:45:00Z")).moments.count == 2)
        // A day that never was.
        let apia = try ZoneRules.read("Pacific/Apia", from: database)
        #expect(apia.moments(of: local("2011-12-30T12:00:00Z")).isSkipped)
    }

    @Test(
        "a name that is no zone is refused, and no file outside of the database is read",
        arguments: [
            "Europe/Nowhere", "../../../etc/passwd", "/etc/passwd", "", "Europe", "a//b", "Europe/Berlin ",
            ".",
        ])
    func names(name: String) throws {
        let error = try #require(throws: VoltError.self) { try ZoneRules.read(name, from: database) }
        #expect(error.code == .usage)
    }

    @Test("a file that is cut off or changed anywhere is refused or read, and never ends the process")
    func damaged() throws {
        let bytes = try Files.read("\(database)/Europe/Berlin")
        for count in stride(from: 0, to: bytes.count, by: 7) {
            #expect(throws: VoltError.self) { try ZoneRules(name: "x", bytes: Array(bytes[..<count])) }
        }
        var random = SystemRandomNumberGenerator()
        for _ in 0..<300 {
            var changed = bytes
            let place = Int.random(in: 0..<bytes.count, using: &random)
            changed[place] = UInt8.random(in: 0...255, using: &random)
            if let rules = try? ZoneRules(name: "x", bytes: changed) {
                _ = rules.moments(of: CivilTime(day: 20_000, minute: 90))
            }
        }
    }

    @Test(
        "the rules behind the table are those of POSIX",
        arguments: [
            ("CET-1CEST,M3.5.0,M10.5.0/3", "2050-07-01T00:00:00Z", 7200),
            ("CET-1CEST,M3.5.0,M10.5.0/3", "2050-01-01T00:00:00Z", 3600),
            ("EST5EDT,M3.2.0,M11.1.0", "2050-07-01T00:00:00Z", -14400),
            ("AEST-10AEDT,M10.1.0,M4.1.0/3", "2050-01-01T00:00:00Z", 39600),
            ("<+1030>-10:30<+11>-11,M10.1.0,M4.1.0", "2050-01-01T00:00:00Z", 39600),
            ("IST-1GMT0,M10.5.0,M3.5.0/1", "2050-01-01T00:00:00Z", 0),
            ("AAA0BBB,J60/0,J300/0", "2048-03-01T00:00:00Z", 3600),
            ("AAA0BBB,J60/0,J300/0", "2048-02-29T12:00:00Z", 0),
            ("AAA0BBB,59/0,300/0", "2048-02-29T12:00:00Z", 3600), ("<-03>3", "2050-01-01T00:00:00Z", -10800),
        ])
    func posix(text: String, moment: String, expected: Int64) throws {
        #expect(try #require(PosixZone(text)).offset(at: seconds(moment)) == expected)
    }

    @Test(
        "a rule that is not of POSIX is refused",
        arguments: [
            "", "CE", "CET", "CET-25", "CET-1CEST", "CET-1CEST,M3.5.0", "CET-1CEST,M13.1.0,M1.1.0", "<+03",
            "A1B2",
        ])
    func notPosix(text: String) { #expect(PosixZone(text) == nil) }
}
