import ArgumentParser
import GitopsEngine
import VoltCLI
import VoltCore
import VoltSystem

struct Logs: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "logs", abstract: "Show the history of a pipeline, the newest first.",
        discussion: """
            With --why each attempt has two lines more: what made it, and why it ended as it did. With -f the \
            attempt that is under way, or the next one, is followed to its end.

            Example:
              volt gitops logs --name site --limit 50
              volt gitops logs --name site --why
            """)

    @Option(help: "The name of the pipeline.") var name: String
    @Option(help: "How many attempts to show.") var limit = 20
    @Flag(help: "Say why each attempt was made, and why it ended so.") var why = false
    @Flag(name: .shortAndLong, help: "Follow the attempt that is under way.") var follow = false
    @OptionGroup var output: OutputOptions

    func validate() throws {
        guard limit > 0 else { throw ValidationError("--limit is at least 1") }
        guard !follow || !why && output.format == .table else {
            throw ValidationError("--follow goes with neither --why nor -o json")
        }
    }

    func run() throws {
        let (gitops, context) = try VoltGitops.engine()
        if follow { return try AttemptFollower(gitops, clock: context.clock).run(name) }
        let journal = try gitops.journal()
        _ = try journal.pipeline(name)
        let attempts = try journal.history(of: name, limit: limit)
        if why, output.format == .table {
            for attempt in attempts {
                for line in Why.lines(attempt, now: context.clock.now()) { try Output.line(line) }
            }
            return
        }
        try Output.render(attempts, as: output.format) {
            var table = Table(["TIMESTAMP", "COMMIT", "BRANCH", "STATUS", "DURATION", "NOTES"])
            for attempt in attempts {
                let end = attempt.finishedAt ?? context.clock.now()
                table.add([
                    attempt.acceptedAt.tableText, attempt.commit.map { String($0.prefix(7)) } ?? "-",
                    attempt.branch, attempt.status, Why.seconds(end.since(attempt.startedAt ?? end)),
                    attempt.note + (attempt.wait.map { ": \($0.reason)" } ?? ""),
                ])
            }
            return table
        }
    }
}
