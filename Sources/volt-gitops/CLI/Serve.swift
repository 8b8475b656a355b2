import ArgumentParser
import GitopsEngine
import VoltCLI
import VoltCore
import VoltSystem

struct Serve: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Take webhooks, poll, and deploy, until SIGTERM.",
        discussion: """
            Example:
              volt gitops serve --port 9090
            """)

    @Option(help: "The port; 0 for a free one.") var port = 9090
    @Option(help: "The address of this host to listen on; every address when not given.") var listen: String?

    func validate() throws {
        guard (0...65535).contains(port) else { throw ValidationError("'\(port)' is not a port") }
    }

    func run() throws {
        let (gitops, context) = try VoltGitops.engine()
        let clock = context.clock
        let server = GitopsServer(gitops, options: .init(address: listen, port: port)) { line in
            Output.note("\(clock.now()) \(line)")
        }
        try server.run()
    }
}
