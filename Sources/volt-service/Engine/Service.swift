public import VoltCore

/// Something that Volt keeps running on this host.
public struct Service: Encodable, Sendable, Equatable {
    /// What it is.
    public enum Kind: String, Encodable, Sendable {
        /// A unit of systemd with a file, or `volt gitops serve` where systemd is not PID 1.
        case service
        /// A unit that listens for a service.
        case socket
        /// A unit that starts a service at times.
        case timer
        /// A workload, which a pipeline or `volt-<kind> apply` deploys.
        case workload
        /// A container that is of no workload.
        case container
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
    /// The container of a workload.
    public var container: String?
    /// Who keeps it running: `systemd` or `volt`.
    public var managedBy: String
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
    init(unit: UnitState) {
        let type = unit.name.split(separator: ".").last ?? ""
        kind = unit.isTransient ? .part : Kind(rawValue: String(type)) ?? .service
        name = type == "service" ? String(unit.name.dropLast(8)) : unit.name
        state = unit.word
        enabled = unit.file.isEmpty ? nil : unit.file
        pid = unit.pid
        since = unit.since
        restarts = unit.restarts
        self.unit = unit.name
        managedBy = "systemd"
        description = unit.description
        listens = unit.listens.isEmpty ? nil : unit.listens
        unitFile = unit.fragment.isEmpty ? nil : unit.fragment
        dropIns = unit.dropIns
        needsReload = unit.needsReload
        memory = unit.memory
        result = unit.result == "success" || unit.result.isEmpty ? nil : unit.result
    }

    /// A workload, or a container that is of none.
    init(container: ContainerLine, unit: UnitState?) {
        name = container.spec.workload ?? container.spec.name
        kind = container.spec.workload == nil ? .container : .workload
        state = container.state
        health = container.health == "none" ? nil : container.health
        pid = container.pid
        since = container.state == "running" ? container.startedAt : container.finishedAt
        restarts = container.restarts
        self.unit = unit?.name
        self.container = container.spec.name
        managedBy = container.supervisedBy
        description = "container of image \(container.spec.image)"
        let ports = container.spec.ports.map { "\($0.address):\($0.hostPort)" }
        listens = ports.isEmpty ? nil : ports.joined(separator: ", ")
        memory = unit?.memory
        if let code = container.exitCode, container.state == "exited", code != 0 {
            result = "exit code \(code)"
        }
    }

    /// `volt gitops serve` that no unit runs.
    init(server: GitopsStatus.Server?) {
        name = "volt-gitops"
        kind = .service
        state = server == nil ? "stopped" : "running"
        pid = server?.pid
        restarts = 0
        managedBy = "volt"
        description = "Volt GitOps: webhooks, polls and deploys"
        listens = server?.url
    }
}

/// A line of `volt container ps -o json`.
struct ContainerLine: Decodable, Sendable {
    struct Spec: Decodable, Sendable {
        struct Port: Decodable, Sendable {
            let address: String
            let hostPort: Int
        }
        let name: String
        let image: String
        let workload: String?
        let ports: [Port]
    }
    let spec: Spec
    let state: String
    let health: String
    let pid: Int32?
    let supervisor: Int32?
    let supervisedBy: String
    let exitCode: Int32?
    let startedAt: Timestamp?
    let finishedAt: Timestamp?
    let restarts: Int
}

/// What `volt gitops status -o json` says about the server.
struct GitopsStatus: Decodable, Sendable {
    struct Server: Decodable, Sendable {
        let pid: Int32
        let url: String
    }
    let server: Server?
}
