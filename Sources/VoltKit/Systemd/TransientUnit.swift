internal import Glibc
public import VoltCore
internal import VoltSystem

/// Transient units of systemd, which outlive the unit of the command that makes them.
public enum TransientUnit {
    /// The properties that have systemd start a unit again whose main process was killed, however often; one that ends
    /// by itself has done its work.
    public static let restarts = ["Restart=on-abnormal", "RestartSec=100ms", "StartLimitIntervalSec=0"]

    /// The most that a scope may use.
    public struct Limits: Sendable, Equatable {
        /// Bytes of memory; nil for no limit.
        public var memory: UInt64?
        /// Tasks; nil for no limit.
        public var tasks: Int?
        /// Processors, in percent of one; nil for no limit.
        public var percent: Int?

        /// - Parameters: see the properties.
        public init(memory: UInt64? = nil, tasks: Int? = nil, percent: Int? = nil) {
            self.memory = memory
            self.tasks = tasks
            self.percent = percent
        }
    }

    /// Starts a program as a unit of its own and returns when it was executed.
    ///
    /// - Parameters:
    ///   - unit: the name, without `.service`.
    ///   - slice: the slice of the unit.
    ///   - properties: each `NAME=VALUE`.
    ///   - command: an absolute path and the arguments.
    /// - Throws: `VoltError` with code `runtimeFailed`.
    public static func run(
        _ unit: String, slice: String = "volt.slice", properties: [String], _ command: [String]
    ) throws(VoltError) {
        var arguments = ["--quiet", "--collect", "--unit=\(unit)", "--slice=\(slice)"]
        for property in properties { arguments += ["--property", property] }
        var said = ""
        for isRetry in [false, true] {
            let outcome = try Child.start(
                Systemd.program("systemd-run"), arguments + ["--"] + command, environment: [:]
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
    /// - Parameter unit: the name, without `.scope`.
    /// - Throws: `VoltError` with code `runtimeFailed` and systemd's words when the limits cannot be set.
    public static func enterScope(_ unit: String, slice: String = "volt.slice", limits: Limits)
        throws(VoltError)
    {
        var properties = [
            "PIDs", "au", "1", String(getpid()), "Delegate", "b", "true", "Slice", "s", slice,
        ]
        // A scope that has failed is kept otherwise, and its name with it.
        properties += ["CollectMode", "s", "inactive-or-failed"]
        if let memory = limits.memory { properties += ["MemoryMax", "t", String(memory)] }
        if let tasks = limits.tasks { properties += ["TasksMax", "t", String(tasks)] }
        if let percent = limits.percent {
            properties += ["CPUQuotaPerSecUSec", "t", String(percent * 10_000)]
        }
        let count = 4 + [limits.memory != nil, limits.tasks != nil, limits.percent != nil].count { $0 }
        let manager = "org.freedesktop.systemd1"
        var said = ""
        let outcome = try Child.start(
            Systemd.program("busctl"),
            [
                "--quiet", "call", manager, "/org/freedesktop/systemd1", "\(manager).Manager",
                "StartTransientUnit",
                "ssa(sv)a(sa(sv))", "\(unit).scope", "fail", String(count),
            ] + properties + ["0"], environment: [:]
        )
        .finish(limit: .seconds(60)) { _, line in said = line }
        guard outcome == .exited(0) else {
            throw VoltError(.runtimeFailed, "systemd did not start '\(unit).scope': \(said)")
        }
        // The answer comes before the work.
        let deadline = ContinuousClock.now + .seconds(10)
        while !isInScope(unit) {
            guard ContinuousClock.now < deadline else {
                throw VoltError(.runtimeFailed, "systemd did not start '\(unit).scope' within 10 s")
            }
            usleep(1_000)
        }
    }

    /// Whether a control group of this process is that of a scope.
    private static func isInScope(_ unit: String) -> Bool {
        let table = String(decoding: (try? Files.read("/proc/self/cgroup")) ?? [], as: UTF8.self)
        return table.split(separator: "\n").contains { $0.hasSuffix("/\(unit).scope") }
    }

    /// Ends a unit and waits until it is gone.
    private static func stop(_ unit: String) {
        for verb in ["stop", "reset-failed"] {
            _ = try? Systemd.run("systemctl", [verb, "\(unit).service"])
        }
    }
}
