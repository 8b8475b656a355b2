internal import Glibc
public import VoltCore

/// Where a tool keeps its files on this host.
///
/// | what | root | user | with `VOLT_ROOT=DIR` |
/// |---|---|---|---|
/// | configuration | `/etc/volt` | `$XDG_CONFIG_HOME/volt` | `DIR/etc` |
/// | state | `/var/lib/volt/<tool>` | `$XDG_STATE_HOME/volt/<tool>` | `DIR/lib/<tool>` |
/// | cache | `/var/cache/volt/<tool>` | `$XDG_CACHE_HOME/volt/<tool>` | `DIR/cache/<tool>` |
/// | runtime | `/run/volt/<tool>` | `$XDG_RUNTIME_DIR/volt/<tool>` | `DIR/run/<tool>` |
/// | runtime of the host | `/run/volt` | `$XDG_RUNTIME_DIR/volt` | `DIR/run` |
public struct HostPaths: Sendable, Equatable {
    /// Whether the effective user is root.
    public static var runsAsRoot: Bool { geteuid() == 0 }

    /// Configuration, shared by all tools.
    public let configuration: String
    /// What must survive a reboot.
    public let state: String
    /// What can be made again.
    public let cache: String
    /// Sockets, process ids and locks: gone after a reboot, except under `VOLT_ROOT`.
    public let runtime: String
    /// The directory that the runtime directories of the tools are in, for what belongs to the host and not to a tool.
    public let hostRuntime: String

    /// - Parameters:
    ///   - tool: the name behind `volt-`, such as `gitops`.
    ///   - environment: for `VOLT_ROOT`, `HOME` and the XDG variables.
    ///   - isRoot: whether the effective user is root.
    /// - Throws: `VoltError` with code `usage` when `VOLT_ROOT` is relative, or `HOME` is needed and unset.
    public init(tool: String, environment: [String: String], isRoot: Bool = HostPaths.runsAsRoot)
        throws(VoltError)
    {
        if let root = environment["VOLT_ROOT"], !root.isEmpty {
            guard root.hasPrefix("/") else {
                throw VoltError(.usage, "VOLT_ROOT is '\(root)'", hint: "set it to an absolute path")
            }
            let base = Files.absolute(root, from: "/")
            configuration = "\(base)/etc"
            state = "\(base)/lib/\(tool)"
            cache = "\(base)/cache/\(tool)"
            hostRuntime = "\(base)/run"
            runtime = "\(hostRuntime)/\(tool)"
            return
        }
        if isRoot {
            configuration = "/etc/volt"
            state = "/var/lib/volt/\(tool)"
            cache = "/var/cache/volt/\(tool)"
            hostRuntime = "/run/volt"
            runtime = "\(hostRuntime)/\(tool)"
            return
        }
        func base(_ variable: String, _ fallback: String) throws(VoltError) -> String {
            if let value = environment[variable], value.hasPrefix("/") { return value }
            guard let home = environment["HOME"], home.hasPrefix("/") else {
                throw VoltError(.usage, "HOME is not set", hint: "set HOME, or VOLT_ROOT to an absolute path")
            }
            return "\(home)/\(fallback)"
        }
        configuration = try base("XDG_CONFIG_HOME", ".config") + "/volt"
        state = try base("XDG_STATE_HOME", ".local/state") + "/volt/\(tool)"
        cache = try base("XDG_CACHE_HOME", ".cache") + "/volt/\(tool)"
        if let value = environment["XDG_RUNTIME_DIR"], value.hasPrefix("/") {
            hostRuntime = "\(value)/volt"
            runtime = "\(hostRuntime)/\(tool)"
        } else {
            hostRuntime = "\(Files.parent(of: cache))/run"
            runtime = "\(cache)/run"
        }
    }
}
