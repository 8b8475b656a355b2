/// A moment in UTC with the resolution of a millisecond, written as RFC 3339.
public struct Timestamp: Sendable, Hashable, Comparable, Codable, CustomStringConvertible {
    /// Milliseconds since 1970-01-01T00:00:00Z.
    public let milliseconds: Int64

    /// - Parameter milliseconds: milliseconds since 1970-01-01T00:00:00Z.
    public init(milliseconds: Int64) { self.milliseconds = milliseconds }

    /// Parses RFC 3339, such as `2025-07-14T15:30:01Z` or `2025-07-14T17:30:01.250+02:00`.
    ///
    /// - Returns: nil when the text is anything else.
    public init?(rfc3339 text: some StringProtocol) {
        let bytes = Array(text.utf8)
        func number(_ start: Int, _ count: Int) -> Int64? {
            guard start + count <= bytes.count else { return nil }
            var value: Int64 = 0
            for byte in bytes[start..<start + count] {
                guard byte >= 48, byte <= 57 else { return nil }
                value = value * 10 + Int64(byte - 48)
            }
            return value
        }
        guard bytes.count >= 20, bytes[4] == 45, bytes[7] == 45,
            bytes[10] == 84 || bytes[10] == 116 || bytes[10] == 32,
            bytes[13] == 58, bytes[16] == 58,
            let year = number(0, 4), let month = number(5, 2), let day = number(8, 2),
            let hour = number(11, 2), let minute = number(14, 2), let second = number(17, 2),
            (1...12).contains(month), (1...31).contains(day), hour < 24, minute < 60, second <= 60
        else { return nil }
        var index = 19
        var fraction: Int64 = 0
        if bytes[index] == 46 {
            index += 1
            var scale: Int64 = 100
            let start = index
            while index < bytes.count, (48...57).contains(bytes[index]) {
                fraction += Int64(bytes[index] - 48) * scale
                scale /= 10
                index += 1
            }
            guard index > start else { return nil }
        }
        guard index < bytes.count else { return nil }
        var offset: Int64 = 0
        switch bytes[index] {
        case 90, 122:
            guard index + 1 == bytes.count else { return nil }
        case 43, 45:
            guard index + 6 == bytes.count, bytes[index + 3] == 58, let hours = number(index + 1, 2),
                let minutes = number(index + 4, 2), hours < 24, minutes < 60
            else { return nil }
            offset = (hours * 60 + minutes) * 60 * (bytes[index] == 45 ? -1 : 1)
        default: return nil
        }
        let days = CivilTime.day(year: year, month: Int(month), day: Int(day))
        milliseconds = ((days * 24 + hour) * 60 + minute) * 60_000 + (second - offset) * 1000 + fraction
    }

    /// `2025-07-14T15:30:01.250Z`.
    public var description: String {
        let fields = self.fields
        let fraction = milliseconds - milliseconds.floorDivided(by: 1000) * 1000
        return "\(fields.date)T\(fields.time).\(pad(fraction, 3))Z"
    }

    /// `2025-07-14 15:30:01`, in UTC.
    public var tableText: String {
        let fields = self.fields
        return "\(fields.date) \(fields.time)"
    }

    /// The time from an earlier moment to this one.
    public func since(_ earlier: Timestamp) -> Duration {
        .milliseconds(milliseconds.subtractingClamped(earlier.milliseconds))
    }

    /// A moment moved by a duration.
    public func advanced(by duration: Duration) -> Timestamp {
        Timestamp(milliseconds: milliseconds.addingClamped(duration.milliseconds))
    }

    /// `2m ago`, seen from a later moment; `never` has no timestamp and is the caller's word.
    public func relative(to now: Timestamp) -> String {
        let seconds = max(0, now.milliseconds.subtractingClamped(milliseconds) / 1000)
        switch seconds {
        case ..<60: return "\(seconds)s ago"
        case ..<3600: return "\(seconds / 60)m ago"
        case ..<86400: return "\(seconds / 3600)h ago"
        default: return "\(seconds / 86400)d ago"
        }
    }

    /// By time.
    public static func < (left: Timestamp, right: Timestamp) -> Bool {
        left.milliseconds < right.milliseconds
    }

    /// Decodes RFC 3339 text.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        let text = try container.decode(String.self)
        guard let value = Timestamp(rfc3339: text) else {
            throw DecodingError.dataCorruptedError(
                in: container, debugDescription: "'\(text)' is not RFC 3339")
        }
        self = value
    }

    /// Encodes RFC 3339 text.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(description)
    }

    private var fields: (date: String, time: String) {
        let seconds = milliseconds.floorDivided(by: 1000)
        let day = seconds.floorDivided(by: 86400)
        let inDay = seconds - day * 86400
        let date = CivilTime.date(ofDay: day)
        return (
            "\(pad(date.year, 4))-\(pad(Int64(date.month), 2))-\(pad(Int64(date.day), 2))",
            "\(pad(inDay / 3600, 2)):\(pad(inDay / 60 % 60, 2)):\(pad(inDay % 60, 2))"
        )
    }
}

private func pad(_ value: Int64, _ width: Int) -> String {
    let text = String(value)
    return String(repeating: "0", count: max(0, width - text.count)) + text
}
