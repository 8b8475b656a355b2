public import VoltCore

/// The result of a start for an instance that was started before.
public enum Resumption: Sendable, Equatable {
    /// It runs again.
    case started
    /// It runs already.
    case running
    /// It is not meant to run; why, for people.
    case skipped(String)
}

/// The result of `volt-<kind> start --all` for a workload, or for an instance that belongs to none.
public struct StartResult: Codable, Sendable, Equatable {
    /// What became of it.
    public enum Result: String, Codable, Sendable {
        /// It was started, with its ports.
        case started
        /// It runs already and was left alone.
        case running
        /// It is not meant to run.
        case skipped
        /// It could not be started.
        case failed
    }

    /// The name of the workload, or of the instance.
    public var name: String
    /// Whether it is a workload.
    public var isWorkload: Bool
    /// What became of it.
    public var result: Result
    /// Why, for people; nil when there is nothing to say.
    public var reason: String?

    enum CodingKeys: String, CodingKey {
        case isWorkload = "workload"
        case name, result, reason
    }

    /// - Parameters: see the properties.
    public init(name: Name, isWorkload: Bool, result: Result, reason: String? = nil) {
        self.name = name.text
        self.isWorkload = isWorkload
        self.result = result
        self.reason = reason
    }

    /// The result of a start that ended without an error.
    public init(name: Name, isWorkload: Bool, _ resumption: Resumption) {
        switch resumption {
        case .started: self.init(name: name, isWorkload: isWorkload, result: .started)
        case .running: self.init(name: name, isWorkload: isWorkload, result: .running)
        case .skipped(let why):
            self.init(name: name, isWorkload: isWorkload, result: .skipped, reason: why)
        }
    }
}
