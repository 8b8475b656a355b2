/// The restrictions of a service, as settings of its unit (systemd.exec(5)).
public struct HardeningProfile: Sendable, Equatable {
    /// The settings, one a line, without those of temporary files.
    public let settings: String
    /// Whether the service writes nowhere but to its own directories.
    public let isStrict: Bool

    /// - Parameters: see the properties.
    public init(settings: String, isStrict: Bool) {
        self.settings = settings
        self.isStrict = isStrict
    }

    /// For a service that runs workloads as root: it needs mounts and control groups, and a build runs below it in
    /// systemd-nspawn.
    ///
    /// Left out is what these cannot do without (`PrivateDevices=`, `ProtectControlGroups=`, and
    /// `RestrictSUIDSGID=`, which takes openat2(2) away), and what breaks programs in a build
    /// (`NoNewPrivileges=`, `MemoryDenyWriteExecute=`, `SystemCallArchitectures=`, and a `UMask=` that closes
    /// the image to its own users). The workloads themselves run in units of their own, which none of this
    /// reaches: a restart of this one leaves them alone, and they see the host's own mounts.
    public static let deployer = HardeningProfile(
        settings: """
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
            """, isStrict: false)

    /// For a server that reads files of the host and writes to its own directories alone.
    ///
    /// Two capabilities stay: to listen on a port below 1024, and to read a key that belongs to a group. Homes are
    /// read-only rather than hidden, since a certificate, a password file or a policy may be there, and is replaced
    /// there by a rename, which a mount of the file would not see.
    public static let server = HardeningProfile(
        settings: """
            ProtectSystem=strict
            ProtectHome=read-only
            ProtectKernelTunables=yes
            ProtectKernelModules=yes
            ProtectKernelLogs=yes
            ProtectControlGroups=yes
            ProtectHostname=yes
            ProtectProc=invisible
            ProtectClock=yes
            PrivateDevices=yes
            DevicePolicy=closed
            KeyringMode=private
            NoNewPrivileges=yes
            RestrictNamespaces=yes
            RestrictSUIDSGID=yes
            LockPersonality=yes
            MemoryDenyWriteExecute=yes
            RestrictRealtime=yes
            RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK
            SystemCallArchitectures=native
            SystemCallFilter=@system-service
            SystemCallFilter=~@privileged @keyring
            SystemCallErrorNumber=EPERM
            CapabilityBoundingSet=CAP_NET_BIND_SERVICE CAP_DAC_READ_SEARCH
            UMask=0077
            LimitNOFILE=65536
            """, isStrict: true)
}
