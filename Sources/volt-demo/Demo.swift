import ArgumentParser
import VoltCLI
import VoltCore

/// What `make demo`, the benchmarks and the tests on other hosts need beside the tools; not installed.
@main struct Demo: Tool {
    static let tool = ToolDescription(
        name: "demo", version: VoltVersion.text, summary: "what the demo needs beside the tools")
    static let configuration = CommandConfiguration(
        tool: tool, subcommands: [ServeGit.self, PushEvent.self, Load.self, FreePort.self])
    static func main() { runTool() }
}
