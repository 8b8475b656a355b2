public import VoltCore

/// Why a workload that does not run is not meant to.
public enum WorkloadStop: String, Codable, Sendable {
    /// Somebody stopped it.
    case byHand = "by-hand"
    /// It ended, and its definition says that it is then not started again.
    case finished
}

/// A service of a workload.
public struct ServiceStatus: Codable, Sendable, Equatable {
    /// The name of the service.
    public var name: String
    /// How far it is.
    public var state: RunState
    /// The result of its health check.
    public var health: HealthState
    /// The revision of what runs now, or nil when nothing runs.
    public var revision: String?
    /// How often it was restarted since the last apply.
    public var restarts: Int?
    /// Since when the state holds.
    public var since: Timestamp?

    /// - Parameters: see the properties.
    public init(
        name: String, state: RunState, health: HealthState, revision: String? = nil, restarts: Int? = nil,
        since: Timestamp? = nil
    ) {
        self.name = name
        self.state = state
        self.health = health
        self.revision = revision
        self.restarts = restarts
        self.since = since
    }
}

extension WorkloadStatus {
    /// Whether it does what it is for: it runs, and no check says otherwise.
    public var isHealthy: Bool { state == .running && health.isWell }
}

/// The object that `volt-<kind> status --workload NAME -o json` prints.
public struct WorkloadStatus: Codable, Sendable, Equatable {
    /// The name of the workload.
    public var workload: String
    /// The revision of the last successful apply.
    public var desiredRevision: String?
    /// The revision of what runs now, or nil when nothing runs.
    public var actualRevision: String?
    /// How far it is.
    public var state: RunState
    /// The result of its health check.
    public var health: HealthState
    /// Since when the state holds.
    public var since: Timestamp?
    /// How often the workload was restarted since the last apply.
    public var restarts: Int
    /// A digest of the configuration that was applied last: image, command, environment, files, limits.
    public var desiredConfig: String?
    /// The same of what is there now; another one when it was changed by other means.
    public var actualConfig: String?
    /// Why it is not meant to run; nil when it is.
    public var stopped: WorkloadStop?
    /// What names of images in the definition that was applied last resolved to: digests by the name as it is
    /// written; nil when the tool does not say.
    public var images: [String: String]?
    /// Its services; nil for a kind whose workloads have only one, or that does not say.
    public var services: [ServiceStatus]?
    /// The workloads that it waits for when it is applied; nil for none.
    public var after: [String]?

    /// - Parameters: see the properties.
    public init(
        workload: String, desiredRevision: String? = nil, actualRevision: String? = nil,
        state: RunState = .absent, health: HealthState = .none, since: Timestamp? = nil, restarts: Int = 0
    ) {
        self.workload = workload
        self.desiredRevision = desiredRevision
        self.actualRevision = actualRevision
        self.state = state
        self.health = health
        self.since = since
        self.restarts = restarts
    }
}

extension WorkloadStatus {
    /// Decodes the object. A tool that knows nothing of health or restarts leaves them out.
    public init(from decoder: any Decoder) throws {
        let values = try decoder.container(keyedBy: CodingKeys.self)
        workload = try values.decode(String.self, forKey: .workload)
        desiredRevision = try values.decodeIfPresent(String.self, forKey: .desiredRevision)
        actualRevision = try values.decodeIfPresent(String.self, forKey: .actualRevision)
        state = try values.decode(RunState.self, forKey: .state)
        health = try values.decodeIfPresent(HealthState.self, forKey: .health) ?? .none
        since = try values.decodeIfPresent(Timestamp.self, forKey: .since)
        restarts = try values.decodeIfPresent(Int.self, forKey: .restarts) ?? 0
        desiredConfig = try values.decodeIfPresent(String.self, forKey: .desiredConfig)
        actualConfig = try values.decodeIfPresent(String.self, forKey: .actualConfig)
        stopped = try values.decodeIfPresent(WorkloadStop.self, forKey: .stopped)
        images = try values.decodeIfPresent([String: String].self, forKey: .images)
        services = try values.decodeIfPresent([ServiceStatus].self, forKey: .services)
        after = try values.decodeIfPresent([String].self, forKey: .after)
    }
}
