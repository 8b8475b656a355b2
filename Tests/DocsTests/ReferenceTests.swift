import Testing
import VoltSystem
import VoltTestKit

@Suite struct ReferenceTests {
    @Test("docs/cli-reference.md is what the tools say about themselves")
    func reference() throws {
        let scratch = try ScratchDirectory()
        // Alone in a directory of its own, `volt` finds the same tools on every machine: none.
        let alone = "\(scratch.path)/volt"
        try Files.replace(alone, with: try Files.read("\(ToolRunner.products)/volt"), mode: 0o755)
        var runner = ToolRunner(scratch: scratch.path)
        runner.environment["PATH"] = "/nonexistent"
        let volt = try [
            ["help"], ["help", "help"], ["help", "version"], ["help", "plugins"], ["help", "which"],
            ["help", "aliases"],
        ]
        .map { words in
            (
                command: words.count == 1 ? "Commands and options" : "volt \(words[1])",
                help: try runner.run([alone] + words).stdout
            )
        }
        let text = Reference.text(volt: volt, tools: try HelpDump.tools.map(HelpDump.command(of:)))
        #expect(try Golden.difference(text, "docs/cli-reference.md") == nil)
        #expect(text.contains("\n## volt gitops — GitOps pipelines\n"))
    }

    @Test("every verb has an example in its help", arguments: HelpDump.tools)
    func examples(tool: String) throws {
        func check(_ command: HelpDump.Command, _ path: String) {
            let children = command.visibleSubcommands
            for child in children { check(child, "\(path) \(child.commandName)") }
            let lines = (command.discussion ?? "").split(separator: "\n")
            if children.isEmpty, !lines.contains(where: { $0.hasPrefix("  ") && $0.contains(" \(tool) ") }) {
                Issue.record("'\(path)' has no example: an indented line with the command in its discussion")
            }
        }
        check(try HelpDump.command(of: tool), "volt \(tool)")
    }
}
