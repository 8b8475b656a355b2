internal import ArgumentParser
internal import ContainerEngine
internal import VoltCLI
internal import VoltCore

struct Inspect: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "inspect", abstract: "show everything about a container, as JSON",
        discussion: """
            The values of variables are shown: they are part of what the container was made from.

              volt container inspect web
            """)

    @Argument(help: "The name of the container, or of a workload.")
    var name: String

    func run() throws {
        let context = try ToolContext(tool: VoltContainer.tool.name)
        let runtime = try ContainerHost.runtime(context)
        let state = try runtime.state(try ContainerHost.container(name, in: runtime))
        try Output.line(Output.json(state))
    }
}
