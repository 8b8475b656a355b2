import ArgumentParser
import GitopsEngine
import VoltCLI
import VoltCore

struct Plan: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "plan",
        abstract: "Say what a deploy of the tip would change, and why; nothing is changed.",
        discussion: """
            Fetches the tip, compares it with the deployed commit, and asks the tool of the workload's kind what \
            would become of each service. Or it says why nothing would happen: the commit is deployed, held, or \
            has to wait.

            Example:
              volt gitops plan --name site
            """)

    @Option(help: "The name of the pipeline.") var name: String
    @OptionGroup var output: OutputOptions

    func run() throws {
        let (gitops, _) = try VoltGitops.engine()
        let plan = try gitops.plan(name)
        guard output.format == .table else { return try Output.line(Output.json(plan)) }
        for line in lines(plan) { try Output.line(PrintableText.logLine(line)) }
    }

    private func lines(_ plan: DeployPlan) -> [String] {
        var lines = [
            plan.wouldDeploy
                ? "\(plan.commit.prefix(7)) would be deployed: \(plan.reason)"
                : "nothing would be deployed: \(plan.reason)"
        ]
        if !plan.files.isEmpty {
            lines.append("files")
            for file in plan.files { lines.append("  \(file.kind.rawValue) \(file.path)") }
        }
        if let notes = plan.notes {
            lines.append("notes")
            lines += notes.map { "  \($0)" }
        }
        if let kind = plan.kind {
            lines.append("services of kind '\(kind)'")
            lines += plan.serviceLines.map { "  \($0)" }
            if let note = plan.note { lines.append("  \(note)") }
        }
        return lines
    }
}
