public import VoltCore
internal import VoltSystem

/// `volt-gitops.service`, and `volt-gitops.socket` when systemd is to listen.
public struct ServiceUnit: Sendable, Equatable {
    /// The name of the service.
    public static let serviceName = "volt-gitops.service"
    /// The name of its socket.
    public static let socketName = "volt-gitops.socket"

    private let executable: String
    private let root: String?
    private let port: Int?
    private let hasSocket: Bool

    /// - Parameters:
    ///   - executable: the absolute path of `volt-gitops`.
    ///   - root: `VOLT_ROOT`, or nil for the directories of the host.
    ///   - port: the port, or nil for 9090.
    ///   - hasSocket: whether systemd listens.
    public init(executable: String, root: String?, port: Int? = nil, hasSocket: Bool = false) {
        self.executable = executable
        self.root = root
        self.port = port
        self.hasSocket = hasSocket
    }

    /// What the service may not do, for the whole host.
    ///
    /// It deploys containers, which needs root, mounts and control groups, and a build runs below it in
    /// systemd-nspawn. Left out is what these cannot do without (`PrivateDevices=`, `ProtectControlGroups=`,
    /// and `RestrictSUIDSGID=`, which takes openat2(2) away), and what breaks programs in a build
    /// (`NoNewPrivileges=`, `MemoryDenyWriteExecute=`, `SystemCallArchitectures=`, and a `UMask=` that closes
    /// the image to its own users). The containers themselves run in units of their own, which none of this
    /// reaches: a restart of this one leaves them alone, and they see the host's own mounts.
    private static let limits = """
        ProtectSystem=full
        ProtectHome=read-only
        ProtectKernelTunables=yes
        ProtectKernelModules=yes
        ProtectKernelLogs=yes
        ProtectHostname=yes
        ProtectProc=invisible
        ProtectClock=yes
        DevicePolicy=closed
        KeyringMode=private
        RestrictNamespaces=cgroup ipc net mnt pid uts
        LockPersonality=yes
        RestrictRealtime=yes
        RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK AF_PACKET
        SystemCallFilter=~@clock @cpu-emulation @module @obsolete @raw-io @reboot @swap
        SystemCallErrorNumber=EPERM
        CapabilityBoundingSet=~CAP_AUDIT_READ CAP_BLOCK_SUSPEND CAP_BPF CAP_CHECKPOINT_RESTORE CAP_IPC_LOCK
        CapabilityBoundingSet=~CAP_MAC_ADMIN CAP_MAC_OVERRIDE CAP_PERFMON CAP_SYSLOG CAP_SYS_MODULE
        CapabilityBoundingSet=~CAP_SYS_PACCT CAP_SYS_RAWIO CAP_SYS_TIME CAP_WAKE_ALARM
        """

    /// A /tmp of its own hides what is below the host's, where a root for trials or the program may be.
    private var temporary: String {
        let isInTmp = [executable, root ?? ""].contains { $0.hasPrefix("/tmp") || $0.hasPrefix("/var/tmp") }
        return isInTmp ? "" : "PrivateTmp=yes\n"
    }

    /// The text of the service.
    public var text: String {
        var variables = root.map { "Environment=\"VOLT_ROOT=\($0)\"\n" } ?? ""
        if let port { variables += "Environment=VOLT_GITOPS_PORT=\(port)\n" }
        let socket = hasSocket ? "Requires=\(Self.socketName)\nAfter=\(Self.socketName)\n" : ""
        return """
            # Written by 'volt gitops install-service'; change it with 'volt service edit volt-gitops'.
            [Unit]
            Description=Volt GitOps: webhooks, polls and deploys
            Documentation=man:volt-gitops(1)
            After=network-online.target
            Wants=network-online.target
            # However often it is restarted, it is started again: a limit would close the socket for good.
            StartLimitIntervalSec=0
            \(socket)
            [Service]
            Type=notify
            TimeoutStartSec=10min
            WatchdogSec=60s
            ExecStart=\(executable) serve
            ExecReload=/bin/kill -HUP $MAINPID
            \(variables)Restart=on-failure
            RestartSec=2s
            KillMode=mixed
            TimeoutStopSec=60s
            OOMPolicy=continue

            # What it may not do; see docs/gitops-operations.md before you take any of it out.
            \(temporary)\(Self.limits)

            [Install]
            WantedBy=multi-user.target

            """
    }

    /// The text of the socket.
    public var socketText: String {
        """
        # Written by 'volt gitops install-service --socket'; 'volt service edit volt-gitops --port' changes the port.
        [Unit]
        Description=Volt GitOps: the port of the webhooks

        [Socket]
        ListenStream=\(port ?? 9090)
        Backlog=1024

        [Install]
        WantedBy=sockets.target

        """
    }

    /// Writes the units and has systemd read them, where systemd is PID 1. A socket that is not wanted is removed.
    ///
    /// - Returns: the paths of the units.
    public func install(in directory: String) throws(VoltError) -> [String] {
        try Files.makeDirectory(directory)
        let file = "\(directory)/\(Self.serviceName)"
        let socket = "\(directory)/\(Self.socketName)"
        let isOnHost = Files.isDirectory("/run/systemd/system") && directory == "/etc/systemd/system"
        if !hasSocket, Files.exists(socket) {
            if isOnHost { try Self.control(["disable", "--now", "--quiet", Self.socketName]) }
            try Files.remove(socket)
        }
        if hasSocket { try Files.replace(socket, with: socketText.utf8) }
        try Files.replace(file, with: text.utf8)
        if isOnHost { try Self.control(["daemon-reload"]) }
        return hasSocket ? [socket, file] : [file]
    }

    /// The port that the units in a directory have now, with what 'volt service edit --port' changed; nil for the
    /// one that nobody chose.
    public static func port(in directory: String) -> Int? {
        let keys = [socketName: "ListenStream=", serviceName: "Environment=VOLT_GITOPS_PORT="]
        for unit in [socketName, serviceName] where Files.exists("\(directory)/\(unit)") {
            let dropIns = ((try? Files.list("\(directory)/\(unit).d")) ?? []).filter { $0.hasSuffix(".conf") }
            let files = [unit] + dropIns.sorted().map { "\(unit).d/\($0)" }
            let lines = files.flatMap { file in
                String(
                    decoding: (try? Files.read("\(directory)/\(file)", limit: 1 << 20)) ?? [], as: UTF8.self
                )
                .split(separator: "\n")
            }
            let key = keys[unit] ?? ""
            let ports = lines.filter { $0.hasPrefix(key) }.compactMap { line in
                Int(line.dropFirst(key.count).split(separator: ":").last ?? "")
            }
            if let port = ports.last(where: { (1...65535).contains($0) }) { return port }
        }
        return nil
    }

    private static func control(_ arguments: [String]) throws(VoltError) {
        let outcome = try Child.start("/usr/bin/systemctl", arguments, environment: [:])
            .finish(limit: .seconds(90)) { _, _ in }
        guard outcome == .exited(0) else {
            throw VoltError(.failed, "'systemctl \(arguments.joined(separator: " "))' ended with \(outcome)")
        }
    }
}
