import ArgumentParser
import GitopsEngine
import VoltCLI
import VoltCore

struct List: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "List the pipelines.",
        discussion: """
            Example:
              volt gitops list -o json
            """)

    @OptionGroup var output: OutputOptions

    func run() throws {
        let (gitops, _) = try VoltGitops.engine()
        let pipelines = try gitops.journal().pipelines()
        try Output.render(pipelines, as: output.format) {
            var table = Table(["NAME", "REPO", "BRANCH", "PROVIDER", "WORKLOAD", "POLL"])
            for pipeline in pipelines {
                table.add([
                    pipeline.name.text, pipeline.repo, pipeline.branch, pipeline.provider.rawValue,
                    pipeline.workload.text, "\(pipeline.pollInterval)s",
                ])
            }
            return table
        }
    }
}
