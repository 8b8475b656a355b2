import ArgumentParser
import GitopsEngine
import VoltCLI
import VoltCore
import VoltSystem

struct InstallService: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "install-service", abstract: "Write volt-gitops.service for systemd.",
        discussion: """
            It starts nothing: 'systemctl enable' and 'systemctl restart' of the units it names do, also where the \
            service runs already. With --socket systemd itself listens, so that no delivery is refused while the \
            service is restarted.

            Examples:
              volt gitops install-service
              volt gitops install-service --socket --port 9191
            """)

    @Option(
        help:
            "The directory for the unit; /etc/systemd/system when not given, below VOLT_ROOT where that is set."
    )
    var destination: String?
    @Option(
        help:
            "The port; not given: the one of the units that are there, else 9090. 'volt service edit volt-gitops --port' changes it later."
    )
    var port: Int?
    @Flag(
        inversion: .prefixedNo,
        help: "Write volt-gitops.socket too, or remove it; not given: it stays as it is.")
    var socket: Bool?

    func validate() throws {
        if let port, !(1...65535).contains(port) { throw ValidationError("'\(port)' is not a port") }
    }

    func run() throws {
        let (_, context) = try VoltGitops.engine()
        let root = context.environment["VOLT_ROOT"]
        let system = "/etc/systemd/system"
        let directory =
            destination.map { Files.absolute($0, from: Files.currentDirectory) } ?? (root ?? "") + system
        let hasSocket = socket ?? Files.exists("\(directory)/\(ServiceUnit.socketName)")
        let unit = ServiceUnit(
            executable: Processes.selfPath, root: root, port: port ?? ServiceUnit.port(in: directory),
            hasSocket: hasSocket)
        let files = try unit.install(in: directory)
        for file in files { Output.note("wrote \(file)") }
        let names = files.map { Files.lastComponent(of: $0) }.joined(separator: " ")
        if directory != system {
            Output.note("systemd reads it after: systemctl link \(files.joined(separator: " "))")
        }
        // Not 'enable --now': a socket does not start beside its service that runs, and one that runs is not read anew.
        Output.note(
            "start it, or start it anew, with: systemctl enable \(names) && systemctl restart \(names)")
    }
}
