import ArgumentParser
import GitopsEngine
import VoltCLI
import VoltCore

struct SecretRotate: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "rotate",
        abstract: "Give the hook of a pipeline a new secret; the old one stays valid for a while.",
        discussion: """
            Without a secret one is made and printed, once, for the provider's form.

            Example:
              volt gitops secret rotate --name site --grace 24h
            """)

    @Option(help: "The name of the pipeline.") var name: String
    @Option(help: "A file with the new secret; a newline at its end is left out.") var secretFile: String?
    @Flag(help: "Read the new secret from stdin.") var secretStdin = false
    @Option(help: "How long the old secret stays valid, such as 24h; 0s ends it at once.") var grace = "24h"

    func run() throws {
        let (gitops, _) = try VoltGitops.engine()
        let given = try SecretInput.read(
            file: secretFile, stdin: secretStdin, options: "--secret-file, --secret-stdin")
        let secret = given ?? Gitops.newSecret()
        let report = try gitops.rotateSecret(of: name, to: secret, grace: try DurationText.parse(grace))
        if given == nil { try Output.line(String(decoding: secret, as: UTF8.self)) }
        let end = report.secrets.last?.validUntil.map { "the old one stays valid until \($0)" }
        Output.note("pipeline '\(name)' has a new secret; \(end ?? "the old one is not valid any more")")
    }
}
