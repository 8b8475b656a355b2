internal import VoltCore
internal import VoltWorkload

/// Waits until a container that was just started works.
struct HealthGate {
    let runtime: any WorkloadRuntime
    let deadline: ContinuousClock.Instant
    /// How long a payload without a health check must be alive.
    let aliveFor: Duration

    /// - Throws: `VoltError` when the payload ends, becomes unhealthy or takes too long.
    func wait(for spec: ContainerSpec) async throws {
        let started = ContinuousClock.now
        var closed: UInt16?
        var pause = Duration.milliseconds(5)
        while true {
            try Task.checkCancellation()
            guard let state = try await runtime.state(of: spec.name) else {
                throw VoltError(.failed, "container '\(spec.name)' is gone")
            }
            // A payload that ends while it is looked at does not work, whatever its restart policy says.
            if state.activity != .running || state.restarts > 0 {
                let code = state.exitCode.map { " with \($0)" } ?? ""
                throw VoltError(
                    .failed,
                    "'\(spec.name)' ended\(code) before it was healthy\(state.outOfMemory.map { ": it \($0)" } ?? "")",
                    hint: "its last lines are in the log")
            }
            if spec.health != nil {
                if state.health == .healthy { return }
                if state.health == .unhealthy {
                    throw VoltError(
                        .failed, "'\(spec.name)' is unhealthy", hint: "its last lines are in the log")
                }
            } else if ContinuousClock.now - started >= aliveFor {
                closed = try await closedPort(spec)
                if closed == nil { return }
            }
            guard ContinuousClock.now < deadline else {
                let reason = closed.map { "port \($0) does not accept" } ?? "it is not healthy"
                throw VoltError(
                    .failed, "'\(spec.name)' did not get ready in time: \(reason)",
                    hint: "give it more with --timeout")
            }
            try await Task.sleep(for: pause)
            pause = min(pause * 3 / 2, .milliseconds(100))
        }
    }

    private func closedPort(_ spec: ContainerSpec) async throws -> UInt16? {
        for port in Set(spec.ports.map(\.containerPort)).sorted() {
            if try await !runtime.accepts(port, in: spec.name) { return port }
        }
        return nil
    }
}
