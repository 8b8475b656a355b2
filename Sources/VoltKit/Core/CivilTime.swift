/// A minute on a calendar and a clock on the wall, without a time zone (proleptic Gregorian).
public struct CivilTime: Equatable, Sendable {
    /// Days since 1970-01-01.
    public var day: Int64
    /// Minutes since midnight, 0 to 1439.
    public var minute: Int

    /// Seconds since 1970-01-01T00:00 on this clock.
    public var seconds: Int64 { day * 86_400 + Int64(minute) * 60 }

    /// - Parameter seconds: since 1970-01-01T00:00 on this clock; seconds of the minute are cut off.
    public init(seconds: Int64) {
        day = seconds.floorDivided(by: 86_400)
        minute = Int((seconds - day * 86_400) / 60)
    }

    /// - Parameters: see the properties.
    public init(day: Int64, minute: Int) {
        self.day = day
        self.minute = minute
    }

    /// Year, month 1 to 12, day 1 to 31, and weekday 0 to 6 from Sunday, of a day.
    public static func date(ofDay days: Int64) -> (year: Int64, month: Int, day: Int, weekday: Int) {
        // Eras of 400 years that start on 1 March, so that the leap day is the last of its year.
        let shifted = days + 719_468
        let era = shifted.floorDivided(by: 146_097)
        let dayOfEra = shifted - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let index = (5 * dayOfYear + 2) / 153
        let month = index < 10 ? index + 3 : index - 9
        // 1970-01-01 was a Thursday.
        let weekday = days + 4 - (days + 4).floorDivided(by: 7) * 7
        return (
            yearOfEra + era * 400 + (month <= 2 ? 1 : 0), Int(month),
            Int(dayOfYear - (153 * index + 2) / 5) + 1,
            Int(weekday)
        )
    }

    /// Days since 1970-01-01 of a date.
    public static func day(year: Int64, month: Int, day: Int) -> Int64 {
        let year = month <= 2 ? year - 1 : year
        let era = year.floorDivided(by: 400)
        let yearOfEra = year - era * 400
        let dayOfYear = Int64((153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1)
        return era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719_468
    }
}

extension Int64 {
    /// The quotient, rounded down.
    public func floorDivided(by divisor: Int64) -> Int64 {
        let (quotient, remainder) = quotientAndRemainder(dividingBy: divisor)
        return remainder < 0 ? quotient - 1 : quotient
    }
}
