internal import ContainerEngine
internal import VoltCLI
internal import VoltCore

/// The engine of this host, put together from the context of a command.
enum ContainerHost {
    /// The containers of this host.
    static func runtime(_ context: ToolContext) throws(VoltError) -> ContainerRuntime {
        try ContainerRuntime(paths: context.paths, environment: context.environment, clock: context.clock)
    }

    /// What applies, removes and looks at workloads.
    static func applier(_ context: ToolContext) throws(VoltError) -> WorkloadApplier {
        WorkloadApplier(
            store: try ImageStore(paths: context.paths, clock: context.clock), runtime: try runtime(context),
            paths: context.paths, clock: context.clock)
    }
}
