internal import ContainerEngine
internal import VoltCLI
internal import VoltCore

/// The engine of this host, put together from the context of a command.
enum ContainerHost {
    /// The containers of this host.
    static func runtime(_ context: ToolContext) throws(VoltError) -> ContainerRuntime {
        try ContainerRuntime(paths: context.paths, environment: context.environment, clock: context.clock)
    }

    /// The container that a name means, which may be that of a workload; says so.
    static func container(_ text: String, in runtime: ContainerRuntime) throws(VoltError) -> Name {
        let name = try Name(text, of: "container")
        let container = try runtime.container(named: name)
        if container != name {
            Output.note("volt container: note: '\(name)' is a workload: its container is '\(container)'")
        }
        return container
    }

    /// The images of this host, and those of registries.
    ///
    /// - Parameter trust: which of those are taken.
    static func images(_ context: ToolContext, _ trust: ImageTrust) throws(VoltError) -> ImageSource {
        let store = try ImageStore(paths: context.paths, clock: context.clock)
        return ImageSource(
            store: store,
            puller: ImagePuller(
                store: store, environment: context.environment, options: RegistryOptions(), trust: trust),
            trust: trust)
    }
}
