import Testing
import VoltCore

@testable import GitopsEngine

@Suite struct CronTests {
    @Test(
        "an expression that is wrong is refused with the name of the field",
        arguments: [
            ("60 * * * *", "the minute field '60'"), ("* 24 * * *", "the hour field '24'"),
            ("* * 0 * *", "the day-of-month field '0'"), ("* * 32 * *", "the day-of-month field '32'"),
            ("* * * 13 *", "the month field '13'"), ("* * * foo *", "the month field 'foo'"),
            ("* * * * 8", "the day-of-week field '8'"), ("* * * * mo", "the day-of-week field 'mo'"),
            ("*/0 * * * *", "the minute field '*/0'"), ("*/60 * * * *", "the minute field '*/60'"),
            ("5/2 * * * *", "has a step without a range"), ("9-5 * * * *", "runs backwards"),
            ("1,,2 * * * *", "'' is not a number"), ("1-2-3 * * * *", "the minute field '1-2-3'"),
            ("-1 * * * *", "the minute field '-1'"), ("* * * *", "has 4 fields"), ("", "has 0 fields"),
            ("* * * * * *", "has 6 fields"), ("٣ * * * *", "the minute field '٣'"),
            ("999999999999999999999 * * * *", "is not a number"),
        ])
    func refused(text: String, reason: String) throws {
        let error = try #require(throws: VoltError.self) { try CronExpression(text) }
        #expect(error.code == .usage)
        #expect(error.message.contains(reason), "\(error.message)")
    }

    /// 2026-11-23, a Monday.
    private let monday = CivilTime.day(year: 2026, month: 11, day: 23)

    @Test(
        "days match as crontab(5) has it",
        arguments: [
            ("* * * * mon", [0]), ("* * * * 1", [0]), ("* * * * MON-wed", [0, 1, 2]), ("* * * * 0", [6]),
            ("* * * * 7", [6]), ("* * * * fri-sun", [4, 5, 6]), ("* * * * fri-7", [4, 5, 6]),
            ("* * * * */2", [1, 3, 5, 6]), ("* * 24 * *", [1]), ("* * */2 * *", [0, 2, 4, 6]),
            // Both day fields restricted: either counts.
            ("* * 24 * fri", [1, 4]), ("* * 24 nov *", [1]), ("* * 24 dec *", []),
            // A star with a step counts as a star: both have to match.
            ("* * */2 * mon", [0]), ("* * * 1-10,12 *", []),
        ])
    func days(text: String, offsets: [Int64]) throws {
        let cron = try CronExpression(text)
        #expect((0..<7).filter { cron.matches(day: monday + $0) } == offsets)
    }

    @Test(
        "minutes match single values, ranges, lists and steps",
        arguments: [
            ("0 0", [0]), ("5,10-12 0", [5, 10, 11, 12]), ("10-20/5 0", [10, 15, 20]),
            ("*/20 0-1", [0, 20, 40, 60, 80, 100]), ("30 */12", [30, 750]), ("59 23", [1439]),
        ])
    func minutes(text: String, expected: [Int]) throws {
        let cron = try CronExpression("\(text) * * *")
        #expect((0..<1440).filter { cron.matches(minute: $0) } == expected)
    }

    @Test("dates go there and back, over leap years and before 1970")
    func dates() {
        for day in stride(from: Int64(-200_000), through: 200_000, by: 37) {
            let date = CivilTime.date(ofDay: day)
            #expect(CivilTime.day(year: date.year, month: date.month, day: date.day) == day)
        }
        #expect(CivilTime.date(ofDay: 0) == (1970, 1, 1, 4))
        #expect(CivilTime.date(ofDay: CivilTime.day(year: 2024, month: 2, day: 29)) == (2024, 2, 29, 4))
        #expect(CivilTime(seconds: -60) == CivilTime(day: -1, minute: 1439))
    }
}
