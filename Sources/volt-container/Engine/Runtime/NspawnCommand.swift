internal import ContainerSandbox
internal import ContainerSecrets
internal import VoltCore
internal import VoltSandbox
internal import VoltSupervise
internal import VoltWorkload

/// The settings of the static helpers, and the command line of systemd-nspawn, as pure values.
struct NspawnCommand {
    /// nspawn, process 1 and a health check, which are in the payload's control group and not in its limit.
    static let ownProcesses = 3

    let spec: ContainerSpec

    /// Files of /proc that tell about the host. systemd 252 masks them only where PID 1 is systemd
    /// (nspawn looks below /run/systemd/inaccessible), so they are covered here.
    private static let masked = [
        "/proc/kallsyms", "/proc/kcore", "/proc/keys", "/proc/sysrq-trigger", "/proc/timer_list",
    ]

    /// systemd-nspawn(1), without process 1 at its end. Every path below /run/m and /run/root is made by the
    /// helper that executes this, and it adds process 1, /run/m/0.
    ///
    /// - Parameters:
    ///   - nspawn: the absolute path of systemd-nspawn.
    ///   - existing: which of the masked files this kernel has.
    func argv(nspawn: String, isThere: (String) -> Bool) -> [String] {
        var argv = [
            nspawn, "--quiet", "--keep-unit", "--register=no", "--console=pipe", "--kill-signal=SIGTERM",
            "--resolv-conf=off", "--timezone=off", "--link-journal=no", "--machine=\(spec.name)",
            "--hostname=\(spec.hostname)", "--directory=/run/root",
        ]
        for path in Self.masked where isThere(path) { argv.append("--bind-ro=/dev/null:\(path)") }
        for (index, mount) in spec.mounts.enumerated() {
            let target = mount.target.replacing("\\", with: "\\\\").replacing(":", with: "\\:")
            argv.append("--bind\(mount.readOnly ? "-ro" : "")=/run/m/\(index + 1):\(target)")
        }
        for (index, file) in secretFiles.enumerated() {
            let target = file.target.replacing("\\", with: "\\\\").replacing(":", with: "\\:")
            argv.append("--bind-ro=/run/m/\(spec.mounts.count + 1 + index):\(target)")
        }
        if spec.readOnly { argv.append("--read-only") }
        return argv
    }

    /// The files of the container that secrets are in, in their order.
    private var secretFiles: [SecretReference.Placement] {
        (spec.secrets ?? []).compactMap { if case .file(let placement) = $0.use { placement } else { nil } }
    }

    /// The settings of process 1.
    func shimSettings() throws(VoltError) -> InitSettings {
        InitSettings(
            confinement: try payload(
                spec.command, environment: spec.environment, user: spec.user, spec.workingDirectory),
            stopSignal: try Signals.number(spec.stopSignal), health: spec.health)
    }

    /// Who runs what: the same for the payload and for `exec`.
    func payload(
        _ command: [String], environment: [String: String], user: String, _ directory: String
    ) throws(VoltError) -> Confinement {
        var variables = environment
        if variables["PATH"] == nil {
            variables["PATH"] = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
        }
        return try Confinement(
            command: command,
            environment: variables.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }, user: user,
            directory: directory.isEmpty ? "/" : directory,
            capabilities: Capabilities.effective(drop: spec.dropCapabilities, add: spec.addCapabilities),
            added: Capabilities.parse(spec.addCapabilities))
    }

    /// The environment of systemd-nspawn.
    private static let environment = [
        "SYSTEMD_SECCOMP=0", "SYSTEMD_NSPAWN_UNIFIED_HIERARCHY=1",
        // The image's own /tmp, which is on disk and bounded like the rest.
        "SYSTEMD_NSPAWN_TMPFS_TMP=0", "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    ]

    /// The settings of the supervisor.
    ///
    /// - Parameters:
    ///   - directory: the directory of the container.
    ///   - group: the name of its control groups, unique on the host.
    ///   - mounts: the host paths of the mounts, the shim first, in the order of `argv`.
    ///   - limitsByUnit: whether a unit of systemd sets the limits.
    func supervisorSettings(
        directory: String, group: String, root: RootSettings, mounts: [String], argv: [String],
        limitsByUnit: Bool
    ) -> RunSettings {
        var supervise = SuperviseSettings(directory: directory, group: group)
        supervise.restart = spec.restart
        supervise.stopTimeoutMilliseconds = spec.stopTimeoutMilliseconds
        supervise.removesDirectory = spec.removeWhenDone
        supervise.isUnit = limitsByUnit
        supervise.hasMemoryLimitOfUnit = limitsByUnit && spec.limits.memory != nil
        if !limitsByUnit {
            supervise.limits = GroupLimits(spec.limits, ownProcesses: Self.ownProcesses)
        }
        return RunSettings(
            supervise: supervise, root: root, shim: "\(directory)/init", mounts: mounts,
            targets: spec.mounts.map(\.target) + secretFiles.map(\.target), argv: argv,
            environment: Self.environment)
    }
}

/// Signals by name (signal(7)).
enum Signals {
    private static let numbers: [String: Int32] = [
        "HUP": 1, "INT": 2, "QUIT": 3, "KILL": 9, "USR1": 10, "USR2": 12, "TERM": 15, "STOP": 19, "WINCH": 28,
    ]

    /// The number of `SIGTERM`, `TERM` or `15`, and of `SIGRTMIN+3`.
    static func number(_ text: String) throws(VoltError) -> Int32 {
        let name =
            text.uppercased().hasPrefix("SIG") ? String(text.uppercased().dropFirst(3)) : text.uppercased()
        if let number = numbers[name] { return number }
        if let number = Int32(name), (1...64).contains(number) { return number }
        if name.hasPrefix("RTMIN+"), let offset = Int32(name.dropFirst(6)), (0...30).contains(offset) {
            return 34 + offset
        }
        throw VoltError(
            .usage, "'\(text)' is not a signal", hint: "write SIGTERM, SIGINT, SIGQUIT or a number")
    }
}
