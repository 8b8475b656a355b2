internal import ArgumentParser
internal import ContainerEngine
internal import VoltCLI
internal import VoltCore
internal import VoltSystem
internal import VoltWorkload

struct Status: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "status", abstract: "show what a workload is now",
        discussion: """
            DESIRED is the revision applied last. ACTUAL is the revision that the running container was started \
            from; it is an older one when nothing in the newer revision concerns the workload.

              volt container status --workload web
              volt container status --workload web -o json
            """)

    @Option(help: "The name of the workload.")
    var workload: String
    @OptionGroup var output: OutputOptions

    func run() async throws {
        let context = try ToolContext(tool: VoltContainer.tool.name)
        let name = try Name(workload, of: "workload")
        let status = try await ContainerHost.applier(context).status(of: name)
        try Output.render(status, as: output.format) {
            var table = Table(["WORKLOAD", "STATE", "HEALTH", "DESIRED", "ACTUAL", "SINCE", "RESTARTS"])
            table.add([
                status.workload, status.state.rawValue, status.health.rawValue, short(status.desiredRevision),
                short(status.actualRevision), status.since?.relative(to: context.clock.now()) ?? "-",
                "\(status.restarts)",
            ])
            return table
        }
    }

    private func short(_ revision: String?) -> String { revision.map { String($0.prefix(12)) } ?? "-" }
}
