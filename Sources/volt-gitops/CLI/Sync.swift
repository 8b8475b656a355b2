import ArgumentParser
import GitopsEngine
import VoltCLI
import VoltCore
import VoltSystem

struct Sync: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "sync", abstract: "Deploy the tip of the branch now.",
        discussion: """
            Works with and without a running server. Ends with 1 when the deploy failed. A commit that is held, \
            because it failed or was rolled back, is deployed with --force only.

            Example:
              volt gitops sync --name site
            """)

    @Option(help: "The name of the pipeline.") var name: String
    @Flag(name: .customLong("no-wait"), help: "Queue it and do not wait; a running server is needed.")
    var noWait = false
    @Flag(
        help:
            "Deploy although the commit is held, or the pipeline is suspended, outside its windows, or before others."
    )
    var force = false
    @OptionGroup var output: OutputOptions

    func run() throws {
        let (gitops, context) = try VoltGitops.engine()
        if noWait { try Self.requireServer(gitops, name) }
        let id = try gitops.queueSync(name, forced: force)
        if noWait {
            Output.note("queued attempt \(id)")
            return
        }
        try AttemptWait(gitops: gitops, output: output, clock: context.clock).run(id)
    }

    /// - Throws: `VoltError` when no server runs that would work on what is queued.
    static func requireServer(_ gitops: Gitops, _ name: String) throws {
        guard gitops.server() == nil else { return }
        _ = try gitops.journal().pipeline(name)
        throw VoltError(
            .tryAgain, "no server runs that would work on it",
            hint: "leave --no-wait out, or start 'volt gitops serve'")
    }
}
