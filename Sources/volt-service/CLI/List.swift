internal import ArgumentParser
internal import ServiceEngine
internal import VoltCLI
internal import VoltCore
internal import VoltSystem

struct List: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list", abstract: "List Volt's services and the workloads of this host.",
        discussion: """
            Examples:
              volt service list
              volt service list --all -o json
            """)

    @Flag(name: [.short, .long], help: "Parts too, such as the processes that own published ports.")
    var all = false
    @OptionGroup var output: OutputOptions

    func run() throws {
        let (host, context) = try VoltService.host()
        let services = try VoltService.overview(host).services.filter { all || $0.kind != .part }
        try Output.render(services, as: output.format) {
            ServiceTable.list(services, now: context.clock.now())
        }
        if host.systemd == nil, output.format == .table {
            Output.note("systemd is not PID 1 on this host: what is shown is what Volt itself keeps")
        }
    }
}

/// How services are shown to people.
enum ServiceTable {
    static func list(_ services: [Service], now: Timestamp) -> Table {
        var table = Table(["NAME", "KIND", "STATE", "ENABLED", "SINCE", "RESTARTS", "LISTENS", "UNIT"])
        for service in services {
            table.add([
                service.name, service.kind.rawValue, state(service), service.enabled ?? "-",
                service.since.map { $0.relative(to: now) } ?? "-", "\(service.restarts)",
                service.listens ?? "-", service.unit ?? "-",
            ])
        }
        return table
    }

    static func state(_ service: Service) -> String {
        let more = [service.health, service.result].compactMap { $0 }.joined(separator: ", ")
        return more.isEmpty ? service.state : "\(service.state) (\(more))"
    }
}
