internal import ArgumentParser
internal import ContainerEngine
internal import VoltCLI
internal import VoltCore

struct Remove: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "remove", abstract: "stop a workload and remove its containers",
        discussion: """
            The volumes stay unless --volumes is given: what is in them cannot be made again.

              volt container remove --workload web
            """)

    @Option(help: "The name of the workload.")
    var workload: String
    @Flag(help: "Remove the workload's volumes and what is in them, too.")
    var volumes = false
    @OptionGroup var output: OutputOptions

    struct Row: Encodable {
        let workload: String
        let containers: [String]
        let volumes: [String]
    }

    func run() async throws {
        let context = try ToolContext(tool: VoltContainer.tool.name)
        let name = try Name(workload, of: "workload")
        let applier = try ContainerHost.applier(context)
        let removed = try await applier.remove(name, withVolumes: volumes, timeout: .seconds(60))
        let row = Row(workload: name.text, containers: removed.containers, volumes: removed.volumes)
        try Output.render(row, as: output.format) {
            var table = Table(["REMOVED", "NAME"])
            for container in removed.containers { table.add(["container", container]) }
            for volume in removed.volumes { table.add(["volume", volume]) }
            return table
        }
    }
}
