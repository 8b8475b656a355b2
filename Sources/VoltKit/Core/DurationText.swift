/// Durations as users write them: `30s`, `5m`, `1h30m`, `250ms`.
public enum DurationText {
    private static let units: [(suffix: String, milliseconds: Int64)] = [
        ("ms", 1), ("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000),
    ]

    /// Nanoseconds of it fit into 64 bits, and so does any moment of these centuries that is moved by it.
    static let longest = Duration.nanoseconds(Int64.max)

    /// Parses a duration of up to 292 years; a bare number is seconds.
    ///
    /// - Throws: `VoltError` with code `usage`.
    public static func parse(_ text: some StringProtocol) throws(VoltError) -> Duration {
        let failure = VoltError(
            .usage, "'\(text)' is not a duration", hint: "write 30s, 5m, 1h30m or 250ms")
        if let seconds = Int64(text), seconds >= 0, seconds < 1 << 40, .seconds(seconds) <= longest {
            return .seconds(seconds)
        }
        var rest = Substring(text)
        var total: Int64 = 0
        guard !rest.isEmpty else { throw failure }
        while !rest.isEmpty {
            let digits = rest.prefix { $0.isASCII && $0.isNumber }
            rest = rest.dropFirst(digits.count)
            guard let number = Int64(digits), let unit = units.first(where: { rest.hasPrefix($0.suffix) })
            else { throw failure }
            let (product, overflow) = number.multipliedReportingOverflow(by: unit.milliseconds)
            let (sum, sumOverflow) = total.addingReportingOverflow(product)
            guard !overflow, !sumOverflow, .milliseconds(sum) <= longest else { throw failure }
            total = sum
            rest = rest.dropFirst(unit.suffix.count)
        }
        return .milliseconds(total)
    }

    /// The two largest units of a duration: `12s`, `2m5s`, `1h30m`, `3d4h`; under a second `340ms`.
    public static func format(_ duration: Duration) -> String {
        let milliseconds = duration.milliseconds
        if milliseconds < 1000 { return "\(max(milliseconds, 0))ms" }
        let seconds = milliseconds / 1000
        let parts: [(Int64, String)] = [
            (seconds / 86400, "d"), (seconds / 3600 % 24, "h"), (seconds / 60 % 60, "m"), (seconds % 60, "s"),
        ]
        guard let first = parts.firstIndex(where: { $0.0 > 0 }) else { return "0s" }
        return parts[first...].prefix(2).filter { $0.0 > 0 }.map { "\($0.0)\($0.1)" }.joined()
    }
}

extension Duration {
    /// Whole milliseconds, rounded towards zero; of very long times the most that fits.
    public var milliseconds: Int64 {
        let (seconds, attoseconds) = components
        return seconds.multipliedClamped(by: 1000).addingClamped(attoseconds / 1_000_000_000_000_000)
    }

    /// Seconds with their fraction.
    public var seconds: Double {
        let (seconds, attoseconds) = components
        return Double(seconds) + Double(attoseconds) / 1e18
    }
}
