internal import ArgumentParser
internal import ServiceEngine
internal import VoltCLI
internal import VoltCore
internal import VoltSystem
internal import VoltSystemd

/// `volt service`.
@main struct VoltService: Tool {
    static let tool = ToolDescription(
        name: "service", version: VoltVersion.text, summary: "manage the systemd services of Volt")
    static let configuration = CommandConfiguration(
        tool: tool,
        discussion: """
            Volt's own units of systemd and the workloads of this host, under one set of verbs. Where systemd \
            is not PID 1, 'list' and 'status' show what Volt itself knows, and workloads are started and \
            stopped all the same.
            """,
        subcommands: [
            List.self, Status.self, Start.self, Stop.self, Restart.self, Enable.self, Disable.self, Edit.self,
            Logs.self,
        ])
    static func main() { runTool() }

    /// The engine on this host.
    static func host() throws(VoltError) -> (host: ServiceHost, context: ToolContext) {
        let context = try ToolContext(tool: tool.name)
        let host = ServiceHost(
            systemd: .current, environment: context.environment, selfPath: Processes.selfPath)
        return (host, context)
    }

    /// Everything that is known; what is not is said on stderr.
    static func overview(_ host: ServiceHost) throws(VoltError) -> ServiceHost.Overview {
        let overview = try host.overview()
        for note in overview.notes { Output.note("volt service: \(note)") }
        return overview
    }
}

/// One or more services by name, each tried: a failure does not keep the others from their turn.
struct ServiceNames: ParsableArguments {
    @Argument(help: "The names of services or workloads.")
    var names: [String]

    /// Does something to each and prints its name.
    func each(_ body: (ServiceHost, Service) throws -> Void) throws {
        let (host, context) = try VoltService.host()
        let overview = try VoltService.overview(host)
        try context.each(names) { name in
            let service = try host.find(name, in: overview)
            try body(host, service)
            return service.name
        }
    }
}
