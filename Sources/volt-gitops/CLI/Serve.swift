import ArgumentParser
import GitopsEngine
import VoltCLI
import VoltCore
import VoltSystem

struct Serve: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "serve", abstract: "Take webhooks, poll, and deploy, until SIGTERM.",
        discussion: """
            Example:
              volt gitops serve --port 9090

            With a certificate it speaks HTTPS (TLS 1.2 and 1.3) and nothing else on that port. SIGHUP reads the \
            files again, for the connections from then on:
              volt gitops serve --port 9443 --tls-cert /etc/volt/hooks.pem \\
                  --tls-key /etc/volt/hooks.key
            """)

    @Option(help: "The port; 0 for a free one. Not given: VOLT_GITOPS_PORT, or 9090.") var port: Int?
    @Option(help: "The address of this host to listen on; every address when not given.") var listen: String?

    @Option(help: "A PEM file with the certificate and those between it and the root: HTTPS.")
    var tlsCert: String?
    @Option(help: "A PEM file with the key of the certificate, closed to other users.") var tlsKey: String?

    @OptionGroup(title: "Status and log") var shown: ShownOptions

    func validate() throws {
        guard (tlsCert == nil) == (tlsKey == nil) else {
            throw ValidationError("--tls-cert and --tls-key are given together")
        }
        if let port, !(0...65535).contains(port) { throw ValidationError("'\(port)' is not a port") }
    }

    func run() throws {
        let (gitops, context) = try VoltGitops.engine()
        let clock = context.clock
        let chosen = try port ?? Self.port(of: context.environment["VOLT_GITOPS_PORT"])
        var tls: (certificate: String, key: String)?
        if let tlsCert, let tlsKey {
            let here = Files.currentDirectory
            tls = (Files.absolute(tlsCert, from: here), Files.absolute(tlsKey, from: here))
        }
        var options = GitopsServer.Options(address: listen, port: chosen, tls: tls)
        try shown.fill(&options)
        let format = shown.logFormat
        let server = GitopsServer(gitops, options: options) { line in
            guard LogLevel(ofLine: line) >= Output.level else { return }
            switch format {
            case .text: Output.note(LogLine.text(line, at: clock.now()))
            case .json: Output.note(LogLine(line, at: clock.now()).json)
            }
        }
        try server.run()
    }

    /// The port that the unit of 'volt service edit' sets.
    static func port(of variable: String?) throws(VoltError) -> Int {
        guard let variable, !variable.isEmpty else { return 9090 }
        guard let port = Int(variable), (0...65535).contains(port) else {
            throw VoltError(.usage, "VOLT_GITOPS_PORT is '\(variable)', which is not a port")
        }
        return port
    }
}
