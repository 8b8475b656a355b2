internal import VoltCore
internal import VoltOCI
public import VoltSystem
internal import VoltTrust

/// Which images of registries this host takes.
public struct ImageTrust: Sendable {
    private let path: String
    private let isNamed: Bool

    /// - Parameters:
    ///   - paths: the directories of `volt-container`: the file is `trust.yaml` in that of the configuration.
    ///   - file: another file, which must be there; nil for that one, which need not.
    public init(paths: HostPaths, file: String? = nil) {
        path = file ?? TrustPolicy.path(paths.configuration)
        isNamed = file != nil
    }

    /// The policy; nil when this host has none.
    ///
    /// - Throws: `VoltError` when it cannot be read: then nothing is taken.
    func policy() throws(VoltError) -> TrustPolicy? { try TrustPolicy.load(path, isNeeded: isNamed) }

    /// What is done with an image of a registry.
    func decision(_ reference: OCIReference) throws(VoltError) -> TrustPolicy.Decision {
        try policy()?.decision(reference) ?? .accept
    }
}
