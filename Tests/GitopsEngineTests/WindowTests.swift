import Testing
import VoltCore

@testable import GitopsEngine

@Suite struct WindowTests {
    private func plan(_ texts: [String]) throws -> WindowPlan {
        try WindowPlan(try texts.map { try DeployWindow($0) }) { (name) throws(VoltError) in
            try ZoneRules.read(name, from: "/usr/share/zoneinfo")
        }
    }

    @Test(
        "a window that is wrong is refused with a reason",
        arguments: [
            ("", "is not a deploy window"), ("maybe 0 9 * * * 8h", "is not a deploy window"),
            ("allow 0 9 * * *", "is not a deploy window"),
            ("allow 0 9 * * * soon", "'soon' is not a duration"),
            ("deny 0 25 * * * 8h", "the hour field '25'"), ("deny 0 9 * * * 0s", "is no length"),
            ("deny 0 9 * * * 99d", "is no length"), ("deny 0 9 31 2 * 1h", "never comes"),
            ("allow 0 9 * * * 8h UTC now", "is not a deploy window"),
        ])
    func refused(text: String, reason: String) throws {
        let error = try #require(throws: VoltError.self) { try DeployWindow(text) }
        #expect(error.code == .usage)
        #expect(error.message.contains(reason), "\(error.message)")
    }

    @Test("a window is written as it is read")
    func text() throws {
        #expect(
            try DeployWindow("deny  0 16 * *\tFRI 64h Europe/Berlin").text
                == "deny 0 16 * * FRI 2d16h Europe/Berlin")
        #expect(try DeployWindow("allow 0 9 * * 1-5 8h").zone == "UTC")
        let window = try DeployWindow("deny 0 0 * * * 90m")
        #expect(try DeployWindow(window.text) == window)
    }

    private static let workHours = "allow 0 9 * * mon-fri 8h Europe/Berlin"
    private static let weekend = "deny 0 16 * * fri 64h Europe/Berlin"

    /// Windows, a moment, and when they open from it: nil for at once, "-" for never.
    @Test(
        "deploys are allowed inside allow windows, outside deny windows, and deny wins",
        arguments: [
            ([], "2026-11-23T03:00:00Z", nil), ([workHours], "2026-11-23T08:00:00Z", nil),
            ([workHours], "2026-11-23T07:59:59Z", "2026-11-23T08:00:00Z"),
            ([workHours], "2026-11-23T15:59:59Z", nil),
            ([workHours], "2026-11-23T16:00:00Z", "2026-11-24T08:00:00Z"),
            ([workHours], "2026-11-27T16:00:00Z", "2026-11-30T08:00:00Z"),
            // Summer time: 09:00 is an hour earlier in UTC.
            ([workHours], "2026-07-06T06:59:00Z", "2026-07-06T07:00:00Z"),
            ([weekend], "2026-11-27T14:59:59Z", nil),
            ([weekend], "2026-11-27T15:00:00Z", "2026-11-30T07:00:00Z"),
            ([weekend, workHours], "2026-11-27T15:00:00Z", "2026-11-30T08:00:00Z"),
            ([weekend, "allow * * * * * 1h"], "2026-11-28T00:00:00Z", "2026-11-30T07:00:00Z"),
            // Windows that touch and overlap.
            (["deny 0 0 * * * 6h", "deny 0 5 * * * 3h"], "2026-11-23T01:00:00Z", "2026-11-23T08:00:00Z"),
            (["deny * * * * * 1h"], "2026-11-23T01:00:00Z", "-"),
            (["deny 0 0 * * * 1d"], "2026-11-23T01:00:00Z", "-"),
            (["allow 0 0 29 2 * 1h"], "2026-11-23T01:00:00Z", "2028-02-29T00:00:00Z"),
            // From Friday over the change of the clock: 64 hours pass, whatever the clock shows.
            ([weekend], "2026-10-23T14:00:00Z", "2026-10-26T06:00:00Z"),
        ] as [([String], String, String?)])
    func opens(texts: [String], moment: String, expected: String?) throws {
        let plan = try plan(texts)
        let at = seconds(moment)
        #expect((plan.closed(at: at) == nil) == (expected == nil))
        let opens = plan.opens(from: at)
        switch expected {
        case nil: #expect(opens == at)
        case "-"?: #expect(opens == nil)
        case let text?: #expect(opens == seconds(text))
        }
    }

    @Test("a window that the clock skips opens at the change, and one that it shows twice opens once")
    func changes() throws {
        let night = try plan(["deny 30 2 * * * 30m Europe/Berlin"])
        #expect(night.closed(at: seconds("2026-03-29T00:59:00Z")) == nil)
        #expect(night.closed(at: seconds("2026-03-29T01:00:00Z")) != nil)
        #expect(night.closed(at: seconds("2026-03-29T01:30:00Z")) == nil)
        #expect(night.closed(at: seconds("2026-10-25T00:30:00Z")) != nil)
        #expect(night.closed(at: seconds("2026-10-25T01:30:00Z")) == nil)
        // What recurs every hour follows the clock both times, and skips what it skips.
        let hourly = try plan(["deny 30 * * * * 10m Europe/Berlin"])
        #expect(hourly.closed(at: seconds("2026-10-25T00:35:00Z")) != nil)
        #expect(hourly.closed(at: seconds("2026-10-25T01:35:00Z")) != nil)
        #expect(hourly.closed(at: seconds("2026-03-29T01:05:00Z")) == nil)
        #expect(hourly.closed(at: seconds("2026-03-29T01:35:00Z")) != nil)
    }

    @Test("a window is open exactly in the minutes that a count of every minute finds")
    func everyMinute() throws {
        for text in [
            "30 2 * * * 45m Europe/Berlin", "*/45 */5 * * * 7m Europe/Berlin",
            "0 22 * * sat 5h America/New_York",
        ] {
            let window = try DeployWindow("deny \(text)")
            let cron = try CronExpression(window.cron)
            let zone = try ZoneRules.read(window.zone, from: "/usr/share/zoneinfo")
            let clock = WindowClock(cron: cron, seconds: window.seconds, zone: zone)
            // Away from changes of the clock, where every minute is a minute of the wall.
            let start = seconds("2026-06-01T00:00:00Z")
            var opened: Int64?
            for minute in 0..<Int64(3 * 1440) {
                let moment = start + minute * 60
                let local = zone.local(moment)
                if cron.matches(day: local.day), cron.matches(minute: local.minute) { opened = moment }
                guard let opened else { continue }
                #expect((clock.closes(at: moment) != nil) == (moment < opened + window.seconds))
            }
        }
    }
}
