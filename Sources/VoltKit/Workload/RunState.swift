/// How far a workload, or a service of one, is.
public enum RunState: Sendable, Hashable {
    /// It is being started.
    case starting
    /// It runs.
    case running
    /// It ended and is about to be started again.
    case restarting
    /// Its processes are held; they go on when somebody says so.
    case paused
    /// It does not run.
    case exited
    /// There is none.
    case absent
    /// A word of a later version, or of a kind of its own.
    case other(String)
}

extension RunState: RawRepresentable {
    /// The state that a word means; one that is not known is kept as text.
    public init(rawValue: String) {
        switch rawValue {
        case "starting": self = .starting
        case "running": self = .running
        case "restarting": self = .restarting
        case "paused": self = .paused
        case "exited": self = .exited
        case "absent": self = .absent
        default: self = .other(rawValue)
        }
    }

    /// The word.
    public var rawValue: String {
        switch self {
        case .starting: "starting"
        case .running: "running"
        case .restarting: "restarting"
        case .paused: "paused"
        case .exited: "exited"
        case .absent: "absent"
        case .other(let text): text
        }
    }
}

extension RunState: Codable, CustomStringConvertible {
    /// The word.
    public var description: String { rawValue }

    /// Decodes the word.
    public init(from decoder: any Decoder) throws {
        self.init(rawValue: try decoder.singleValueContainer().decode(String.self))
    }

    /// Encodes the word.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(rawValue)
    }
}
