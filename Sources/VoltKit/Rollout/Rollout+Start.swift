public import VoltCore
internal import VoltSystem
internal import VoltWorkload
internal import VoltWorkloadTool

/// The start of everything that should run, such as after the host was started.
extension Rollout {
    /// Starts the workloads that should run and do not, each when those that its `after` names are healthy. One that
    /// cannot be started does not keep the others from their turn.
    ///
    /// A dependency that is not meant to run, or is not there, is not waited for: the host comes back to what it was.
    ///
    /// - Parameters:
    ///   - timeout: how long all of the waiting may take.
    ///   - note: gets lines for people.
    /// - Returns: what became of each, in the order in which they were started.
    public func startAll(timeout: Duration, note: @escaping @Sendable (String) -> Void) async throws
        -> [StartResult]
    {
        let deadline = ContinuousClock.now + timeout
        // Only the records: to look at an instance may start it, and it is not its turn.
        var after: [Name: [Name]] = [:]
        for workload in try records.all() {
            after[workload] = (try? records.read(workload))?.after ?? []
        }
        let order = StartOrder(after)
        for line in order.notes { note(line) }
        var tasks: [Name: Task<StartResult, Never>] = [:]
        for workload in order.workloads {
            let dependencies = order.dependencies[workload] ?? []
            let earlier = dependencies.compactMap { tasks[$0] }
            tasks[workload] = Task {
                for task in earlier { _ = await task.value }
                do {
                    try await waitAtStart(for: dependencies, of: workload, until: deadline, note)
                    return StartResult(
                        name: workload, isWorkload: true, try await resume(workload, until: deadline))
                } catch {
                    let reason = (error as? VoltError)?.message ?? "\(error)"
                    return StartResult(name: workload, isWorkload: true, result: .failed, reason: reason)
                }
            }
        }
        let all = order.workloads.compactMap { tasks[$0] }
        let results = await withTaskCancellationHandler {
            var results: [StartResult] = []
            for task in all { results.append(await task.value) }
            return results
        } onCancel: {
            for task in all { task.cancel() }
        }
        try Task.checkCancellation()
        return results
    }

    /// Notes that everything of the kind was looked at since the host was started; see `StartedKinds`.
    public func noteStarted() throws(VoltError) { try StartedKinds(hostRuntime: hostRuntime).note(kind) }

    private func waitAtStart(
        for dependencies: [Name], of workload: Name, until deadline: ContinuousClock.Instant,
        _ note: @escaping @Sendable (String) -> Void
    ) async throws {
        for dependency in dependencies {
            if let reason = try await reasonNotToWait(for: dependency) {
                note("'\(workload)' does not wait for '\(dependency)', which \(reason)")
                continue
            }
            try await wait(for: [dependency], of: workload, until: deadline) { event in
                if case .log(_, let line, _) = event { note("'\(workload)': \(line)") }
            }
        }
    }

    private func reasonNotToWait(for dependency: Name) async throws -> String? {
        guard let status = try await knownStatus(of: dependency) else { return nil }
        switch status.stopped {
        case .byHand: return "was stopped by hand"
        case .finished: return "has finished"
        case nil: return status.state == .absent ? "is not deployed" : nil
        }
    }

    private func resume(_ workload: Name, until deadline: ContinuousClock.Instant) async throws -> Resumption
    {
        let name = try await claims.lock(workload, until: max(deadline, .now + .seconds(10)))
        let lock = try await records.lock(workload, until: max(deadline, .now + .seconds(10)))
        guard let record = try records.read(workload) else { return .skipped("it was removed meanwhile") }
        if let owner = try claims.kind(of: workload), owner != kind {
            return .skipped("it belongs to kind '\(owner)' now")
        }
        let resumption = try await runtime.resume(record.instance, of: workload)
        lock.keep()
        name.keep()
        return resumption
    }
}
