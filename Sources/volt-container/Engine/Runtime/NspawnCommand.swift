internal import ContainerSandbox
internal import ContainerSecrets
internal import VoltCore
internal import VoltWorkload
internal import VoltSandbox

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

    /// What the shim reads.
    func shimSettings() throws(VoltError) -> Settings {
        var settings = try payload(
            spec.command, environment: spec.environment, user: spec.user, spec.workingDirectory)
        settings.add("stop-signal", String(try Signals.number(spec.stopSignal)))
        guard let health = spec.health else { return settings }
        switch health.probe {
        case .http(let port, let path):
            settings.add("health", "http")
            settings.add("health-port", String(port))
            settings.add("health-path", path)
        case .tcp(let port):
            settings.add("health", "tcp")
            settings.add("health-port", String(port))
        case .exec(let command):
            settings.add("health", "exec")
            settings.add("health-arg", all: command)
        }
        settings.add("health-interval", String(health.intervalMilliseconds))
        settings.add("health-timeout", String(health.timeoutMilliseconds))
        settings.add("health-retries", String(health.retries))
        settings.add("health-start", String(health.startPeriodMilliseconds))
        return settings
    }

    /// Who runs what: the same for the payload and for `exec`.
    func payload(
        _ command: [String], environment: [String: String], user: String, _ directory: String
    ) throws(VoltError) -> Settings {
        var settings = Settings()
        settings.add("arg", all: command)
        var variables = environment
        if variables["PATH"] == nil {
            variables["PATH"] = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
        }
        settings.add("env", all: variables.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" })
        settings.add("user", user)
        settings.add("directory", directory.isEmpty ? "/" : directory)
        let added = try Capabilities.parse(spec.addCapabilities)
        settings.add(
            "capabilities",
            String(try Capabilities.effective(drop: spec.dropCapabilities, add: spec.addCapabilities)))
        settings.add("added", String(added))
        return settings
    }

    /// What the supervisor reads.
    ///
    /// - Parameters:
    ///   - directory: the directory of the container.
    ///   - group: the name of its control groups, unique on the host.
    ///   - mounts: the host paths of the mounts, the shim first, in the order of `argv`.
    ///   - limitsByUnit: whether a unit of systemd sets the limits.
    func supervisorSettings(
        directory: String, group: String, upper: String, work: String, mounts: [String], argv: [String],
        limitsByUnit: Bool
    ) -> Settings {
        var settings = Settings()
        settings.add("group", group)
        settings.add("directory", directory)
        settings.add("stage", "\(directory)/stage")
        settings.add("shim", "\(directory)/init")
        settings.add("upper", upper)
        settings.add("work", work)
        settings.add("mount", all: mounts)
        settings.add("target", all: spec.mounts.map(\.target) + secretFiles.map(\.target))
        settings.add("argv", all: argv)
        settings.add("env", "SYSTEMD_SECCOMP=0")
        settings.add("env", "SYSTEMD_NSPAWN_UNIFIED_HIERARCHY=1")
        // The image's own /tmp, which is on disk and bounded like the rest.
        settings.add("env", "SYSTEMD_NSPAWN_TMPFS_TMP=0")
        settings.add("env", "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
        settings.add("own-network", "1")
        settings.add("restart", spec.restart.rawValue)
        settings.add("stop-timeout", String(spec.stopTimeoutMilliseconds))
        if spec.removeWhenDone { settings.add("remove", "1") }
        if limitsByUnit {
            settings.add("journal", "1")
            if spec.limits.memory != nil { settings.add("memory-by-unit", "1") }
            return settings
        }
        if let memory = spec.limits.memory { settings.add("memory", String(memory)) }
        if let pids = spec.limits.pids { settings.add("pids", String(pids + Self.ownProcesses)) }
        if let cpus = spec.limits.cpus { settings.add("cpu-quota", String(Int(cpus * 100_000))) }
        return settings
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
