/// How much is said about work: each level is within the one before it.
public enum LogLevel: String, CaseIterable, Sendable, Comparable {
    /// What helps to find a fault.
    case debug
    /// What happens.
    case info
    /// What may need someone.
    case warning
    /// The error.
    case error

    /// By weight.
    public static func < (left: LogLevel, right: LogLevel) -> Bool { left.weight < right.weight }

    private var weight: Int {
        switch self {
        case .debug: 0
        case .info: 1
        case .warning: 2
        case .error: 3
        }
    }

    /// The level of a line of a log, which begins with it: `error: …`, `warning: …`, `debug: …`. Any other line
    /// is `info`.
    public init(ofLine line: String) {
        self = [LogLevel.error, .warning, .debug].first { line.hasPrefix("\($0.rawValue): ") } ?? .info
    }

    /// The words for people who wrote something else.
    public static let choices = "debug, info, warning or error"
}
