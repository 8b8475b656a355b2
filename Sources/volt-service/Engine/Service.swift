public import VoltCore
internal import VoltService
internal import VoltSystemd
internal import VoltWorkload

/// Something that Volt keeps running on this host.
public struct Service: Encodable, Sendable, Equatable {
    /// What it is.
    public enum Kind: String, Encodable, Sendable {
        /// A unit of systemd with a file, or the server of a tool that no unit runs.
        case service
        /// A unit that listens for a service.
        case socket
        /// A unit that starts a service at times.
        case timer
        /// A workload, which a pipeline or `volt-<kind> apply` deploys.
        case workload
        /// A container that is of no workload.
        case container
        /// Something else that a tool runs and that is of no workload.
        case instance
        /// A kind of workload whose tool cannot list what it runs.
        case kind
        /// A process that belongs to one of the others, such as the one that owns published ports.
        case part
    }

    /// The name that the verbs take.
    public var name: String
    /// What it is.
    public var kind: Kind
    /// `running`, `listening`, `stopped`, `exited`, `failed`, `starting`, `restarting` and the like.
    public var state: String
    /// What the health check of a workload says.
    public var health: String?
    /// Whether a unit starts with the machine: `enabled`, `disabled`, `static`; nil for workloads.
    public var enabled: String?
    /// Its main process.
    public var pid: Int32?
    /// When it entered its state.
    public var since: Timestamp?
    /// How often it was started again.
    public var restarts: Int
    /// The unit of systemd, where there is one.
    public var unit: String?
    /// The container of a workload, or what else its tool runs for it.
    public var container: String?
    /// Who keeps it running: `systemd`, `volt`, or the name of the tool that knows.
    public var managedBy: String
    /// The tool that it belongs to, such as `gitops` or `container`.
    public var tool: String?
    /// What it is, for people.
    public var description: String
    /// Where it listens.
    public var listens: String?
    /// The unit file.
    public var unitFile: String?
    /// The drop-ins of the unit.
    public var dropIns: [String] = []
    /// Whether the unit's files changed since systemd read them.
    public var needsReload = false
    /// Bytes of memory.
    public var memory: Int64?
    /// Why it ended: `exit-code`, `signal`, `watchdog`; nil when all is well.
    public var result: String?

    /// A unit of systemd.
    ///
    /// - Parameter tool: the one that it belongs to.
    init(unit: UnitState, tool: String?) {
        let type = UnitName.type(of: unit.name)
        kind = unit.isTransient ? .part : Kind(rawValue: type) ?? .service
        name = type == "service" ? String(unit.name.dropLast(8)) : unit.name
        state = unit.word
        enabled = unit.file.isEmpty ? nil : unit.file
        pid = unit.pid
        since = unit.since
        restarts = unit.restarts
        self.unit = unit.name
        self.tool = tool
        managedBy = "systemd"
        description = unit.description
        listens = unit.listens.isEmpty ? Self.listens(unit) : unit.listens
        unitFile = unit.fragment.isEmpty ? nil : unit.fragment
        dropIns = unit.dropIns
        needsReload = unit.needsReload
        memory = unit.memory
        result = unit.result == "success" || unit.result.isEmpty ? nil : unit.result
    }

    /// Where a service says that it listens: `STATUS=listening on URL` of sd_notify(3).
    private static func listens(_ unit: UnitState) -> String? {
        let words = "listening on "
        guard unit.isActive, unit.status.hasPrefix(words) else { return nil }
        let url = unit.status.dropFirst(words.count).prefix { !$0.isWhitespace && $0 != "," }
        return url.isEmpty ? nil : String(url)
    }

    /// What a tool runs: that of a workload, or of none.
    init(_ instance: Instance, tool: String, unit: UnitState?) {
        name = instance.spec.workload ?? instance.spec.name
        kind = instance.spec.workload == nil ? Kind(rawValue: tool) ?? .instance : .workload
        state = instance.state
        health = instance.health == "none" ? nil : instance.health
        pid = instance.pid
        since = instance.state == "running" ? instance.startedAt : instance.finishedAt
        restarts = instance.restarts ?? 0
        self.unit = unit?.name
        self.tool = tool
        container = instance.spec.name
        managedBy = instance.supervisedBy ?? tool
        description = instance.spec.image.map { "\(tool) of image \($0)" } ?? tool
        let ports = (instance.spec.ports ?? []).map { "\($0.address):\($0.hostPort)" }
        listens = ports.isEmpty ? nil : ports.joined(separator: ", ")
        memory = unit?.memory
        if let code = instance.exitCode, instance.state == "exited", code != 0 {
            result = "exit code \(code)"
        }
    }

    /// A workload of which its tool tells no more than its status.
    init(_ status: WorkloadStatus, tool: String) {
        name = status.workload
        kind = .workload
        state = status.state.rawValue
        health = status.health == .none ? nil : status.health.rawValue
        since = status.since
        restarts = status.restarts
        self.tool = tool
        managedBy = tool
        description = "workload of kind \(tool)"
    }

    /// A service of a workload.
    init(_ service: ServiceStatus, of workload: String, tool: String) {
        name = "\(workload)/\(service.name)"
        kind = .part
        state = service.state.rawValue
        health = service.health == .none ? nil : service.health.rawValue
        since = service.since
        restarts = service.restarts ?? 0
        self.tool = tool
        managedBy = tool
        description = "service of workload \(workload)"
    }

    /// A kind whose tool cannot list its workloads.
    init(kind name: String) {
        self.name = name
        kind = .kind
        state = "cannot list"
        restarts = 0
        tool = name
        managedBy = name
        description = "the workloads of this kind: 'volt-\(name) list' is not known to its tool"
    }

    /// The server of a tool that no unit runs.
    init(server: ServiceRecord?, name: String, tool: String) {
        self.name = name
        kind = .service
        state = server == nil ? "stopped" : "running"
        pid = server?.pid
        restarts = 0
        self.tool = tool
        managedBy = "volt"
        description = "the server of 'volt \(tool)'"
        listens = server?.url
    }

    /// The state of the workload as a whole counts, rather than that of what runs for it now.
    mutating func take(_ status: WorkloadStatus) {
        state = status.state.rawValue
        health = status.health == .none ? nil : status.health.rawValue
    }
}
