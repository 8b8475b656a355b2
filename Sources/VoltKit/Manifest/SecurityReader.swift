internal import VoltCore
internal import VoltYAML

/// Reads the `security` section.
enum SecurityReader {
    /// Linux capabilities (capabilities(7), Linux 5.9 and later), in lower case without `cap_`.
    static let capabilities = [
        "audit_control", "audit_read", "audit_write", "block_suspend", "bpf", "checkpoint_restore", "chown",
        "dac_override", "dac_read_search", "fowner", "fsetid", "ipc_lock", "ipc_owner", "kill", "lease",
        "linux_immutable", "mac_admin", "mac_override", "mknod", "net_admin", "net_bind_service",
        "net_broadcast",
        "net_raw", "perfmon", "setfcap", "setgid", "setpcap", "setuid", "sys_admin", "sys_boot", "sys_chroot",
        "sys_module", "sys_nice", "sys_pacct", "sys_ptrace", "sys_rawio", "sys_resource", "sys_time",
        "sys_tty_config", "syslog", "wake_alarm",
    ]

    static func read(_ node: YAMLNode, into manifest: inout ContainerManifest) throws(VoltError) {
        let fields = try node.fields(["readOnly", "user", "capabilities", "landlock"])
        if let landlock = fields["landlock"] {
            throw landlock.failure(
                "'landlock' is not enforced yet",
                hint: "remove it: a rule that is not enforced would only look safe")
        }
        if let readOnly = fields["readOnly"] { manifest.readOnly = try readOnly.boolean() }
        if let user = fields["user"] {
            let text = try user.string()
            guard isUser(text) else {
                throw user.failure(
                    "'\(text)' is not a user", hint: "write a number or a name, with :group if needed")
            }
            do throws(VoltError) { try AccountNumber.check(text) } catch {
                throw user.failure(error.message, hint: error.hint)
            }
            manifest.user = text
        }
        if let node = fields["capabilities"] {
            let fields = try node.fields(["drop", "add"])
            if let drop = fields["drop"] { manifest.dropCapabilities = try names(drop) }
            if let add = fields["add"] { manifest.addCapabilities = try names(add) }
        }
    }

    private static func names(_ node: YAMLNode) throws(VoltError) -> [String] {
        var names: [String] = []
        for item in try node.items() {
            var name = try item.string().lowercased()
            if name.hasPrefix("cap_") { name.removeFirst(4) }
            guard name == "all" || capabilities.contains(name) else {
                let near = EditDistance.suggestions(for: name, among: capabilities, limit: 1).first
                throw item.failure(
                    "'\(try item.string())' is not a capability", hint: near.map { "did you mean '\($0)'?" })
            }
            names.append(name)
        }
        return names
    }

    private static func isUser(_ text: String) -> Bool {
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        return (1...2).contains(parts.count)
            && parts.allSatisfy { part in
                (1...64).contains(part.utf8.count) && part.first != "-"
                    && part.utf8.allSatisfy {
                        (48...57).contains($0) || (65...90).contains($0) || (97...122).contains($0)
                            || Array("_-.".utf8).contains($0)
                    }
            }
    }
}
