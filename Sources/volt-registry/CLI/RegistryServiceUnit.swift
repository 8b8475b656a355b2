internal import VoltServiceCLI
internal import VoltSystemd

/// The service of `volt registry serve`.
enum RegistryServiceUnit: ServiceDescribing {
    static let service = ServiceDescription(
        tool: "registry", title: "Volt registry: images and artifacts",
        socketTitle: "Volt registry: the port of the registry", defaultPort: 5000,
        defaultAddress: "127.0.0.1", profile: .server, page: "docs/registry.md", readsEnvironmentFile: true)
}
