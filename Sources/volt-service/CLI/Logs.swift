internal import ArgumentParser
internal import ServiceEngine
internal import VoltCLI
internal import VoltCore
internal import VoltSystem

struct Logs: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "logs", abstract: "Show the log of a service or workload.",
        discussion: """
            A service's log is systemd's journal; -o json gives its entries, one object a line. A workload's is \
            what its container printed.

            Examples:
              volt service logs -f gitops
              volt service logs --tail 20 web
            """)

    @Flag(name: [.short, .long], help: "Go on as lines come.") var follow = false
    @Option(help: "How many of the last lines.") var tail = 100
    @Argument(help: "The name of a service or workload.") var name: String
    @OptionGroup var output: OutputOptions

    func validate() throws {
        guard tail >= 0 else { throw ValidationError("--tail is at least 0") }
    }

    func run() throws {
        let (host, context) = try VoltService.host()
        let service = try host.find(name, in: try VoltService.overview(host))
        let (program, arguments) = try host.logCommand(
            of: service, lines: tail, follow: follow, json: output.format == .json)
        try Processes.execute(program, arguments, environment: context.environment)
    }
}
