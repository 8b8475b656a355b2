import ArgumentParser
import GitopsEngine
import VoltCLI
import VoltCore
import VoltSystem

struct SecretShow: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "show",
        abstract: "Show which secrets of a pipeline's hook are valid and in use, without the secrets.",
        discussion: """
            Example:
              volt gitops secret show --name site
            """)

    @Option(help: "The name of the pipeline.") var name: String
    @OptionGroup var output: OutputOptions

    func run() throws {
        let (gitops, context) = try VoltGitops.engine()
        let report = try gitops.secrets(of: name)
        if output.format == .table {
            if report.secrets.isEmpty {
                Output.note("the secret is lost: deliveries are refused until 'volt gitops secret rotate'")
            } else {
                Output.note("the last delivery used: \(report.lastUsed ?? "none of these")")
            }
        }
        try Output.render(report, as: output.format) { Secret.table(report, now: context.clock.now()) }
    }
}
