public import VoltCore
public import VoltWorkload

/// A definition with everything that it names, resolved on this host.
public struct RolloutPlan<Spec: Sendable>: Sendable {
    /// Everything that an instance is started from.
    public var spec: Spec
    /// The digest over everything that matters to the payload: equal digests need no new instance.
    public var fingerprint: Digest
    /// Whether the payload has a health check; without one it only has to stay alive.
    public var checksHealth: Bool
    /// The workloads that have to be healthy before this one is started.
    public var after: [Name] = []
    /// The image, when there is one.
    public var image: Digest?
    /// What names of images in the definition resolved to.
    public var images: [String: Digest] = [:]

    /// - Parameters: see the properties.
    public init(spec: Spec, fingerprint: Digest, checksHealth: Bool) {
        self.spec = spec
        self.fingerprint = fingerprint
        self.checksHealth = checksHealth
    }
}

/// An instance of a workload as it is now.
public struct InstanceState<Spec: Sendable>: Sendable {
    /// Everything that it was started from.
    public var spec: Spec
    /// The digest of `spec`: another one than at the start means that it was changed by other means.
    public var config: Digest
    /// How far it is.
    public var state: RunState
    /// The result of its health check.
    public var health: HealthState
    /// Since when the state holds.
    public var since: Timestamp?
    /// How often it was started again.
    public var restarts = 0
    /// How the payload ended last, or nil.
    public var exitCode: Int32?
    /// Why it ended, where more is known than the code, such as `ran out of memory`.
    public var problem: String?
    /// Why it is not meant to run; nil when it is.
    public var stopped: WorkloadStop?
    /// The revision that it was started from, where the kind keeps it.
    public var revision: String?
    /// What names of images resolved to, as far as the instance itself tells: for records that do not.
    public var images: [String: Digest]?

    /// - Parameters: see the properties.
    public init(spec: Spec, config: Digest, state: RunState, health: HealthState) {
        self.spec = spec
        self.config = config
        self.state = state
        self.health = health
    }
}

/// The operations that a rollout needs of a kind of workload. An instance is one generation of a workload, such as a container;
/// two of them run at the same time while one takes the place of the other.
///
/// Each call may come again after the process died in it: it finds what it did before, and goes on from there.
public protocol RolloutRuntime: Sendable {
    /// Everything that an instance is started from.
    associatedtype Spec: Sendable

    /// Reads a definition and fetches or builds what it names.
    ///
    /// - Parameter log: gets lines for people, each with its stream.
    func prepare(_ request: WorkloadRequest, log: @escaping @Sendable (_ stream: String, String) -> Void)
        async throws -> RolloutPlan<Spec>
    /// The same without fetching or building; nil when it is not known without.
    func resolve(_ request: WorkloadRequest) async throws -> RolloutPlan<Spec>?

    /// The instances of a workload, running or not.
    func instances(of workload: Name) async throws -> [Name]
    /// The state of an instance, or nil when there is none.
    func state(of instance: Name) async throws -> InstanceState<Spec>?
    /// Starts an instance that is not there yet. No port leads to it: that is `publish`.
    ///
    /// - Returns: the digest of what it was started from, as `InstanceState.config` has it.
    func start(_ spec: Spec, as instance: Name) async throws -> Digest
    /// Starts an instance again that was started before, runs no more and is meant to, with the ports of its workload,
    /// such as after the host was started.
    func resume(_ instance: Name, of workload: Name) async throws -> Resumption
    /// Why an instance without a health check is not ready, or nil when it is.
    func obstacle(_ instance: Name, _ spec: Spec) async throws -> String?
    /// Points the ports of a workload to an instance, in one step; connections that are open go on.
    func publish(_ workload: Name, to instance: Name) async throws
    /// Gives the ports of a workload up.
    func withdraw(_ workload: Name) async throws
    /// Stops an instance and removes it; one that is not there is no error.
    func remove(_ instance: Name) async throws
    /// The last lines that an instance printed, each with `stdout` or `stderr`.
    func lastLines(of instance: Name, count: Int) async throws -> [(stream: String, line: String)]

    /// The differences between two definitions, for people, without the values of variables.
    func differences(_ old: Spec, _ new: Spec) -> [String]
    /// Keeps what a generation needs to be applied again, before the record names it.
    func keep(_ plan: RolloutPlan<Spec>, of workload: Name, generation: Int) async throws
    /// Drops what only other generations of a workload needed.
    func cleanUp(_ workload: Name, keeping generations: Set<Int>) async throws
    /// The volumes of a workload.
    func volumes(of workload: Name) async throws -> [String]
    /// Removes a volume and its files.
    func removeVolume(_ name: String) async throws
}

/// A kind that has no images, ports, volumes or logs says nothing about them.
extension RolloutRuntime {
    /// As `prepare` does it.
    public func resolve(_ request: WorkloadRequest) async throws -> RolloutPlan<Spec>? {
        try await prepare(request) { _, _ in }
    }
    /// As `start` and `publish` do it, from what the instance was started from.
    public func resume(_ instance: Name, of workload: Name) async throws -> Resumption {
        guard let state = try await state(of: instance) else {
            throw VoltError(.notFound, "'\(instance)' is gone", hint: "apply '\(workload)' again")
        }
        guard state.state == .exited || state.state == .absent else { return .running }
        switch state.stopped {
        case .byHand: return .skipped("it was stopped by hand")
        case .finished: return .skipped("it has finished")
        case nil: break
        }
        _ = try await start(state.spec, as: instance)
        try await publish(workload, to: instance)
        return .started
    }
    /// Ready.
    public func obstacle(_ instance: Name, _ spec: Spec) async throws -> String? { nil }
    /// Nothing.
    public func publish(_ workload: Name, to instance: Name) async throws {}
    /// Nothing.
    public func withdraw(_ workload: Name) async throws {}
    /// None.
    public func lastLines(of instance: Name, count: Int) async throws -> [(stream: String, line: String)] {
        []
    }
    /// Not told apart.
    public func differences(_ old: Spec, _ new: Spec) -> [String] { [] }
    /// Nothing.
    public func keep(_ plan: RolloutPlan<Spec>, of workload: Name, generation: Int) async throws {}
    /// Nothing.
    public func cleanUp(_ workload: Name, keeping generations: Set<Int>) async throws {}
    /// None.
    public func volumes(of workload: Name) async throws -> [String] { [] }
    /// Nothing.
    public func removeVolume(_ name: String) async throws {}
}
