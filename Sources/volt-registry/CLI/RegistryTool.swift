internal import ArgumentParser
internal import VoltCLI
internal import VoltCore

/// `volt registry`.
@main struct RegistryTool: Tool {
    static let tool = ToolDescription(
        name: "registry", version: VoltVersion.text,
        summary: "serve and use OCI registries")
    static let configuration = CommandConfiguration(
        tool: tool,
        groupedSubcommands: [CommandGroup(name: "Server", subcommands: [Serve.self, GC.self])])
    static func main() { runTool() }
}
