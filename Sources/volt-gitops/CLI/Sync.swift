import ArgumentParser
import GitopsEngine
import VoltCLI
import VoltCore
import VoltSystem

struct Sync: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Deploy the tip of the branch now.",
        discussion: """
            Works with and without a running server. Ends with 1 when the deploy failed.

            Example:
              volt gitops sync --name site
            """)

    @Option(help: "The name of the pipeline.") var name: String
    @Flag(name: .customLong("no-wait"), help: "Queue it and do not wait; a running server is needed.")
    var noWait = false
    @Flag(help: "Deploy although the pipeline is suspended, outside its windows, or before others.")
    var force = false
    @OptionGroup var output: OutputOptions

    func run() throws {
        let (gitops, context) = try VoltGitops.engine()
        if noWait, gitops.server() == nil {
            _ = try gitops.journal().pipeline(name)
            throw VoltError(
                .tryAgain, "no server runs that would work on it",
                hint: "leave --no-wait out, or start 'volt gitops serve'")
        }
        let id = try gitops.queueSync(name, forced: force)
        if noWait {
            Output.note("queued attempt \(id)")
            return
        }
        let isTable = output.format == .table
        let attempt = try gitops.wait(for: id) { state in if isTable { Output.note("\(state) …") } }
        if let wait = attempt.wait, attempt.finishedAt == nil {
            if !isTable { Output.line(try Output.json(attempt)) }
            throw VoltError(
                .tryAgain, "attempt \(id) stays in the queue: \(wait.reason)", hint: hint(for: wait.kind))
        }
        if isTable {
            let duration = (attempt.finishedAt ?? context.clock.now()).since(attempt.acceptedAt)
            let commit = attempt.commit.map { " at \($0.prefix(7))" } ?? ""
            Output.note("\(attempt.status)\(commit) after \(DurationText.format(duration)): \(attempt.note)")
        } else {
            Output.line(try Output.json(attempt))
        }
        // Never part of the result: what cannot be told now is told by the next server.
        defer { try? gitops.tellOutside { line in if isTable { Output.note(line) } } }
        guard attempt.state != .done else { return }
        if isTable {
            for line in try gitops.journal().log(of: id, last: 20) { Output.note("  \(line)") }
        }
        throw ExitStatus(attempt.state == .superseded ? 75 : 1)
    }

    private func hint(for kind: Wait.Kind) -> String {
        switch kind {
        case .approval: "look at it, then run 'volt gitops approve --name \(name)'"
        case .suspended: "run 'volt gitops resume --name \(name)', or deploy now with --force"
        case .window, .after: "'volt gitops serve' deploys it then; --force does it now"
        }
    }
}
