public import VoltCore

/// A unit as `systemctl show` prints it.
public struct UnitState: Sendable, Equatable {
    static let properties = [
        "Id", "Description", "LoadState", "ActiveState", "SubState", "UnitFileState", "FragmentPath",
        "DropInPaths", "MainPID", "StateChangeTimestamp", "NRestarts", "MemoryCurrent", "Transient",
        "NeedDaemonReload", "Result", "ExecStart", "Listen", "StatusText",
    ]

    /// The full name, such as `volt-gitops.service`.
    public var name: String
    /// What it is, for people.
    public var description = ""
    /// `loaded`, `not-found`, `bad-setting`, `masked`.
    public var load = "loaded"
    /// `active`, `inactive`, `failed`, `activating`, `deactivating` or `reloading`.
    public var active = "inactive"
    /// What `active` means for its type: `running`, `listening`, `exited`.
    public var sub = "dead"
    /// `enabled`, `disabled`, `static`, `transient`, or empty.
    public var file = ""
    /// The unit file.
    public var fragment = ""
    /// The drop-ins in the order in which they are read.
    public var dropIns: [String] = []
    /// The main process, or nil.
    public var pid: Int32?
    /// When it entered its state.
    public var since: Timestamp?
    /// How often systemd started it again.
    public var restarts = 0
    /// Bytes of memory, where they are counted.
    public var memory: Int64?
    /// Whether it has no file and goes away when it ends.
    public var isTransient = false
    /// Whether its files changed since systemd read them.
    public var needsReload = false
    /// `success`, or why it ended: `exit-code`, `signal`, `watchdog`, `timeout`.
    public var result = "success"
    /// What it runs, as systemd prints it.
    public var command = ""
    /// What a socket listens on, such as `[::]:9090 (Stream)`.
    public var listens = ""
    /// The status that its program told systemd (`STATUS=` of sd_notify(3)).
    public var status = ""

    /// A unit of which nothing but the name is known.
    public init(name: String) { self.name = name }

    /// The word for people: `running`, `listening`, `stopped`, `failed`, `starting` and the like.
    public var word: String {
        if load == "masked" { return "masked" }
        switch active {
        case "active": return sub
        case "inactive": return "stopped"
        case "activating": return sub == "auto-restart" ? "restarting" : "starting"
        case "deactivating": return "stopping"
        default: return active
        }
    }

    /// Whether it works or is about to.
    public var isActive: Bool { ["active", "activating", "reloading"].contains(active) }

    /// Reads the output of `systemctl show --timestamp=unix` for any number of units: `NAME=VALUE` lines,
    /// an empty line between two units.
    public static func parse(_ lines: [String]) -> [UnitState] {
        var states: [UnitState] = []
        for block in lines.split(separator: "", omittingEmptySubsequences: true) {
            var fields: [String: String] = [:]
            for line in block {
                guard let equals = line.firstIndex(of: "=") else { continue }
                let key = String(line[..<equals])
                let value = String(line[line.index(after: equals)...])
                // A socket has a Listen= for each of its addresses.
                fields[key] = fields[key].map { "\($0), \(value)" } ?? value
            }
            guard let name = fields["Id"], !name.isEmpty else { continue }
            var state = UnitState(name: name)
            state.description = fields["Description"] ?? ""
            state.load = fields["LoadState"] ?? ""
            state.active = fields["ActiveState"] ?? ""
            state.sub = fields["SubState"] ?? ""
            state.file = fields["UnitFileState"] ?? ""
            state.fragment = fields["FragmentPath"] ?? ""
            state.dropIns = (fields["DropInPaths"] ?? "").split(separator: " ").map(String.init)
            state.pid = fields["MainPID"].flatMap { Int32($0) }.flatMap { $0 > 0 ? $0 : nil }
            state.since = fields["StateChangeTimestamp"].flatMap { Int64($0.drop { $0 == "@" }) }
                .flatMap { $0 > 0 ? Timestamp(milliseconds: $0.multipliedClamped(by: 1000)) : nil }
            state.restarts = fields["NRestarts"].flatMap { Int($0) } ?? 0
            state.memory = fields["MemoryCurrent"].flatMap { Int64($0) }
            state.isTransient = fields["Transient"] == "yes"
            state.needsReload = fields["NeedDaemonReload"] == "yes"
            state.result = fields["Result"] ?? "success"
            state.command = fields["ExecStart"] ?? ""
            state.listens = fields["Listen"] ?? ""
            state.status = fields["StatusText"] ?? ""
            states.append(state)
        }
        return states
    }
}
