import ArgumentParser
import GitopsEngine
import VoltCLI

struct Approve: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "approve", abstract: "Let the commit that waits for approval be deployed.",
        discussion: """
            The approval is of the commit: when a newer one has come, that one waits for its own. Without a \
            commit the one that waits is approved, unless it took the place of another one that waited.

            Example:
              volt gitops approve --name site abc1234 --by alice
            """)

    @Option(help: "The name of the pipeline.") var name: String
    @Option(help: "Who approves, beside the user who runs the command.") var by: String?
    @Argument(help: "The attempt, or the beginning of the commit; the one that waits when left out.")
    var subject: String?

    func run() throws {
        let (gitops, context) = try VoltGitops.engine()
        let verdict = try gitops.decide(
            name, on: subject, approves: true, by: Caller.name(context.environment, for: by), reason: "")
        Output.note("approved commit \(verdict.commit.prefix(12)) of pipeline '\(name)'")
        if gitops.server() == nil {
            Output.note("no server runs: 'volt gitops sync --name \(name)' deploys it")
        }
    }
}

struct Reject: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "reject",
        abstract: "Refuse the commit that waits for approval; a newer one can be approved.",
        discussion: """
            Example:
              volt gitops reject --name site abc1234 --reason 'breaks the import'
            """)

    @Option(help: "The name of the pipeline.") var name: String
    @Option(help: "Who rejects, beside the user who runs the command.") var by: String?
    @Option(help: "Why, for the history.") var reason = ""
    @Argument(help: "The attempt, or the beginning of the commit; the one that waits when left out.")
    var subject: String?

    func run() throws {
        let (gitops, context) = try VoltGitops.engine()
        let verdict = try gitops.decide(
            name, on: subject, approves: false, by: Caller.name(context.environment, for: by), reason: reason)
        Output.note("rejected commit \(verdict.commit.prefix(12)) of pipeline '\(name)'")
    }
}

extension Caller {
    /// Who is meant and who ran the command: `alice, as root (uid 0)`.
    static func name(_ environment: [String: String], for other: String?) -> String {
        other.map { "\(clean($0)), as \(name(environment))" } ?? name(environment)
    }
}
