internal import ContainerSandbox
internal import Glibc
internal import VoltCore
internal import VoltSystem
internal import VoltWorkload

/// Transient units of systemd, which outlive the unit of the command that makes them.
enum Units {
    /// What has systemd start a unit again whose main process was killed, however often; one that ends by itself has
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

/// What /proc tells about processes.
enum ProcessTable {
    /// The files that move a process into the control groups of another.
    static func groupFiles(of pid: Int32) -> [String] {
        groups(of: pid).map { "\($0)/cgroup.procs" }
    }

    /// Whether a process is in a control group that the kernel does not run.
    static func isFrozen(_ pid: Int32) -> Bool {
        groups(of: pid).contains { (directory: String) in FrozenGroup.isFrozen(directory) }
    }

    static func groups(of pid: Int32) -> [String] {
        let table = String(decoding: (try? Files.read("/proc/\(pid)/cgroup")) ?? [], as: UTF8.self)
        let isHybrid = Files.isDirectory("/sys/fs/cgroup/unified")
        return table.split(separator: "\n").compactMap { line in
            let fields = line.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false).map(
                String.init)
            guard fields.count == 3 else { return nil }
            let mount =
                switch fields[1] {
                case "": isHybrid ? "/sys/fs/cgroup/unified" : "/sys/fs/cgroup"
                case "name=systemd": "/sys/fs/cgroup/systemd"
                default: "/sys/fs/cgroup/\(fields[1])"
                }
            let directory = mount + (fields[2] == "/" ? "" : fields[2])
            return fields[2] != "/" && Files.isDirectory(directory) ? directory : nil
        }
    }

    /// Whether a TCP port is listened on in the network namespace of a process (proc(5), net/tcp).
    static func listens(_ port: UInt16, in pid: Int32) -> Bool {
        let hex = String(port, radix: 16, uppercase: true)
        let suffix = ":" + String(repeating: "0", count: 4 - hex.count) + hex
        for table in ["tcp", "tcp6"] {
            guard let bytes = try? Files.read("/proc/\(pid)/net/\(table)") else { continue }
            for line in String(decoding: bytes, as: UTF8.self).split(separator: "\n").dropFirst() {
                let fields = line.split(separator: " ", maxSplits: 4)
                if fields.count > 3, fields[1].hasSuffix(suffix), fields[3] == "0A" { return true }
            }
        }
        return false
    }
}

/// The control groups that a supervisor which was killed has left.
struct LeftGroups {
    let name: String

    /// How deep a user's session or a service may lie, and one more below its own groups.
    private static let depth = 8

    /// Lets what is frozen in them run again, and what systemd has frozen with the unit of that name: a process that
    /// is frozen ends by no other signal than a kill.
    func thaw() {
        for mount in ["/sys/fs/cgroup/unified", "/sys/fs/cgroup"] {
            for directory in Self.find(name, below: mount, depth: Self.depth) {
                let unit = Files.parent(of: directory)
                if Files.lastComponent(of: unit).hasPrefix("\(name).") {
                    Self.write("0", "\(unit)/cgroup.freeze")
                }
                Self.thaw(directory)
            }
        }
    }

    private static func thaw(_ directory: String) {
        write("0", "\(directory)/cgroup.freeze")
        for entry in (try? Files.list(directory)) ?? [] where Files.isDirectory("\(directory)/\(entry)") {
            thaw("\(directory)/\(entry)")
        }
    }

    /// Writes to a file that this kernel may not have.
    private static func write(_ text: String, _ path: String) {
        let descriptor = open(path, O_WRONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return }
        try? Files.write(Array(text.utf8), to: descriptor, named: path)
        close(descriptor)
    }

    /// Kills what is in them and removes them.
    func clear() {
        for root in ["unified", "systemd", "memory", "pids", "cpu", "devices", ""] {
            let mount = root.isEmpty ? "/sys/fs/cgroup" : "/sys/fs/cgroup/\(root)"
            for directory in Self.find(name, below: mount, depth: Self.depth) {
                // At once, with what is being forked meanwhile; from Linux 5.14 on. The group is not used again.
                Self.write("1", "\(directory)/cgroup.kill")
                for _ in 0..<100 {
                    let members = Self.members(of: directory)
                    if members.isEmpty { break }
                    for pid in members { kill(pid, SIGKILL) }
                    usleep(5_000)
                }
                for _ in 0..<50 {
                    if Self.remove(directory) { break }
                    usleep(2_000)
                }
            }
        }
    }

    private static func find(_ name: String, below directory: String, depth: Int) -> [String] {
        guard depth > 0 else { return [] }
        return ((try? Files.list(directory)) ?? []).flatMap { entry -> [String] in
            let path = "\(directory)/\(entry)"
            guard Files.isDirectory(path) else { return [] }
            return entry == name ? [path] : find(name, below: path, depth: depth - 1)
        }
    }

    private static func members(of directory: String) -> [Int32] {
        let text = (try? Files.read("\(directory)/cgroup.procs")) ?? []
        var pids = String(decoding: text, as: UTF8.self).split(separator: "\n").compactMap { Int32($0) }
        for entry in (try? Files.list(directory)) ?? [] where Files.isDirectory("\(directory)/\(entry)") {
            pids += members(of: "\(directory)/\(entry)")
        }
        return pids
    }

    private static func remove(_ directory: String) -> Bool {
        for entry in (try? Files.list(directory)) ?? [] where Files.isDirectory("\(directory)/\(entry)") {
            _ = remove("\(directory)/\(entry)")
        }
        return rmdir(directory) == 0 || errno == ENOENT
    }
}

extension PayloadStatus {
    /// Writes the record as a new file.
    func write(toFile path: String) { try? Files.replaceUnsynced(path, with: encoded) }
}

extension ResourceLimits {
    /// The tasks of a unit or scope: also those that are not the payload's, and the supervisor.
    var unitTasks: Int? { pids.map { $0 + NspawnCommand.ownProcesses + 1 } }

    /// The processors of a unit or scope, in percent of one.
    var unitPercent: Int? { cpus.map { Int($0 * 100) } }
}
