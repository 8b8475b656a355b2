import ArgumentParser
import GitopsEngine
import VoltCLI
import VoltCore
import VoltSystem

struct Status: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "status", abstract: "Show where each pipeline is, and whether the server runs.",
        discussion: """
            Example:
              volt gitops status
            """)

    @OptionGroup var output: OutputOptions

    /// `-o json`.
    struct Report: Encodable {
        struct Line: Encodable {
            let name: String
            let repo: String
            let branch: String
            let deployedRef: String?
            let provider: String
            let workload: String
            let status: String
            let why: String?
            let lastDeploy: Timestamp?
            let commit: String?
            let lastAttempt: Attempt?
            let polledAt: Timestamp?
            let pollError: String?
            let suspension: Suspension?
            let held: Hold?
            let retry: Retry?
            let drift: DriftRecord?
            let stray: StrayDelivery?
            let rolledBack: Attempt?
            let kind: WorkloadKindState?
        }
        let server: Gitops.Server?
        let pipelines: [Line]
    }

    func run() throws {
        let (gitops, context) = try VoltGitops.engine()
        let journal = try gitops.journal()
        var lines: [Report.Line] = []
        for pipeline in try journal.pipelines() {
            let name = pipeline.name.text
            let state = try journal.state(of: pipeline)
            let poll = try journal.poll(of: name)
            let deployed = try journal.lastSuccess(of: name)
            lines.append(
                Report.Line(
                    name: name, repo: pipeline.repo, branch: pipeline.branch,
                    deployedRef: try journal.deployedRef(of: name), provider: pipeline.provider.rawValue,
                    workload: pipeline.workload.text, status: state.word.rawValue, why: state.why,
                    lastDeploy: deployed?.finishedAt, commit: deployed?.commit, lastAttempt: state.last,
                    polledAt: poll.at, pollError: poll.error, suspension: state.suspension, held: state.held,
                    retry: try journal.retry(of: name), drift: state.drift,
                    stray: try journal.stray(of: pipeline),
                    rolledBack: deployed?.isAutomatic == true ? deployed : nil,
                    kind: try gitops.kindState(of: pipeline, journal)))
        }
        let report = Report(server: gitops.server(), pipelines: lines)
        if output.format == .table { say(report, now: context.clock.now()) }
        try Output.render(report, as: output.format) {
            var table = Table(["NAME", "REPO", "BRANCH", "PROVIDER", "LAST DEPLOY", "STATUS"])
            for line in lines {
                table.add([
                    line.name, line.repo, line.deployedRef ?? line.branch, line.provider,
                    line.lastDeploy.map { $0.relative(to: context.clock.now()) } ?? "never", line.status,
                ])
            }
            return table
        }
    }

    /// The kind of a workload where it is not as it should be.
    private func kindNotes(_ line: Report.Line) -> [String] {
        guard let kind = line.kind else { return [] }
        let problem = kind.problem.map {
            "workload '\(line.workload)' is of kind '\(kind.kind)', which cannot be asked: \($0)"
        }
        return [problem].compactMap(\.self)
            + (kind.formerKinds ?? []).map {
                "workload '\(line.workload)' was of kind '\($0)', which may still have it; the next deploy or start of the server removes it there"
            }
    }

    /// What people want to know beside the table.
    private func say(_ report: Report, now: Timestamp) {
        if let server = report.server {
            Output.note("webhook server: running at \(server.url) (process \(server.pid))")
        } else {
            Output.note("webhook server: not running; start it with 'volt gitops serve'")
        }
        for line in report.pipelines {
            if let suspension = line.suspension {
                Output.note("\(line.name): \(suspension.text)")
            } else if let wait = line.lastAttempt?.wait {
                Output.note("\(line.name): \(wait.shown): \(wait.reason)")
            }
            if let drift = line.drift {
                Output.note("\(line.name): drifted: \(drift.shown)")
            }
            for text in kindNotes(line) { Output.note("\(line.name): \(text)") }
            if let error = line.pollError { Output.note("\(line.name): the last poll failed: \(error)") }
            if let back = line.rolledBack {
                Output.note(
                    "\(line.name): rolled back to \(back.commit?.prefix(7) ?? "-") by attempt \(back.id): \(PrintableText.logLine(back.note))"
                )
            }
            if let stray = line.stray {
                Output.note("\(line.name): \(PrintableText.logLine(stray.text)) (\(StrayDelivery.hint))")
            }
            if let held = line.held {
                Output.note("\(line.name): \(PrintableText.logLine(held.text(of: line.name)))")
            }
            if let last = line.lastAttempt, let commit = last.unseen {
                let runs = line.commit.map { "; \($0.prefix(7)) runs" } ?? ""
                Output.note(
                    "\(line.name): \(commit.prefix(7)) was announced and never came\(runs); 'volt gitops show \(last.id)' has more"
                )
            }
            if let last = line.lastAttempt, last.state == .failed, line.held == nil {
                Output.note("\(line.name): failed: \(PrintableText.logLine(last.note))")
            }
            if let retry = line.retry {
                let wait = max(retry.due.since(now), .seconds(0))
                Output.note(
                    "\(line.name): try \(retry.count + 1) comes in \(DurationText.format(.seconds(wait.milliseconds / 1000)))"
                )
            }
            if line.lastAttempt?.trigger == .poll, line.provider != "svn", line.lastAttempt?.state == .done {
                Output.note("\(line.name): the last commit was found by the poll; no webhook came for it")
            }
        }
    }
}
