internal import VoltCore

/// The five fields of crontab(5): minute, hour, day of the month, month, day of the week.
struct CronExpression: Equatable, Sendable {
    /// The text it was read from.
    let text: String
    private let minutes: UInt64
    private let hours: UInt64
    private let days: UInt64
    private let months: UInt64
    private let weekdays: UInt64
    /// When both day fields are restricted, a day that matches either is meant (crontab(5)).
    private let anyDayField: Bool
    /// Whether the hour field begins with `*`: such a time is a rate, not an appointment.
    let isEveryHour: Bool

    private struct Field {
        let name: String
        let range: ClosedRange<Int>
        var words: [String] = []
        /// What the first word stands for.
        var firstWord = 0
    }

    private static let fields = [
        Field(name: "minute", range: 0...59), Field(name: "hour", range: 0...23),
        Field(name: "day-of-month", range: 1...31),
        Field(
            name: "month", range: 1...12,
            words: ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"],
            firstWord: 1),
        Field(
            name: "day-of-week", range: 0...7, words: ["sun", "mon", "tue", "wed", "thu", "fri", "sat"]),
    ]

    /// Parses five fields, separated by blanks.
    ///
    /// - Throws: `VoltError` with code `usage` that names the field.
    init(_ text: String) throws(VoltError) {
        let parts = text.split(whereSeparator: { $0 == " " || $0 == "\t" }).map(String.init)
        guard parts.count == 5 else {
            throw VoltError(
                .usage, "'\(text)' has \(parts.count) fields, and a cron expression has 5",
                hint:
                    "write minute, hour, day of the month, month and day of the week, such as '0 22 * * fri'")
        }
        var sets: [UInt64] = []
        for (part, field) in zip(parts, Self.fields) { sets.append(try Self.parse(part, field)) }
        self.text = parts.joined(separator: " ")
        minutes = sets[0]
        hours = sets[1]
        days = sets[2]
        months = sets[3]
        // 7 is Sunday as well.
        weekdays = sets[4] & (1 << 7) == 0 ? sets[4] : (sets[4] | 1) & 0x7f
        anyDayField = !parts[2].hasPrefix("*") && !parts[4].hasPrefix("*")
        isEveryHour = parts[1].hasPrefix("*")
    }

    private static func parse(_ text: String, _ field: Field) throws(VoltError) -> UInt64 {
        func failure(_ part: some StringProtocol, _ why: String) -> VoltError {
            VoltError(
                .usage, "the \(field.name) field '\(text)' of a cron expression is wrong: '\(part)' \(why)")
        }
        func number(_ part: Substring) throws(VoltError) -> Int {
            if let index = field.words.firstIndex(of: part.lowercased()) { return index + field.firstWord }
            guard part.utf8.allSatisfy({ (48...57).contains($0) }), part.utf8.count <= 2,
                let value = Int(part)
            else { throw failure(part, "is not a number") }
            guard field.range.contains(value) else {
                throw failure(part, "is not in \(field.range.lowerBound)-\(field.range.upperBound)")
            }
            return value
        }
        var set: UInt64 = 0
        for item in text.split(separator: ",", omittingEmptySubsequences: false) {
            let halves = item.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
            var step = 1
            if halves.count == 2 {
                guard let value = Int(halves[1]), (1...field.range.upperBound).contains(value) else {
                    throw failure(item, "has no step in 1-\(field.range.upperBound)")
                }
                step = value
            }
            let ends = halves[0].split(separator: "-", maxSplits: 1, omittingEmptySubsequences: false)
            let first: Int
            let last: Int
            if halves[0] == "*" {
                // '*' of the day of the week must not count Sunday twice.
                (first, last) = (
                    field.range.lowerBound, field.name == "day-of-week" ? 6 : field.range.upperBound
                )
            } else if ends.count == 2 {
                first = try number(ends[0])
                let end = try number(ends[1])
                // 'fri-sun' reads as 5-7.
                last = end == 0 && field.name == "day-of-week" && first > 0 ? 7 : end
                guard first <= last else { throw failure(item, "runs backwards") }
            } else {
                first = try number(halves[0])
                guard halves.count == 1 else { throw failure(item, "has a step without a range") }
                last = first
            }
            for value in stride(from: first, through: last, by: step) { set |= 1 << UInt64(value) }
        }
        return set
    }

    /// Whether a day matches.
    func matches(day: Int64) -> Bool {
        let date = CivilTime.date(ofDay: day)
        guard months & (1 << UInt64(date.month)) != 0 else { return false }
        let isDay = days & (1 << UInt64(date.day)) != 0
        let isWeekday = weekdays & (1 << UInt64(date.weekday)) != 0
        return anyDayField ? isDay || isWeekday : isDay && isWeekday
    }

    /// Whether a minute since midnight matches.
    func matches(minute: Int) -> Bool {
        hours & (1 << UInt64(minute / 60)) != 0 && minutes & (1 << UInt64(minute % 60)) != 0
    }
}
