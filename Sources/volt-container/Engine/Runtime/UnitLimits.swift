internal import VoltWorkload

extension ResourceLimits {
    /// The tasks of a unit or scope: also those that are not the payload's, and the supervisor.
    var unitTasks: Int? { pids.map { $0 + NspawnCommand.ownProcesses + 1 } }

    /// The processors of a unit or scope, in percent of one.
    var unitPercent: Int? { cpus.map { Int($0 * 100) } }
}
