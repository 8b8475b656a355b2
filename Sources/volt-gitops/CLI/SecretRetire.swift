import ArgumentParser
import GitopsEngine
import VoltCLI

struct SecretRetire: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "retire",
        abstract: "End the old secret of a rotation before its grace does.",
        discussion: """
            Example:
              volt gitops secret retire --name site
            """)

    @Option(help: "The name of the pipeline.") var name: String

    func run() throws {
        let (gitops, _) = try VoltGitops.engine()
        _ = try gitops.retireSecret(of: name)
        Output.note("the current secret of pipeline '\(name)' is the only valid one")
    }
}
