import Testing
import VoltCore

@Suite struct CivilTimeTests {
    @Test(
        "a date is a day and back",
        arguments: [
            ("1970-01-01", 0, 4), ("1969-12-31", -1, 3), ("2000-02-29", 11_016, 2), ("2000-03-01", 11_017, 3),
            ("1900-02-28", -25_509, 3), ("1900-03-01", -25_508, 4), ("2024-02-29", 19_782, 4),
            ("2100-03-01", 47_541, 1), ("0001-01-01", -719_162, 1), ("0000-03-01", -719_468, 3),
        ] as [(String, Int64, Int)])
    func dates(text: String, day: Int64, weekday: Int) {
        let parts = text.split(separator: "-").compactMap { Int($0) }
        #expect(CivilTime.day(year: Int64(parts[0]), month: parts[1], day: parts[2]) == day)
        let date = CivilTime.date(ofDay: day)
        #expect(date == (Int64(parts[0]), parts[1], parts[2], weekday))
    }

    @Test("every day of 800 years comes after the one before it")
    func everyDay() {
        var last = CivilTime.date(ofDay: -146_098)
        for day in Int64(-146_097)...146_097 {
            let date = CivilTime.date(ofDay: day)
            let isNext =
                date.day == last.day + 1 && date.month == last.month && date.year == last.year
                || date.day == 1 && date.month == last.month + 1 && date.year == last.year && last.day >= 28
                || date.day == 1 && date.month == 1 && date.year == last.year + 1 && last.day == 31
            guard isNext, date.weekday == (last.weekday + 1) % 7,
                CivilTime.day(year: date.year, month: date.month, day: date.day) == day
            else {
                Issue.record("day \(day) is \(date) after \(last)")
                return
            }
            last = date
        }
    }

    @Test("seconds before 1970 belong to the minute and the day that they are in")
    func before() {
        #expect(CivilTime(seconds: -1) == CivilTime(day: -1, minute: 1439))
        #expect(CivilTime(seconds: -86_400) == CivilTime(day: -1, minute: 0))
        #expect(CivilTime(seconds: -86_401) == CivilTime(day: -2, minute: 1439))
        #expect(CivilTime(seconds: 86_459).seconds == 86_400)
        #expect((-7 as Int64).floorDivided(by: 7) == -1)
        #expect((-8 as Int64).floorDivided(by: 7) == -2)
    }
}
