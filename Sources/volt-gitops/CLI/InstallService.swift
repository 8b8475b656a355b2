import ArgumentParser
import GitopsEngine
import VoltCLI
import VoltCore
import VoltSystem

struct InstallService: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Write volt-gitops.service for systemd.",
        discussion: """
            Enable it afterwards with 'systemctl enable --now volt-gitops.service'. With --socket systemd itself \
            listens, so that no delivery is refused while the service is restarted.

            Examples:
              volt gitops install-service
              volt gitops install-service --socket --port 9191
            """)

    @Option(help: "The directory for the unit.") var destination = "/etc/systemd/system"
    @Option(help: "The port; 9090 when not given. 'volt service edit volt-gitops --port' changes it later.")
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
        let directory = Files.absolute(destination, from: Files.currentDirectory)
        let hasSocket = socket ?? Files.exists("\(directory)/\(ServiceUnit.socketName)")
        let unit = ServiceUnit(
            executable: Processes.selfPath, root: context.environment["VOLT_ROOT"], port: port,
            hasSocket: hasSocket)
        let files = try unit.install(in: directory)
        for file in files { Output.note("wrote \(file)") }
        let names = files.map { Files.lastComponent(of: $0) }.joined(separator: " ")
        Output.note("enable it with: systemctl enable --now \(names)")
    }
}
