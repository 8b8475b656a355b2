import ArgumentParser
import GitopsEngine
import VoltCLI
import VoltCore
import VoltService
import VoltServiceCLI
import VoltSystem

struct Serve: ServiceCommand {
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

    @OptionGroup var serving: ServeOptions<GitopsService>
    @OptionGroup(title: "Status and log") var shown: ShownOptions

    func files(_ context: ToolContext) -> ServiceFiles {
        ServiceFiles(read: [serving.tlsCert, serving.tlsKey, shown.uiPasswordFile])
    }

    func run() throws {
        let (gitops, context) = try VoltGitops.engine()
        let clock = context.clock
        var options = GitopsServer.Options(
            address: serving.address, port: try serving.port(context.environment), tls: serving.tlsFiles)
        try shown.fill(&options)
        let format = shown.logFormat
        let server = GitopsServer(gitops, options: options) { line in
            guard LogLevel(ofLine: line) >= Output.level else { return }
            switch format {
            case .text: Output.note(LogLine.text(line, at: clock.now()))
            case .json: Output.note(LogLine(line, at: clock.now()).json)
            }
        }
        try server.runner.run(server)
    }
}
