import ArgumentParser
import GitopsEngine
import VoltCLI
import VoltCore

struct Rollback: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "rollback", abstract: "Bring back a commit that ran before.",
        discussion: """
            Without --to it is the last good one before the one of now: commits that are held, or that a rollback \
            has left behind, are passed over, and come back when they are named. What is left behind is held: \
            polls and pushes deploy it no more, until a newer commit comes or 'sync --force' is said. Digits are \
            the number of an attempt; r12 is revision 12 of Subversion; a commit needs four characters or more.

            Example:
              volt gitops rollback --name site
              volt gitops rollback --name site --to abc1234
            """)

    @Option(help: "The name of the pipeline.") var name: String
    @Option(help: "The number of an attempt, or a commit that was deployed.") var to: String?
    @Flag(name: .customLong("no-wait"), help: "Queue it and do not wait; a running server is needed.")
    var noWait = false
    @OptionGroup var output: OutputOptions

    func run() throws {
        let (gitops, context) = try VoltGitops.engine()
        if noWait { try Sync.requireServer(gitops, name) }
        let queued = try gitops.queueRollback(name, to: to)
        for notice in queued.notices { Output.note(PrintableText.logLine(notice)) }
        let id = queued.attempt
        if noWait {
            Output.note("queued attempt \(id)")
            return
        }
        try AttemptWait(gitops: gitops, output: output, clock: context.clock).run(id)
    }
}
