/// The result of a health check.
public enum HealthState: Sendable, Hashable {
    /// There is no check.
    case none
    /// No try has succeeded yet.
    case starting
    /// The last try succeeded, or fewer than the allowed number failed in a row.
    case healthy
    /// Too many tries failed in a row.
    case unhealthy
    /// A word of a later version, or of a kind of its own.
    case other(String)

    /// Whether nothing is wrong: the check succeeds, or there is none.
    public var isWell: Bool { self == .healthy || self == .none }
}

extension HealthState: RawRepresentable {
    /// The state that a word means; one that is not known is kept as text.
    public init(rawValue: String) {
        switch rawValue {
        case "none": self = .none
        case "starting": self = .starting
        case "healthy": self = .healthy
        case "unhealthy": self = .unhealthy
        default: self = .other(rawValue)
        }
    }

    /// The word.
    public var rawValue: String {
        switch self {
        case .none: "none"
        case .starting: "starting"
        case .healthy: "healthy"
        case .unhealthy: "unhealthy"
        case .other(let text): text
        }
    }
}

extension HealthState: Codable, CustomStringConvertible {
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
