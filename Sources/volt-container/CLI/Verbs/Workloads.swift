internal import ContainerEngine
internal import VoltCLI
internal import VoltRollout
internal import VoltSystem
internal import VoltWorkloadCLI
internal import VoltWorkloadTool

/// The workloads of `kind: container`.
enum Workloads: WorkloadVerbs {
    static let tool = VoltContainer.tool
    static let instanceWords = (one: "container", many: "containers")

    static let discussions = WorkloadDiscussions(
        apply: """
            Starts the new version beside the old one, waits until it is healthy, points the published ports \
            to it and stops the old one. When anything fails, the old one keeps running. A file named Voltfile \
            is built and run; the ports it exposes are published under the same numbers.

            The workloads that 'after' of the manifest names have to be healthy first; when they are not within \
            --timeout, the exit code is 75. A workload that another kind has is refused with exit code 4, unless \
            --replace-kind names that kind.

            With -o json every step, every line of the build and the result is a JSON object on a line of its own.

            With --dry-run nothing is built or started: it says what would become of the workload, and why.

              volt container apply --workload web --manifest ./volt-manifest.yaml \\
                  --source . --revision 1
            """,
        status: """
            DESIRED is the revision applied last. ACTUAL is the revision that the running container was started \
            from; it is an older one when nothing in the newer revision concerns the workload.

              volt container status --workload web
              volt container status --workload web -o json
            """,
        list: """
            The columns are those of 'volt container status'.

              volt container list
              volt container list -o json
            """,
        remove: """
            The volumes stay unless --volumes is given: what is in them cannot be made again.

              volt container remove --workload web
            """)

    static func workloads(_ context: ToolContext, _ options: TrustOptions?) throws -> Rollout<ContainerKind> {
        let trust = options?.trust(context) ?? ImageTrust(paths: context.paths)
        return Rollout(
            kind: "container",
            runtime: ContainerKind(
                images: try ContainerHost.images(context, trust), runtime: try ContainerHost.runtime(context),
                paths: context.paths),
            paths: context.paths,
            others: WorkloadKinds(environment: context.environment, selfPath: Processes.selfPath),
            clock: context.clock)
    }
}
