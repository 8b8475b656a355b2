import ArgumentParser
import GitopsEngine
import VoltCLI

struct Suspend: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "suspend", abstract: "Make a pipeline wait: pushes are kept, and nothing is deployed.",
        discussion: """
            What is under way ends. Pushes are accepted and polls go on; 'resume' deploys the newest of them.

            Example:
              volt gitops suspend --name site --reason 'database migration until noon'
            """)

    @Option(help: "The name of the pipeline.") var name: String
    @Option(help: "Why, for those who look at the status.") var reason = ""

    func run() throws {
        let (gitops, context) = try VoltGitops.engine()
        try gitops.suspend(name, reason: reason, by: Caller.name(context.environment))
        Output.note("suspended pipeline '\(name)'; 'volt gitops resume --name \(name)' goes on")
    }
}

struct Resume: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "resume", abstract: "Let a suspended pipeline deploy again: the newest of what waits.",
        discussion: """
            Example:
              volt gitops resume --name site
            """)

    @Option(help: "The name of the pipeline.") var name: String

    func run() throws {
        let (gitops, _) = try VoltGitops.engine()
        let was = try gitops.resume(name)
        Output.note(was ? "resumed pipeline '\(name)'" : "pipeline '\(name)' was not suspended")
    }
}
