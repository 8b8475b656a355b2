internal import ArgumentParser
internal import ContainerEngine
internal import VoltCLI
internal import VoltCore

struct Logs: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "show what a container printed",
        discussion: """
            The newest 8 to 16 MB are kept.

              volt container logs --tail 50 web
              volt container logs -f web
            """)

    @Flag(name: [.short, .long], help: "Go on until the container has ended.")
    var follow = false
    @Option(help: "Only the last lines.")
    var tail: Int?
    @Argument(help: "The name of the container.")
    var name: String

    func validate() throws {
        if let tail, tail < 0 { throw ValidationError("--tail is at least 0") }
    }

    func run() throws {
        let context = try ToolContext(tool: VoltContainer.tool.name)
        let runtime = try ContainerHost.runtime(context)
        let container = try Name(name, of: "container")
        _ = try runtime.state(container)
        let end = try runtime.logEnd(container)
        for line in try runtime.lastLog(container, lines: tail ?? .max) { LogFollower.show(line) }
        if follow {
            try LogFollower(runtime: runtime, name: container, stopsOnSignal: false).follow(from: end)
        }
    }
}
