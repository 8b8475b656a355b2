internal import ContainerSandbox
internal import ContainerSecrets
internal import VoltCore
internal import VoltSystem

extension ContainerRuntime {
    /// The settings by which the secrets are decrypted at each start. The encrypted files are copied: a start needs nothing of
    /// the source.
    func secretSettings(of spec: ContainerSpec, _ directory: String) throws(VoltError) -> SecretSettings? {
        guard let secrets = spec.secrets, !secrets.isEmpty else { return nil }
        var settings = SecretSettings(
            program: try Processes.helper("volt-container--decrypt"),
            identity: AgeKeys.of(spec.workload ?? spec.name, configuration: paths.configuration).path,
            secrets: [])
        for (index, secret) in secrets.enumerated() {
            var copy = secret
            copy.path = "\(directory)/secret-\(index)"
            try save(try Files.read(secret.path, limit: SecretFile.limit), copy.path, spec)
            settings.secrets.append(String(decoding: try JSONFile.encode(copy), as: UTF8.self))
        }
        return settings
    }

    /// The same for a command in a container that runs.
    func madeSecrets(of spec: ContainerSpec) throws(VoltError) -> SecretSettings? {
        spec.secrets?.isEmpty == false ? try runSettings(of: spec.name).secrets : nil
    }
}
