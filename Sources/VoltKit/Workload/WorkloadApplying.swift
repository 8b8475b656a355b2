public import VoltCore

/// The words of `volt-<kind> apply`, read.
public struct WorkloadRequest: Sendable {
    /// The workload.
    public var workload: Name
    /// The definition, by its file; absolute.
    public var file: String
    /// The directory with the source, absolute.
    public var source: String
    /// The revision of the source, for people.
    public var revision: String
    /// How long all of it may take.
    public var timeout: Duration
    /// What names of images resolved to when this definition was applied before: those run again, whatever the names
    /// mean now.
    public var images: [String: Digest]
    /// The kinds that may still have the workload, and hand it over.
    public var replacedKinds: [String]

    /// - Parameters: see the properties.
    public init(
        workload: Name, file: String, source: String, revision: String, timeout: Duration = .seconds(300),
        images: [String: Digest] = [:], replacedKinds: [String] = []
    ) {
        self.workload = workload
        self.file = file
        self.source = source
        self.revision = revision
        self.timeout = timeout
        self.images = images
        self.replacedKinds = replacedKinds
    }
}

/// The end of an apply that did not fail.
public struct ApplyOutcome: Sendable, Equatable {
    /// Deployed or unchanged.
    public let status: ApplyStatus
    /// The instance that serves.
    public let generation: String
    /// One line for people.
    public let message: String
    /// What names of images in the definition resolved to.
    public let images: [String: Digest]

    /// - Parameters: see the properties.
    public init(status: ApplyStatus, generation: String, message: String, images: [String: Digest] = [:]) {
        self.status = status
        self.generation = generation
        self.message = message
        self.images = images
    }
}

/// The things that a removal took away.
public struct WorkloadRemoval: Sendable, Equatable {
    /// The instances.
    public var instances: [String]
    /// The volumes.
    public var volumes: [String]

    /// - Parameters: see the properties.
    public init(instances: [String], volumes: [String]) {
        self.instances = instances
        self.volumes = volumes
    }
}

/// The workloads of a kind: what the verbs of `volt-<kind>` do.
public protocol WorkloadApplying: Sendable {
    /// Brings a workload to what its definition says. On failure, and when the task is cancelled, it is as it was.
    ///
    /// - Parameter events: gets every event but the result.
    func apply(_ request: WorkloadRequest, events: @escaping @Sendable (ApplyEvent) -> Void) async throws
        -> ApplyOutcome
    /// The plan of an apply, a line a service: nothing is built, started or written.
    func plan(_ request: WorkloadRequest) async throws -> [ServicePlan]
    /// The state of a workload.
    func status(of workload: Name) async throws -> WorkloadStatus
    /// The states of all workloads, sorted by name.
    func list() async throws -> [WorkloadStatus]
    /// Removes a workload, and its volumes when asked for.
    ///
    /// - Throws: `VoltError`; code `notFound` when there is no such workload.
    func remove(_ workload: Name, withVolumes: Bool, timeout: Duration) async throws -> WorkloadRemoval
}

/// An error of an apply that says more to the kind's own verbs than to `apply`.
public protocol WorkloadFailure: Error {
    /// The same for `apply`.
    var error: VoltError { get }
}
