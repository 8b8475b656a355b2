internal import Glibc
internal import VoltCore
internal import VoltSupervise
internal import VoltSystem
internal import VoltWorkload

/// Transient units of systemd, which outlive the unit of the command that makes them.
enum Units {
    /// The properties by which systemd starts a unit again whose main process was killed, however often; one that ends by itself has
    /// done its work.
    static let restarts = ["Restart=on-abnormal", "RestartSec=100ms", "StartLimitIntervalSec=0"]

    /// Starts a program as a unit of its own and returns when it was executed.
    static func run(_ unit: String, properties: [String], _ command: [String]) throws(VoltError) {
        var arguments = ["--quiet", "--collect", "--unit=\(unit)", "--slice=volt.slice"]
        for property in properties { arguments += ["--property", property] }
        var said = ""
        for isRetry in [false, true] {
            let outcome = try Child.start(
                "/usr/bin/systemd-run", arguments + ["--"] + command, environment: [:]
            )
            .finish(limit: .seconds(60)) { _, line in said = line }
            if outcome == .exited(0) { return }
            // A unit of that name whose main process was killed may be on its way out still.
            if !isRetry { stop(unit) }
        }
        throw VoltError(.runtimeFailed, "systemd did not start unit '\(unit)': \(said)")
    }

    /// Moves this process into a scope of systemd with limits, for it and for what it starts.
    ///
    /// `systemd-run --scope` does the same and then becomes the command; asked by itself, systemd's refusal is this
    /// program's own error.
    ///
    /// - Throws: `VoltError` when the limits cannot be set.
    static func enterScope(_ unit: String, limits: ResourceLimits) throws(VoltError) {
        var properties = [
            "PIDs", "au", "1", String(getpid()), "Delegate", "b", "true", "Slice", "s", "volt.slice",
        ]
        // A scope that has failed is kept otherwise, and its name with it.
        properties += ["CollectMode", "s", "inactive-or-failed"]
        if let memory = limits.memory { properties += ["MemoryMax", "t", String(memory)] }
        if let tasks = limits.unitTasks { properties += ["TasksMax", "t", String(tasks)] }
        if let percent = limits.unitPercent {
            properties += ["CPUQuotaPerSecUSec", "t", String(percent * 10_000)]
        }
        let count = 4 + [limits.memory != nil, limits.pids != nil, limits.cpus != nil].count { $0 }
        let manager = "org.freedesktop.systemd1"
        var said = ""
        let outcome = try Child.start(
            "/usr/bin/busctl",
            [
                "--quiet", "call", manager, "/org/freedesktop/systemd1", "\(manager).Manager",
                "StartTransientUnit",
                "ssa(sv)a(sa(sv))", "\(unit).scope", "fail", String(count),
            ] + properties + ["0"], environment: [:]
        )
        .finish(limit: .seconds(60)) { _, line in said = line }
        let failure = "cannot limit the container"
        let hint = "run it with --detach, or without limits"
        guard outcome == .exited(0) else {
            throw VoltError(
                .runtimeFailed, "\(failure): systemd did not start '\(unit).scope': \(said)", hint: hint)
        }
        // The answer comes before the work.
        let deadline = ContinuousClock.now + .seconds(10)
        while !ProcessTable.groups(of: getpid()).contains(where: { $0.hasSuffix("/\(unit).scope") }) {
            guard ContinuousClock.now < deadline else {
                throw VoltError(
                    .runtimeFailed, "\(failure): systemd did not start '\(unit).scope' within 10 s",
                    hint: hint)
            }
            usleep(1_000)
        }
    }

    /// Ends a unit and waits until it is gone.
    private static func stop(_ unit: String) {
        for verb in ["stop", "reset-failed"] {
            _ = try? Child.start("/usr/bin/systemctl", [verb, "\(unit).service"], environment: [:])
                .finish(limit: .seconds(120)) { _, _ in }
        }
    }
}

extension ResourceLimits {
    /// The tasks of a unit or scope: also those that are not the payload's, and the supervisor.
    var unitTasks: Int? { pids.map { $0 + NspawnCommand.ownProcesses + 1 } }

    /// The processors of a unit or scope, in percent of one.
    var unitPercent: Int? { cpus.map { Int($0 * 100) } }
}
