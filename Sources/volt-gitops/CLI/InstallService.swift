import ArgumentParser
import GitopsEngine
import VoltCLI
import VoltCore
import VoltSystem

struct InstallService: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Write volt-gitops.service for systemd.",
        discussion: """
            Enable it afterwards with 'systemctl enable --now volt-gitops.service'.

            Example:
              volt gitops install-service
            """)

    @Option(help: "The directory for the unit.") var destination = "/etc/systemd/system"

    func run() throws {
        let (_, context) = try VoltGitops.engine()
        let file = try ServiceUnit(
            executable: Processes.selfPath, root: context.environment["VOLT_ROOT"]
        ).install(in: Files.absolute(destination, from: Files.currentDirectory))
        Output.note("wrote \(file)")
        Output.note("enable it with: systemctl enable --now volt-gitops.service")
    }
}
