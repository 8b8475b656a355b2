import ArgumentParser
import GitopsEngine
import VoltCLI
import VoltCore
import VoltServiceCLI
import VoltSystem
import VoltSystemd

/// `volt gitops`.
@main struct VoltGitops: Tool {
    static let tool = ToolDescription(
        name: "gitops", version: VoltVersion.text, summary: "GitOps pipelines",
        units: GitopsService.service.units, portVariable: GitopsService.service.portVariable)
    static let configuration = CommandConfiguration(
        tool: tool,
        discussion: """
            A pipeline ties a branch of a repository to a workload on this host: a push ends in a healthy \
            workload, and the old one runs until the new one is.
            """,
        subcommands: [
            Create.self, List.self, Status.self, Sync.self, Plan.self, Rollback.self, Logs.self, Show.self,
            Suspend.self, Resume.self, Window.self, Control.self, Approve.self, Reject.self, Delete.self,
            Serve.self, InstallService<Serve>.self,
            Notify.self, Secret.self, Export.self, Import.self, Doctor.self,
        ])
    static func main() { runTool() }

    /// The engine on this host.
    static func engine() throws(VoltError) -> (gitops: Gitops, context: ToolContext) {
        let context = try ToolContext(tool: "gitops")
        let gitops = Gitops(
            paths: context.paths, environment: context.environment, clock: context.clock,
            selfPath: Processes.selfPath)
        return (gitops, context)
    }
}
