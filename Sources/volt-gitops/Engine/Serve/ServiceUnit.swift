public import VoltCore
internal import VoltSystem

/// `volt-gitops.service`.
public struct ServiceUnit: Sendable, Equatable {
    private let executable: String
    private let root: String?

    /// - Parameters:
    ///   - executable: the absolute path of `volt-gitops`.
    ///   - root: `VOLT_ROOT`, or nil for the directories of the host.
    public init(executable: String, root: String?) {
        self.executable = executable
        self.root = root
    }

    /// The text of the unit.
    ///
    /// It deploys containers, which needs root, mounts, devices and cgroups, and a build runs below it: what
    /// makes a mount namespace (most of `Protect…=`), filters system calls that nspawn makes
    /// (`ProtectHostname=`), hides devices (`ProtectClock=`) or breaks a program in a build
    /// (`NoNewPrivileges=`, `MemoryDenyWriteExecute=`) is left out. The containers run in units of their own,
    /// so that a restart of this one leaves them alone.
    public var text: String {
        let variables = root.map { "Environment=\"VOLT_ROOT=\($0)\"\n" } ?? ""
        return """
            # Written by 'volt gitops install-service'; change it with 'volt service edit volt-gitops'.
            [Unit]
            Description=Volt GitOps: webhooks, polls and deploys
            Documentation=man:volt-gitops(1)
            After=network-online.target
            Wants=network-online.target

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
            UMask=0077
            OOMPolicy=continue
            LockPersonality=yes
            RestrictRealtime=yes

            [Install]
            WantedBy=multi-user.target

            """
    }

    /// Writes the unit and has systemd read it, where systemd is PID 1.
    ///
    /// - Returns: the path of the unit.
    public func install(in directory: String) throws(VoltError) -> String {
        try Files.makeDirectory(directory)
        let file = "\(directory)/volt-gitops.service"
        try Files.replace(file, with: text.utf8)
        if Files.isDirectory("/run/systemd/system"), directory == "/etc/systemd/system" {
            let outcome = try Child.start("/usr/bin/systemctl", ["daemon-reload"], environment: [:])
                .finish(limit: .seconds(60)) { _, _ in }
            guard outcome == .exited(0) else {
                throw VoltError(
                    .failed, "wrote '\(file)', but 'systemctl daemon-reload' ended with \(outcome)")
            }
        }
        return file
    }
}
