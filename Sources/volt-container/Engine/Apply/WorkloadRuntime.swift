public import VoltCore
public import VoltRollout
public import VoltWorkload

/// A container of a workload as it is now.
public struct GenerationState: Sendable, Equatable {
    /// What it was started from.
    public var spec: ContainerSpec
    /// How far its payload is: `running`, `restarting` or `exited`.
    public var activity: RunState
    /// The result of its health check.
    public var health: HealthState
    /// Since when.
    public var since: Timestamp?
    /// How often the payload was started again.
    public var restarts: Int
    /// How the payload ended last, or nil.
    public var exitCode: Int32?
    /// How it ran out of memory, when it ended for that.
    public var outOfMemory: String?
    /// Whether it does not run because somebody stopped it.
    public var isStoppedByHand = false
    /// Whether it does not run because it ended by itself, and its restart policy leaves it so.
    public var hasFinished = false

    /// - Parameters: see the properties.
    public init(
        spec: ContainerSpec, activity: RunState, health: HealthState, since: Timestamp? = nil,
        restarts: Int = 0,
        exitCode: Int32? = nil
    ) {
        self.spec = spec
        self.activity = activity
        self.health = health
        self.since = since
        self.restarts = restarts
        self.exitCode = exitCode
    }
}

/// What bringing a workload to its definition needs of the container runtime.
public protocol WorkloadRuntime: StepRunner {
    /// The containers of a workload, running or not.
    func generations(of workload: Name) async throws -> [GenerationState]
    /// The images that containers use, each with the name of such a container.
    func imagesInUse() async throws -> [Digest: String]
    /// Creates and starts a container. Its ports are not published: they belong to the workload.
    func start(_ spec: ContainerSpec) async throws
    /// Starts a container that should run and does not, and publishes its ports.
    func resume(container: Name) async throws -> Resumption
    /// The state of a container, or nil when there is none.
    func state(of container: Name) async throws -> GenerationState?
    /// Whether a TCP port accepts in the container.
    func accepts(_ port: UInt16, in container: Name) async throws -> Bool
    /// Points the published ports of a workload to a container, in one step; connections that are open go on.
    func publish(_ workload: Name, to container: Name) async throws
    /// Gives the published ports of a workload up.
    func withdraw(_ workload: Name) async throws
    /// Stops a container and removes it; one that is not there is no error.
    func remove(_ container: Name) async throws
    /// The last lines that a container printed, each with `stdout` or `stderr`.
    func lastLines(of container: Name, count: Int) async throws -> [(stream: String, line: String)]
    /// Removes a volume and its files.
    func removeVolume(_ name: String) async throws
    /// The volumes of a workload.
    func volumes(of workload: Name) async throws -> [String]
}
