import ArgumentParser
import GitopsEngine
import VoltCLI
import VoltCore
import VoltServiceCLI

struct Doctor: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "doctor", abstract: "Look at everything that the server needs, and say what to do.",
        discussion: """
            Libraries and their patched level, port, disk, clock, permissions, the journal, the kinds' tools, the \
            unit, the kernel, whether each hook was ever heard of, and each repository. Nothing is changed. The exit \
            code is 2 when something fails.

            Examples:
              volt gitops doctor
              volt gitops doctor --offline -o json
            """)

    @Flag(help: "Do not ask the repositories.") var offline = false
    @Option(help: "Where the server listens when it runs. Not given: VOLT_GITOPS_PORT, or 9090.") var port:
        Int?
    @OptionGroup var output: OutputOptions

    func run() throws {
        let (gitops, context) = try VoltGitops.engine()
        let port = try self.port ?? ServeOptions<GitopsService>.defaultPort(context.environment)
        let checks = gitops.doctor(repositories: !offline, port: port)
        try Output.render(checks, as: output.format) {
            var table = Table(["CHECK", "VERDICT", "FOUND", "WHAT TO DO"])
            for check in checks {
                table.add([check.name, check.verdict.rawValue, check.message, check.hint ?? "-"])
            }
            return table
        }
        if checks.contains(where: { $0.verdict == .fail }) { throw ExitStatus(2) }
    }
}
