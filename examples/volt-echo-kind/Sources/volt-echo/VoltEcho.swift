import VoltWorkloadKit

/// `volt echo`: the verbs of the contract, each from VoltWorkloadCLI.
@main struct VoltEcho: Tool, WorkloadVerbs {
    static let tool = ToolDescription(
        name: "echo", version: "1.0", summary: "answer requests with a text", kinds: ["echo"])
    static let configuration = workloadConfiguration

    static func workloads(_ context: ToolContext, _ options: NoApplyOptions?) throws -> Rollout<EchoRuntime> {
        Rollout(
            kind: tool.name,
            runtime: EchoRuntime(instances: SupervisedInstances(paths: context.paths, tool: tool.name)),
            paths: context.paths,
            others: WorkloadKinds(environment: context.environment, selfPath: Processes.selfPath))
    }

    static func main() { runTool() }
}
