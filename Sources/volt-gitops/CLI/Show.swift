import ArgumentParser
import GitopsEngine
import VoltCLI
import VoltCore
import VoltSystem

struct Show: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "show", abstract: "Show everything that is known of an attempt.",
        discussion: """
            What made it, both commits, the files that differ, what was decided and why, its steps with their \
            durations, and the log of the deploy. 'volt gitops logs --name N --why' has the numbers.

            Example:
              volt gitops show 2
            """)

    @Argument(help: "The number of the attempt.") var attempt: Int64
    @OptionGroup var output: OutputOptions

    func run() throws {
        let (gitops, context) = try VoltGitops.engine()
        let report = try gitops.report(on: attempt)
        guard output.format == .table else { return try Output.line(Output.json(report)) }
        for line in Self.lines(report, now: context.clock.now()) { try Output.line(line) }
    }

    private static func lines(_ report: AttemptReport, now: Timestamp) -> [String] {
        let attempt = report.attempt
        var facts = [
            ("attempt", "\(attempt.id) of pipeline '\(attempt.pipeline)'"), ("status", attempt.status),
            ("trigger", attempt.trigger.rawValue + (attempt.delivery.map { ", delivery \($0)" } ?? "")),
            ("branch", attempt.branch),
            ("commit", "\(attempt.oldCommit ?? "nothing") -> \(attempt.commit ?? "not known yet")"),
            ("note", attempt.note), ("decision", attempt.decision ?? "not yet"),
            ("accepted", attempt.acceptedAt.tableText),
        ]
        if let pipeline = report.pipeline {
            let why = pipeline.last?.id == attempt.id && pipeline.why == attempt.why ? nil : pipeline.why
            facts.append(
                (
                    "pipeline",
                    "'\(attempt.pipeline)' is \(pipeline.word.rawValue)" + (why.map { ": \($0)" } ?? "")
                ))
        }
        if let wait = attempt.wait { facts.append(("waits", wait.reason)) }
        if let end = attempt.finishedAt {
            let duration = end.since(attempt.startedAt ?? attempt.acceptedAt)
            facts.append(("ended", "\(end.tableText), after \(Why.seconds(duration))"))
        }
        var lines = facts.map { name, value in
            name + String(repeating: " ", count: 10 - name.count) + PrintableText.logLine(value)
        }
        if let images = report.images {
            lines.append("images")
            for (name, digest) in images.sorted(by: { $0.key < $1.key }) {
                lines.append("  \(PrintableText.logLine(name)) \(PrintableText.logLine(digest))")
            }
        }
        if !report.files.isEmpty {
            lines.append("files")
            for file in report.files {
                lines.append("  \(file.kind.rawValue) \(PrintableText.logLine(file.path))")
            }
        }
        if !report.steps.isEmpty {
            lines.append("steps")
            for step in report.steps {
                let state =
                    step.state.rawValue + String(repeating: " ", count: 12 - step.state.rawValue.count)
                let duration = step.milliseconds.map { DurationText.format(.milliseconds($0)) } ?? "under way"
                lines.append("  \(step.at.tableText)  \(state)\(duration)")
            }
        }
        if !report.log.isEmpty {
            lines.append("log")
            for line in report.log { lines.append("  \(PrintableText.logLine(line))") }
        }
        return lines
    }
}
