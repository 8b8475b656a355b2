public import VoltCore
public import VoltWorkload

/// A container as it is now.
public struct ContainerState: Codable, Sendable, Equatable {
    /// Where a container is.
    public enum Phase: String, Codable, Sendable {
        case created, running, restarting, exited
    }

    /// The specification that it was made from.
    public var spec: ContainerSpec
    /// Where it is.
    public var state: Phase
    /// The result of its health check.
    public var health: HealthState
    /// Process 1 of the container on the host, while it runs.
    public var pid: Int32?
    /// The process that keeps the container running.
    public var supervisor: Int32?
    /// `systemd` when the supervisor is a unit of its own, else `volt`.
    public var supervisedBy: String
    /// How the payload ended last.
    public var exitCode: Int32?
    /// Whether the kernel has killed a process of the container for want of memory, before it ended last; nil in what
    /// earlier versions tell.
    public var oomKilled: Bool?
    /// Why it could not be started or how it ran out of memory, or what the last failed health check said.
    public var message: String
    /// When the payload was started last.
    public var startedAt: Timestamp?
    /// When it ended last.
    public var finishedAt: Timestamp?
    /// How often it was started again.
    public var restarts: Int
}
