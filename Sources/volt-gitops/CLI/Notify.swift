import ArgumentParser
import GitopsEngine
import VoltCLI
import VoltCore

struct Notify: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "notify", abstract: "Look after the notifications of a pipeline.",
        discussion: """
            Example:
              volt gitops notify test --name site
            """, subcommands: [NotifyTest.self])
}

struct NotifyTest: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "test", abstract: "Send one message to everybody a pipeline notifies.",
        discussion: """
            Ends with 0 when all took it, 2 when some did, 1 when none did.

            Example:
              volt gitops notify test --name site
            """)

    @Option(help: "The name of the pipeline.") var name: String
    @OptionGroup var output: OutputOptions

    func run() throws {
        let (gitops, _) = try VoltGitops.engine()
        let results = try gitops.testNotify(name)
        try Output.render(results, as: output.format) {
            var table = Table(["TARGET", "RESULT"])
            for result in results { table.add([result.target, result.error ?? "delivered"]) }
            return table
        }
        let failed = results.filter { $0.error != nil }.count
        if failed > 0 { throw ExitStatus(failed == results.count ? 1 : 2) }
    }
}
