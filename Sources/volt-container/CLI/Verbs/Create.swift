internal import ArgumentParser
internal import ContainerEngine
internal import VoltCLI
internal import VoltCore

struct Create: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "create", abstract: "create a container without starting it",
        discussion: """
              volt container create --name web -p 8080:80 busybox httpd -f
              volt container start web
            """)

    @OptionGroup var options: ContainerOptions

    func run() throws {
        let context = try ToolContext(tool: VoltContainer.tool.name)
        let spec = try options.spec(context)
        try ContainerHost.runtime(context).create(spec)
        try Output.line(spec.name.text)
    }
}
