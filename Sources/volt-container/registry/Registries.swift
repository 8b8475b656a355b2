import ContainerTransfer
import VoltCore
import VoltOCI
import VoltRegistry

/// The registries of a request, each logged in to once.
final class Registries {
    private struct Key: Hashable {
        let host: String
        let access: RegistryAccess
    }

    private let configuration: DockerConfiguration
    private let proxy: String?
    private var endpoints: [Key: RegistryEndpoint] = [:]

    init(_ environment: [String: String], authFile: String?) throws(VoltError) {
        configuration = try DockerConfiguration(environment: environment, file: authFile)
        proxy = environment["HTTPS_PROXY"] ?? environment["https_proxy"]
    }

    /// The repository of a reference.
    func place(_ reference: OCIReference, _ access: RegistryAccess) throws(VoltError) -> RepositoryPlace {
        let key = Key(host: reference.host, access: access)
        if let known = endpoints[key] {
            return RepositoryPlace(try RegistryClient(known), reference.repository)
        }
        var settings = RegistryEndpoint.Settings()
        settings.isPlain = access.isPlain
        settings.caFile = access.caFile
        settings.proxy = proxy
        let endpoint = RegistryEndpoint(
            host: reference.host, account: try configuration.account(for: reference.host), settings: settings)
        endpoints[key] = endpoint
        return RepositoryPlace(try RegistryClient(endpoint), reference.repository)
    }
}
