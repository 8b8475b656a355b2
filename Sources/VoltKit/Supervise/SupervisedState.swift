public import VoltCore
internal import VoltSystem
public import VoltWorkload

/// A supervised instance as it is at one moment.
public struct SupervisedState: Sendable, Equatable {
    /// How far its payload is.
    public var state: RunState
    /// The result of its health check.
    public var health = HealthState.none
    /// Since when.
    public var since: Timestamp?
    /// How often the payload was started again.
    public var restarts = 0
    /// How it ended last, or nil.
    public var exitCode: Int32?
    /// Why it ended, where more is known than the code, such as `ran out of memory`.
    public var problem: String?
}

extension SupervisedInstance {
    /// The state now, from the record of the supervisor and the status of the payload.
    public var now: SupervisedState {
        guard let record else { return SupervisedState(state: isDesired ? .starting : .exited) }
        let payload = status
        var now = SupervisedState(state: record.phase, restarts: record.restarts)
        if record.phase != .exited, !record.isSupervised {
            // The supervisor was killed, and has taken the payload along.
            now.state = .exited
            now.exitCode = 128 + 9
        } else if record.phase == .running {
            now.state = payload?.phase == .running ? .running : .starting
            now.health = payload?.health ?? .none
        } else {
            now.exitCode = record.code
            if record.outOfMemory { now.problem = payload?.message }
        }
        let since = now.state == .exited && record.finished > 0 ? record.finished : record.started
        if since > 0 { now.since = Timestamp(milliseconds: since) }
        return now
    }

    /// The network namespace of its supervisor, a file below /proc; nil when it does not run.
    public var network: String? {
        record.flatMap { $0.isSupervised && $0.phase != .exited ? "/proc/\($0.supervisor)/ns/net" : nil }
    }
}
