public import VoltCore

/// Capabilities by name (capabilities(7)), as bits of a mask.
public enum Capabilities {
    /// The names in the order of their numbers, in lower case without `cap_`.
    public static let names = [
        "chown", "dac_override", "dac_read_search", "fowner", "fsetid", "kill", "setgid", "setuid", "setpcap",
        "linux_immutable", "net_bind_service", "net_broadcast", "net_admin", "net_raw", "ipc_lock",
        "ipc_owner",
        "sys_module", "sys_rawio", "sys_chroot", "sys_ptrace", "sys_pacct", "sys_admin", "sys_boot",
        "sys_nice",
        "sys_resource", "sys_time", "sys_tty_config", "mknod", "lease", "audit_write", "audit_control",
        "setfcap",
        "mac_override", "mac_admin", "syslog", "wake_alarm", "block_suspend", "audit_read", "perfmon", "bpf",
        "checkpoint_restore",
    ]

    /// The set that Docker and podman have given for years: what daemons that start as root need.
    public static let standard = mask(of: [
        "chown", "dac_override", "fowner", "fsetid", "kill", "setgid", "setuid", "setpcap",
        "net_bind_service",
        "net_raw", "sys_chroot", "mknod", "audit_write", "setfcap",
    ])

    /// The set that process 1 of a container needs to become the user of the payload and to pass signals on.
    public static let shim = mask(of: ["kill", "setgid", "setuid", "setpcap"])

    private static func mask(of list: [String]) -> UInt64 {
        list.reduce(0) { mask, name in names.firstIndex(of: name).map { mask | 1 << UInt64($0) } ?? mask }
    }

    /// The mask of names as users write them: with or without `cap_`, in any case; `all` is every one.
    ///
    /// - Throws: `VoltError` with code `usage` for a name that is none.
    public static func parse(_ list: [String]) throws(VoltError) -> UInt64 {
        var mask: UInt64 = 0
        for text in list {
            var name = text.lowercased()
            if name.hasPrefix("cap_") { name.removeFirst(4) }
            if name == "all" {
                mask |= (1 << UInt64(names.count)) - 1
                continue
            }
            guard let number = names.firstIndex(of: name) else {
                throw VoltError(
                    .usage, "'\(text)' is not a capability", hint: "capabilities(7) lists the names")
            }
            mask |= 1 << UInt64(number)
        }
        return mask
    }

    /// The capabilities of a payload: the standard set, without the dropped, with the added.
    public static func effective(drop: [String], add: [String]) throws(VoltError) -> UInt64 {
        try standard & ~parse(drop) | parse(add)
    }

    /// The names of the bits of a mask.
    public static func list(_ mask: UInt64) -> [String] {
        names.indices.filter { mask >> UInt64($0) & 1 == 1 }.map { names[$0] }
    }
}
