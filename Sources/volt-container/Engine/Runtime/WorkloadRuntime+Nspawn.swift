public import VoltCore
public import VoltRollout
internal import VoltSupervise
internal import VoltSystem
internal import VoltWorkload

extension ContainerRuntime: WorkloadRuntime {
    /// See `StepRunner`.
    public func run(
        _ spec: ContainerSpec, upper: String, output: @escaping @Sendable (String, String) -> Void
    ) async throws -> Int32 {
        let result: Result<Int32, VoltError>
        do throws(VoltError) {
            result = .success(try runStep(spec, upper: upper, output: output))
        } catch { result = .failure(error) }
        // A step that was cancelled has not failed, however it ended.
        try Task.checkCancellation()
        return try result.get()
    }

    /// See `WorkloadRuntime`.
    public func generations(of workload: Name) async throws -> [GenerationState] {
        try list().filter { $0.spec.workload == workload }.map(generation)
    }

    /// See `WorkloadRuntime`.
    public func imagesInUse() async throws -> [Digest: String] { try imageDigestsInUse() }

    /// See `WorkloadRuntime`.
    public func start(_ spec: ContainerSpec) async throws {
        try create(spec)
        try start(spec.name)
    }

    /// See `WorkloadRuntime`.
    public func resume(container: Name) async throws -> Resumption { try resume(container) }

    /// See `WorkloadRuntime`.
    public func state(of container: Name) async throws -> GenerationState? {
        do throws(VoltError) { return generation(try state(container)) } catch
            where error.code == .notFound
        {
            return nil
        }
    }

    /// See `WorkloadRuntime`.
    public func accepts(_ port: UInt16, in container: Name) async throws -> Bool {
        guard let supervisor = try state(container).supervisor else { return false }
        return ProcessTable.listens(port, in: supervisor)
    }

    /// See `WorkloadRuntime`.
    public func publish(_ workload: Name, to container: Name) async throws {
        try publish(workload: workload, ports: try state(container).spec.ports, to: container)
    }

    /// See `WorkloadRuntime`.
    public func withdraw(_ workload: Name) async throws { try unpublish(workload: workload) }

    /// See `WorkloadRuntime`.
    public func remove(_ container: Name) async throws {
        do throws(VoltError) { try remove(container, force: true) } catch  where error.code == .notFound {
            // Whoever asked wants it gone.
        }
    }

    /// See `WorkloadRuntime`.
    public func lastLines(of container: Name, count: Int) async throws -> [(stream: String, line: String)] {
        try lastLog(container, lines: count).map { ($0.stream, $0.text) }
    }

    /// See `WorkloadRuntime`.
    public func removeVolume(_ name: String) async throws { try discard(volume(name)) }

    /// See `WorkloadRuntime`.
    public func volumes(of workload: Name) async throws -> [String] {
        try Files.list("\(paths.state)/volumes").filter { $0.hasPrefix("\(workload).") }
    }

    private func generation(_ state: ContainerState) -> GenerationState {
        let activity: RunState =
            switch state.state {
            case .running: .running
            case .restarting: .restarting
            case .created, .exited: .exited
            }
        var generation = GenerationState(
            spec: state.spec, activity: activity,
            health: state.health,
            since: state.state == .running ? state.startedAt : state.finishedAt, restarts: state.restarts,
            exitCode: state.exitCode)
        if state.oomKilled == true { generation.outOfMemory = state.message }
        generation.hasFinished = activity == .exited && state.state == .exited && hasFinished(state.spec)
        generation.isStoppedByHand = activity == .exited && !instance(state.spec.name).isDesired
        return generation
    }
}
