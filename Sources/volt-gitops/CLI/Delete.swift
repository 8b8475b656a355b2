import ArgumentParser
import GitopsEngine
import VoltCLI

struct Delete: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "delete",
        abstract: "Delete a pipeline, its mirror and its history; the workload keeps running.",
        discussion: """
            Example:
              volt gitops delete --name site
            """)

    @Option(help: "The name of the pipeline.") var name: String
    @Flag(help: "Remove the workload, too.") var removeWorkload = false

    func run() throws {
        let (gitops, _) = try VoltGitops.engine()
        let pipeline = try gitops.delete(name, removesWorkload: removeWorkload)
        if removeWorkload {
            Output.note("deleted pipeline '\(name)' and workload '\(pipeline.workload)'")
        } else {
            Output.note("deleted pipeline '\(name)'; workload '\(pipeline.workload)' keeps running")
        }
    }
}
