import ArgumentParser
import VoltKit

/// `volt hello-swift`: an extension of Volt on VoltKit. `docs/contract.md` has the rules; VoltKit brings
/// `--volt-metadata`, the global options, the exit codes and the way errors are shown.
@main struct HelloSwift: Tool {
    static let tool = ToolDescription(
        name: "hello-swift", version: "1.0", summary: "say hello to someone, from Swift")
    static let configuration = CommandConfiguration(tool: tool, subcommands: [Say.self, Places.self])

    static func main() { runTool() }
}

struct Say: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "say", abstract: "say hello",
        discussion: """
              volt hello-swift say Ada -o json
            """)

    @Argument(help: "Who is greeted: a name as Volt has them.") var name = "world"
    @OptionGroup var output: OutputOptions

    private struct Greeting: Encodable {
        let greeting: String
    }

    func run() throws {
        // Throws a VoltError with code 64 and a hint when the name breaks the rule.
        let name = try Name(name, of: "person")
        try Output.render(Greeting(greeting: "Hello, \(name)!"), as: output.format) {
            var table = Table(["GREETING"])
            table.add(["Hello, \(name)!"])
            return table
        }
    }
}

struct Places: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "places", abstract: "show where this tool may keep files",
        discussion: """
              volt --root /tmp/trial hello-swift places
            """)

    @OptionGroup var output: OutputOptions

    func run() throws {
        let paths = try ToolContext(tool: HelloSwift.tool.name).paths
        let rows = ["configuration": paths.configuration, "state": paths.state, "cache": paths.cache]
        try Output.render(rows, as: output.format) {
            var table = Table(["WHAT", "WHERE"])
            for (what, place) in rows.sorted(by: { $0.key < $1.key }) { table.add([what, place]) }
            return table
        }
    }
}
