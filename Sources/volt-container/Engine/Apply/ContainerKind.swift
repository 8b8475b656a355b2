public import VoltCore
public import VoltRollout
public import VoltSystem
public import VoltWorkload

/// `kind: container`: a generation of a workload is a container.
public struct ContainerKind: Sendable {
    let images: ImageSource
    let runtime: any WorkloadRuntime
    let configuration: String

    /// - Parameters:
    ///   - images: what is built is put into its store.
    ///   - runtime: the containers.
    ///   - paths: the directories of `volt-container`.
    public init(images: ImageSource, runtime: any WorkloadRuntime, paths: HostPaths) {
        self.images = images
        self.runtime = runtime
        configuration = paths.configuration
    }
}

extension ContainerKind: RolloutRuntime {
    /// See `RolloutRuntime`.
    public func prepare(
        _ request: WorkloadRequest, log: @escaping @Sendable (_ stream: String, String) -> Void
    ) async throws -> RolloutPlan<ContainerSpec> {
        try await Definition(kind: self, request: request, log: log).prepare().rollout
    }

    /// See `RolloutRuntime`.
    public func resolve(_ request: WorkloadRequest) async throws -> RolloutPlan<ContainerSpec>? {
        try Definition(kind: self, request: request, log: { _, _ in }).resolve()?.rollout
    }

    /// See `RolloutRuntime`.
    public func instances(of workload: Name) async throws -> [Name] {
        try await runtime.generations(of: workload).map(\.spec.name)
    }

    /// See `RolloutRuntime`.
    public func state(of instance: Name) async throws -> InstanceState<ContainerSpec>? {
        guard let container = try await runtime.state(of: instance) else { return nil }
        let spec = container.spec
        var state = InstanceState(
            spec: spec, config: try WorkloadPlan.digest(of: spec), state: container.activity,
            health: container.health)
        state.since = container.since
        state.restarts = container.restarts
        state.exitCode = container.exitCode
        state.problem = container.outOfMemory
        state.stopped =
            container.isStoppedByHand
            ? .byHand : spec.restart == .no || container.hasFinished ? .finished : nil
        state.revision = spec.revision
        // The name of an image is in the container, unless it was built.
        if let image = spec.imageDigest, let workload = spec.workload,
            spec.image != WorkloadPlan.builtName(workload)
        {
            state.images = [spec.image: image]
        }
        return state
    }

    /// See `RolloutRuntime`.
    public func start(_ spec: ContainerSpec, as instance: Name) async throws -> Digest {
        var spec = spec
        spec.name = instance
        try await runtime.start(spec)
        return try WorkloadPlan.digest(of: spec)
    }

    /// See `RolloutRuntime`.
    public func resume(_ instance: Name, of workload: Name) async throws -> Resumption {
        try await runtime.resume(container: instance)
    }

    /// See `RolloutRuntime`.
    public func obstacle(_ instance: Name, _ spec: ContainerSpec) async throws -> String? {
        for port in Set(spec.ports.map(\.containerPort)).sorted() {
            if try await !runtime.accepts(port, in: instance) { return "port \(port) does not accept" }
        }
        return nil
    }

    /// See `RolloutRuntime`.
    public func publish(_ workload: Name, to instance: Name) async throws {
        try await runtime.publish(workload, to: instance)
    }

    /// See `RolloutRuntime`.
    public func withdraw(_ workload: Name) async throws { try await runtime.withdraw(workload) }

    /// See `RolloutRuntime`.
    public func remove(_ instance: Name) async throws { try await runtime.remove(instance) }

    /// See `RolloutRuntime`.
    public func lastLines(of instance: Name, count: Int) async throws -> [(stream: String, line: String)] {
        try await runtime.lastLines(of: instance, count: count)
    }

    /// See `RolloutRuntime`.
    public func differences(_ old: ContainerSpec, _ new: ContainerSpec) -> [String] {
        SpecDifference.between(old, new)
    }

    /// See `RolloutRuntime`.
    public func keep(_ plan: RolloutPlan<ContainerSpec>, of workload: Name, generation: Int) async throws {
        guard let image = plan.image else { return }
        try images.store.pin(image, for: workload, generation: generation)
    }

    /// See `RolloutRuntime`.
    public func cleanUp(_ workload: Name, keeping generations: Set<Int>) async throws {
        try images.store.unpin(workload, except: generations, newest: generations.isEmpty ? 0 : 3)
        try images.store.collect(inUse: Set(try await runtime.imagesInUse().keys))
    }

    /// See `RolloutRuntime`.
    public func volumes(of workload: Name) async throws -> [String] {
        try await runtime.volumes(of: workload)
    }

    /// See `RolloutRuntime`.
    public func removeVolume(_ name: String) async throws { try await runtime.removeVolume(name) }
}

extension BuildStepFailure: WorkloadFailure {}
