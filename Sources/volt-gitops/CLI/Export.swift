import ArgumentParser
import GitopsEngine
import VoltCLI
import VoltCore

struct Export: ParsableCommand {
    /// The formats of a file of pipelines.
    enum Format: String, ExpressibleByArgument, CaseIterable { case yaml }

    static let configuration = CommandConfiguration(
        commandName: "export", abstract: "Print pipelines as a file that 'import' takes.",
        discussion: """
            The file is meant to live in Git: what is at its default is left out, and a secret is only named by \
            the file it is in. Its keys are those of 'volt gitops list -o json'.

            Example:
              volt gitops export > pipelines.yaml
            """)

    @Option(help: "Only this pipeline.") var name: String?
    @Option(name: [.customShort("o"), .customLong("output")], help: "The format: yaml.") var output = Format
        .yaml

    func run() throws {
        let (gitops, _) = try VoltGitops.engine()
        try Output.put(gitops.export(name), terminator: "")
    }
}
