import ArgumentParser
import GitopsEngine
import VoltCLI
import VoltCore
import VoltSystem

struct Logs: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Show the history of a pipeline, the newest first.",
        discussion: """
            Example:
              volt gitops logs --name site --limit 50
            """)

    @Option(help: "The name of the pipeline.") var name: String
    @Option(help: "How many attempts to show.") var limit = 20
    @OptionGroup var output: OutputOptions

    func validate() throws {
        guard limit > 0 else { throw ValidationError("--limit is at least 1") }
    }

    func run() throws {
        let (gitops, context) = try VoltGitops.engine()
        let journal = try gitops.journal()
        _ = try journal.pipeline(name)
        let attempts = try journal.history(of: name, limit: limit)
        try Output.render(attempts, as: output.format) {
            var table = Table(["TIMESTAMP", "COMMIT", "BRANCH", "STATUS", "DURATION", "NOTES"])
            for attempt in attempts {
                let end = attempt.finishedAt ?? context.clock.now()
                table.add([
                    attempt.acceptedAt.tableText, attempt.commit.map { String($0.prefix(7)) } ?? "-",
                    attempt.branch, attempt.status, Self.seconds(end.since(attempt.startedAt ?? end)),
                    attempt.note + (attempt.wait.map { ": \($0.reason)" } ?? ""),
                ])
            }
            return table
        }
    }

    /// Whole seconds, as people read them: `12s`, `2m5s`.
    private static func seconds(_ duration: Duration) -> String {
        duration < .seconds(1) ? "0s" : DurationText.format(duration)
    }
}
