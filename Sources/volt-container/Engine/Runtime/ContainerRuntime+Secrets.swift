internal import ContainerSandbox
internal import ContainerSecrets
internal import VoltCore
internal import VoltSystem

extension ContainerRuntime {
    /// What decrypts the secrets at each start. The encrypted files are copied: a start needs nothing of
    /// the source.
    func addSecrets(to settings: inout Settings, _ spec: ContainerSpec, _ directory: String)
        throws(VoltError)
    {
        guard let secrets = spec.secrets, !secrets.isEmpty else { return }
        settings.add("decrypt", try Processes.helper("volt-container--decrypt"))
        settings.add(
            "identity",
            AgeKeys.of(spec.workload ?? spec.name, configuration: paths.configuration).path)
        for (index, secret) in secrets.enumerated() {
            var copy = secret
            copy.path = "\(directory)/secret-\(index)"
            try save(try Files.read(secret.path, limit: SecretFile.limit), copy.path, spec)
            settings.add("secret", String(decoding: try JSONFile.encode(copy), as: UTF8.self))
        }
    }

    /// The same for a command in a container that runs: the helper and the copies are named in its settings.
    ///
    /// - Parameter explicit: variables that the command has its own values of.
    func addMadeSecrets(to settings: inout Settings, _ spec: ContainerSpec, explicit: [String])
        throws(VoltError)
    {
        guard spec.secrets?.isEmpty == false else { return }
        let made = try Settings(
            decoding: try Files.read("\(directory(spec.name))/run", limit: Settings.limit))
        for key in ["decrypt", "identity", "secret"] { settings.add(key, all: made.all(key)) }
        settings.add("explicit", all: explicit)
    }
}
