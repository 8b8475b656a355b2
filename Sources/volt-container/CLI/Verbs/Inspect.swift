internal import ArgumentParser
internal import ContainerEngine
internal import VoltCLI
internal import VoltCore

struct Inspect: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "show everything about a container, as JSON",
        discussion: """
            The values of variables are shown: they are part of what the container was made from.

              volt container inspect web
            """)

    @Argument(help: "The name of the container.")
    var name: String

    func run() throws {
        let context = try ToolContext(tool: VoltContainer.tool.name)
        let state = try ContainerHost.runtime(context).state(try Name(name, of: "container"))
        try Output.line(Output.json(state))
    }
}
