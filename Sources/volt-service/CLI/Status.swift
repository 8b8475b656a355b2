internal import ArgumentParser
internal import ServiceEngine
internal import VoltCLI
internal import VoltCore
internal import VoltSystem

struct Status: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "status", abstract: "Show a service or workload in full.",
        discussion: """
            Examples:
              volt service status gitops
              volt service status web -o json
            """)

    @Argument(help: "The names of services or workloads; all when none is given.")
    var names: [String] = []
    @OptionGroup var output: OutputOptions

    func run() throws {
        let (host, context) = try VoltService.host()
        let overview = try VoltService.overview(host)
        var services = overview.services.filter { $0.kind != .part }
        if !names.isEmpty { services = try names.map { try host.find($0, in: overview) } }
        try Output.render(services, as: output.format) {
            guard !names.isEmpty else { return ServiceTable.list(services, now: context.clock.now()) }
            var table = Table(["FIELD", "VALUE"])
            for service in services { fill(&table, service, now: context.clock.now()) }
            return table
        }
        guard output.format == .table else { return }
        for service in services where service.needsReload {
            Output.note(
                "\(service.name): its files changed since systemd read them; run 'systemctl daemon-reload'")
        }
        if host.systemd == nil {
            Output.note("systemd is not PID 1 on this host: what is shown is what Volt itself keeps")
        }
    }

    private func fill(_ table: inout Table, _ service: Service, now: Timestamp) {
        let rows: [(String, String?)] = [
            ("name", service.name), ("kind", service.kind.rawValue), ("what", service.description),
            ("state", ServiceTable.state(service)),
            ("since", service.since.map { "\($0.tableText) (\($0.relative(to: now)))" }),
            ("enabled", service.enabled), ("kept by", service.managedBy), ("listens", service.listens),
            ("process", service.pid.map { "\($0)" }), ("restarts", "\(service.restarts)"),
            ("memory", service.memory.map { "\(ByteSize(bytes: UInt64(max(0, $0))))" }),
            ("container", service.container), ("unit", service.unit), ("file", service.unitFile),
            ("drop-ins", service.dropIns.isEmpty ? nil : service.dropIns.joined(separator: " ")),
        ]
        for (field, value) in rows { if let value { table.add([field, value]) } }
    }
}
