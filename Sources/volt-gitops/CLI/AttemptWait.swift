import GitopsEngine
import VoltCLI
import VoltCore
import VoltSystem

/// Waits for an attempt that the user asked for, and says how it ended.
struct AttemptWait {
    let gitops: Gitops
    let output: OutputOptions
    let clock: any WallClock

    /// - Throws: `ExitStatus` 75 for an attempt that gave way to a newer one, 1 for one that did not deploy.
    func run(_ id: Int64) throws {
        let isTable = output.format == .table
        let attempt = try gitops.wait(for: id) { state in if isTable { Output.note("\(state) …") } }
        if let wait = attempt.wait, attempt.finishedAt == nil {
            if !isTable { try Output.line(Output.json(attempt)) }
            throw VoltError(
                .tryAgain, "attempt \(id) stays in the queue: \(wait.reason)",
                hint: hint(for: wait.kind, attempt))
        }
        if isTable {
            let duration = (attempt.finishedAt ?? clock.now()).since(attempt.acceptedAt)
            let commit = attempt.commit.map { " at \($0.prefix(7))" } ?? ""
            Output.note("\(attempt.status)\(commit) after \(DurationText.format(duration)): \(attempt.note)")
        } else {
            try Output.line(Output.json(attempt))
        }
        // Never part of the result: what cannot be told now is told by the next server.
        defer { try? gitops.deliverNotifications { line in if isTable { Output.note(line) } } }
        guard attempt.state != .done else { return }
        if isTable {
            for line in try gitops.journal().log(of: id, last: 20) { Output.note("  \(line)") }
            if let decision = attempt.decision { Output.note("why: \(decision)") }
        }
        throw ExitStatus(attempt.state == .superseded ? 75 : 1)
    }

    private func hint(for kind: Wait.Kind, _ attempt: Attempt) -> String {
        let name = attempt.pipeline
        return switch kind {
        case .approval:
            "look at it, then run 'volt gitops approve --name \(name) \(attempt.commit?.prefix(7) ?? "")'"
        case .suspended: "run 'volt gitops resume --name \(name)', or deploy now with --force"
        case .window, .after: "'volt gitops serve' deploys it then; --force does it now"
        }
    }
}
