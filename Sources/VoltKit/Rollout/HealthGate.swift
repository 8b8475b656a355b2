internal import VoltCore
internal import VoltWorkload

/// Waits until an instance that was just started works.
struct HealthGate<Runtime: RolloutRuntime> {
    let runtime: Runtime
    let deadline: ContinuousClock.Instant
    /// How long a payload without a health check must be alive.
    let aliveFor: Duration

    /// - Throws: `VoltError` when the payload ends, becomes unhealthy or takes too long.
    func wait(for instance: Name, _ plan: RolloutPlan<Runtime.Spec>) async throws {
        let started = ContinuousClock.now
        var obstacle: String?
        var pause = Duration.milliseconds(5)
        while true {
            try Task.checkCancellation()
            guard let state = try await runtime.state(of: instance) else {
                throw VoltError(.failed, "'\(instance)' is gone")
            }
            // A payload that ends while it is looked at does not work, whatever its restart policy says.
            guard state.state == .running || state.state == .starting, state.restarts == 0 else {
                let code = state.exitCode.map { " with \($0)" } ?? ""
                throw VoltError(
                    .failed,
                    "'\(instance)' ended\(code) before it was healthy\(state.problem.map { ": it \($0)" } ?? "")",
                    hint: "its last lines are in the log")
            }
            if plan.checksHealth {
                if state.state == .running, state.health == .healthy { return }
                if state.health == .unhealthy {
                    throw VoltError(
                        .failed, "'\(instance)' is unhealthy", hint: "its last lines are in the log")
                }
            } else if state.state == .running, ContinuousClock.now - started >= aliveFor {
                obstacle = try await runtime.obstacle(instance, plan.spec)
                if obstacle == nil { return }
            }
            guard ContinuousClock.now < deadline else {
                throw VoltError(
                    .failed, "'\(instance)' did not get ready in time: \(obstacle ?? "it is not healthy")",
                    hint: "give it more with --timeout")
            }
            try await Task.sleep(for: pause)
            pause = min(pause * 3 / 2, .milliseconds(100))
        }
    }
}
