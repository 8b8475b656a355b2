import ArgumentParser
import VoltCLI
import VoltSystem
import VoltTestKit

struct ServeGit: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "serve-git",
        abstract: "Serve the Git repositories below a directory over HTTP at a free port of 127.0.0.1.")

    @Argument(help: "A directory with bare repositories.") var directory: String

    func run() throws {
        let server = try GitHTTPServer(directory: Files.absolute(directory, from: Files.currentDirectory))
        try Output.line("http://127.0.0.1:\(server.port)")
        server.serve()
    }
}
