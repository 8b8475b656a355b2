internal import VoltCore

/// The TZ string of POSIX, which tells the rules behind the last transition of a TZif file, such as
/// `CET-1CEST,M3.5.0,M10.5.0/3` (POSIX 8.3, with the extensions of RFC 9636, section 3.3.1).
struct PosixZone: Equatable, Sendable {
    private enum Date: Equatable {
        /// Week 1 to 5 (5 is the last) of a month, and a weekday from Sunday.
        case weekday(month: Int, week: Int, day: Int)
        /// 1 to 365; 29 February is never counted.
        case julian(Int)
        /// 0 to 365, 29 February counted.
        case ordinal(Int)
    }
    private struct Change: Equatable {
        var date: Date
        /// Seconds after local midnight; may be negative or more than a day.
        var time: Int64 = 7200
    }

    /// Seconds east of UTC.
    let standard: Int64
    private let daylight: Int64?
    private let start: Change?
    private let end: Change?

    /// Parses the string; nil when it is anything else.
    init?(_ text: String) {
        var rest = Array(text.utf8)[...]
        guard Self.name(&rest), let west = Self.time(&rest, hours: 24) else { return nil }
        standard = -west
        guard !rest.isEmpty else {
            (daylight, start, end) = (nil, nil, nil)
            return
        }
        guard Self.name(&rest) else { return nil }
        var offset = standard + 3600
        if rest.first != UInt8(ascii: ",") {
            guard let west = Self.time(&rest, hours: 24) else { return nil }
            offset = -west
        }
        guard let start = Self.change(&rest), let end = Self.change(&rest), rest.isEmpty else { return nil }
        daylight = offset
        self.start = start
        self.end = end
    }

    /// Seconds east of UTC at a moment, in seconds since 1970-01-01T00:00:00Z.
    func offset(at moment: Int64) -> Int64 {
        guard let daylight, let start, let end else { return standard }
        let year = CivilTime.date(ofDay: (moment + standard).floorDivided(by: 86_400)).year
        let begins = Self.seconds(start, in: year) - standard
        let ends = Self.seconds(end, in: year) - daylight
        let isDaylight =
            begins < ends ? begins <= moment && moment < ends : !(ends <= moment && moment < begins)
        return isDaylight ? daylight : standard
    }

    private static func seconds(_ change: Change, in year: Int64) -> Int64 {
        let first = CivilTime.day(year: year, month: 1, day: 1)
        let day: Int64
        switch change.date {
        case .ordinal(let number): day = first + Int64(number)
        case .julian(let number):
            let isLeap = CivilTime.day(year: year + 1, month: 1, day: 1) - first == 366
            day = first + Int64(number - 1) + (isLeap && number >= 60 ? 1 : 0)
        case .weekday(let month, let week, let weekday):
            let start = CivilTime.day(year: year, month: month, day: 1)
            let next =
                month == 12
                ? CivilTime.day(year: year + 1, month: 1, day: 1)
                : CivilTime.day(year: year, month: month + 1, day: 1)
            var found =
                start + Int64((weekday - CivilTime.date(ofDay: start).weekday + 7) % 7 + 7 * (week - 1))
            while found >= next { found -= 7 }
            day = found
        }
        return day * 86_400 + change.time
    }

    // MARK: Reading

    private static func name(_ rest: inout ArraySlice<UInt8>) -> Bool {
        if rest.first == UInt8(ascii: "<") {
            guard let end = rest.firstIndex(of: UInt8(ascii: ">")) else { return false }
            rest = rest[(end + 1)...]
            return true
        }
        let letters = rest.prefix { (65...90).contains($0) || (97...122).contains($0) }
        rest = rest.dropFirst(letters.count)
        return letters.count >= 3
    }

    private static func number(_ rest: inout ArraySlice<UInt8>, _ range: ClosedRange<Int64>) -> Int64? {
        let digits = rest.prefix { (48...57).contains($0) }
        guard (1...3).contains(digits.count) else { return nil }
        rest = rest.dropFirst(digits.count)
        let value = digits.reduce(Int64(0)) { $0 * 10 + Int64($1 - 48) }
        return range.contains(value) ? value : nil
    }

    /// `[+-]h[:m[:s]]` as seconds.
    private static func time(_ rest: inout ArraySlice<UInt8>, hours: Int64) -> Int64? {
        var sign: Int64 = 1
        if rest.first == UInt8(ascii: "-") || rest.first == UInt8(ascii: "+") {
            sign = rest.first == UInt8(ascii: "-") ? -1 : 1
            rest = rest.dropFirst()
        }
        guard var total = number(&rest, 0...hours).map({ $0 * 3600 }) else { return nil }
        for unit: Int64 in [60, 1] where rest.first == UInt8(ascii: ":") {
            rest = rest.dropFirst()
            guard let value = number(&rest, 0...59) else { return nil }
            total += value * unit
        }
        return sign * total
    }

    private static func change(_ rest: inout ArraySlice<UInt8>) -> Change? {
        guard rest.popFirst() == UInt8(ascii: ",") else { return nil }
        let date: Date
        switch rest.first {
        case UInt8(ascii: "M"):
            rest = rest.dropFirst()
            guard let month = number(&rest, 1...12), rest.popFirst() == UInt8(ascii: "."),
                let week = number(&rest, 1...5), rest.popFirst() == UInt8(ascii: "."),
                let day = number(&rest, 0...6)
            else { return nil }
            date = .weekday(month: Int(month), week: Int(week), day: Int(day))
        case UInt8(ascii: "J"):
            rest = rest.dropFirst()
            guard let day = number(&rest, 1...365) else { return nil }
            date = .julian(Int(day))
        default:
            guard let day = number(&rest, 0...365) else { return nil }
            date = .ordinal(Int(day))
        }
        guard rest.first == UInt8(ascii: "/") else { return Change(date: date) }
        rest = rest.dropFirst()
        guard let time = time(&rest, hours: 167) else { return nil }
        return Change(date: date, time: time)
    }
}
