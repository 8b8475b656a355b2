internal import FoundationEssentials
public import VoltCore
internal import VoltPlugin
internal import VoltService
internal import VoltSystem
public import VoltSystemd
internal import VoltWorkload
internal import VoltWorkloadTool

/// What Volt keeps running on this host: units of systemd, and the workloads that its tools know.
public struct ServiceHost: Sendable {
    /// The service manager; nil where PID 1 is not systemd.
    public let systemd: Systemd?
    let environment: [String: String]
    let plugins: PluginSearch
    private let selfPath: String

    /// - Parameters:
    ///   - systemd: the service manager, or nil.
    ///   - environment: handed on to the tools.
    ///   - selfPath: the absolute path of this program, beside which the tools are looked for.
    public init(systemd: Systemd?, environment: [String: String], selfPath: String) {
        self.systemd = systemd
        self.environment = environment
        self.selfPath = selfPath
        plugins = PluginSearch(environment: environment, selfPath: selfPath)
    }

    /// All that is known, and what kept the rest from being known.
    public struct Overview: Sendable {
        /// By kind and name.
        public var services: [Service] = []
        /// Each a line for people.
        public var notes: [String] = []
        /// The tools that were asked.
        public var tools = KnownTools()

        /// Adds a line, once.
        mutating func note(_ tool: String, _ error: VoltError) {
            let line = "what 'volt \(tool)' runs is not shown: \(error.message)"
            if !notes.contains(line) { notes.append(line) }
        }
    }

    // MARK: Looking

    /// Everything Volt keeps running, whether or not it runs now.
    public func overview() throws(VoltError) -> Overview {
        var overview = Overview()
        let tools = KnownTools(plugins, environment: environment, without: "service")
        overview.tools = tools
        var units = try states(tools)
        addWorkloads(&overview, &units)
        for unit in units {
            overview.services.append(Service(unit: unit, tool: tools.owner(of: unit.name)?.name))
        }
        addServers(&overview)
        let order: [Service.Kind] = [
            .service, .socket, .timer, .workload, .container, .instance, .kind, .part,
        ]
        overview.services.sort {
            let (left, right) = (order.firstIndex(of: $0.kind) ?? 0, order.firstIndex(of: $1.kind) ?? 0)
            return (left, $0.name) < (right, $1.name)
        }
        return overview
    }

    /// The units that the tools name, and those whose names begin with `volt-`.
    private func states(_ tools: KnownTools) throws(VoltError) -> [UnitState] {
        guard let systemd else { return [] }
        let patterns = ["volt-*"] + tools.all.flatMap(\.units).filter { !$0.hasPrefix("volt-") }
        let names = try systemd.unitNames(patterns, types: UnitName.types)
        return try systemd.states(of: names.sorted())
    }

    /// The workloads of every kind, and what tools run beside them. Units that supervise one of these are taken out.
    private func addWorkloads(_ overview: inout Overview, _ units: inout [UnitState]) {
        var instances: [String: [Instance]] = [:]
        for tool in overview.tools.all where !tool.isUnused {
            guard let verb = tool.instances else { continue }
            do throws(VoltError) {
                let command = ToolCommand(path: tool.path, environment: environment)
                instances[tool.name] = try command.ask(
                    [verb, "--all", "-o", "json"], limit: WorkloadLimits.list,
                    bytes: WorkloadLimits.listBytes
                )
                .decode([Instance].self, "a list of what it runs")
            } catch { overview.note(tool.name, error) }
        }
        var statuses: [String: [WorkloadStatus]] = [:]
        for kind in WorkloadKinds(environment: environment, selfPath: selfPath).all()
        where overview.tools.tool(kind.kind)?.isUnused != true {
            do throws(VoltError) {
                if let all = try kind.list() {
                    statuses[kind.kind] = all
                } else if instances[kind.kind] == nil {
                    overview.services.append(Service(kind: kind.kind))
                }
            } catch { overview.note(kind.kind, error) }
        }
        for tool in Set(instances.keys).union(statuses.keys) {
            var left = statuses[tool] ?? []
            for instance in Instance.current(instances[tool] ?? []) {
                // The name of the unit is the tool's own affair; its main process is the supervisor.
                let index = units.firstIndex { $0.pid != nil && $0.pid == instance.supervisor }
                var service = Service(instance, tool: tool, unit: index.map { units.remove(at: $0) })
                if let known = left.firstIndex(where: { $0.workload == instance.spec.workload }) {
                    service.take(left[known])
                    left.remove(at: known)
                }
                overview.services.append(service)
            }
            overview.services += left.map { Service($0, tool: tool) }
            for status in statuses[tool] ?? [] {
                overview.services += (status.services ?? []).map {
                    Service($0, of: status.workload, tool: tool)
                }
            }
        }
    }

    /// The servers that no unit runs, and where those listen that a unit runs.
    private func addServers(_ overview: inout Overview) {
        for tool in overview.tools.all {
            guard let name = tool.service, let paths = tool.paths else { continue }
            let server = ServiceRecord.running(paths)
            if let index = overview.services.firstIndex(where: { $0.unit == "\(name).service" }) {
                if let server, overview.services[index].pid == server.pid {
                    overview.services[index].listens = server.url
                }
            } else if server != nil || !tool.isUnused {
                overview.services.append(Service(server: server, name: name, tool: tool.name))
            }
        }
    }

    /// The one service that a name means: its own, with or without `volt-` and `.service`, or that of a
    /// container.
    ///
    /// - Throws: `VoltError` with code `notFound`, or `missing` when only systemd could know it.
    public func find(_ name: String, in overview: Overview) throws(VoltError) -> Service {
        let services = overview.services
        let short = name.hasSuffix(".service") ? String(name.dropLast(8)) : name
        let found =
            services.first { $0.name == short && $0.kind != .part }
            ?? services.first { $0.name == "volt-\(short)" && $0.kind != .part }
            ?? services.first { $0.container == name }
            ?? services.first { $0.unit == name || $0.name == short }
        if let found { return found }
        let owner = ["\(short).service", "volt-\(short).service", name].lazy
            .compactMap { overview.tools.owner(of: $0) }.first
        if systemd == nil, short.hasPrefix("volt-") || owner != nil { throw Self.withoutSystemd(name) }
        let names = services.filter { $0.kind != .part }.map(\.name)
        let near = EditDistance.suggestions(for: short, among: names, limit: 1).first
        let hint =
            near.map { "did you mean '\($0)'?" }
            ?? owner.map { "write its unit with 'volt \($0.name) install-service'" }
            ?? "'volt service list' shows those there are"
        throw VoltError(.notFound, "there is no service or workload '\(name)'", hint: hint)
    }

    /// The error of everything that needs systemd where it is not PID 1.
    static func withoutSystemd(_ name: String) -> VoltError {
        VoltError(
            .missing, "'\(name)' is not a unit here: systemd is not PID 1 on this host",
            hint:
                "run the server under the supervisor of this host; 'volt service list' shows the workloads, which need no systemd"
        )
    }
}
