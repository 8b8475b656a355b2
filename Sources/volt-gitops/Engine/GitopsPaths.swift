public import VoltCore
internal import VoltCrypto
internal import VoltService
public import VoltSystem

/// Where `volt-gitops` keeps what.
public struct GitopsPaths: Sendable {
    /// The journal, secrets, mirrors and snapshots; mode 0700.
    public let state: String
    /// The lock and the address of the running server.
    public let runtime: String
    /// What all tools of the host have until it is restarted.
    let hostRuntime: String
    /// What administrators write, shared by all tools.
    public let configuration: String

    /// - Parameter paths: the directories of the tool.
    public init(_ paths: HostPaths) {
        state = paths.state
        runtime = paths.runtime
        hostRuntime = paths.hostRuntime
        configuration = paths.configuration
    }

    /// Makes the directories.
    public func make() throws(VoltError) {
        try Files.makePrivateDirectory(state)
        try Files.makeDirectory(secrets, mode: 0o700)
        try Files.makeDirectory(runtime, mode: 0o755)
    }

    /// The secret of a pipeline's hook.
    public func secret(_ pipeline: Name) -> String { "\(secrets)/\(pipeline)" }

    /// The directory of the secrets.
    var secrets: String { "\(state)/secrets" }

    /// The addresses that are notified: they may be secrets.
    var addresses: String { "\(state)/addresses" }

    /// The mirror of a repository, shared by the pipelines that read it.
    func mirror(of url: String) -> String {
        "\(state)/mirrors/\(SHA256Hasher.digest(of: url.utf8).hex.prefix(32))"
    }

    /// The file with the host key that `create` pinned for a pipeline.
    func hostKey(_ pipeline: Name) -> String { "\(hostKeys)/\(pipeline)" }

    /// The directory of the pinned host keys.
    var hostKeys: String { "\(state)/known-hosts" }

    /// The directory with a pipeline's snapshots, each named after its commit.
    func snapshots(_ pipeline: Name) -> String { "\(state)/snapshots/\(pipeline)" }

    /// What waits to be removed.
    var trash: String { "\(state)/trash" }

    /// Held by the one process that works on the queue.
    var lock: String { ServiceRunner.lock(in: runtime) }

    /// Held by the one process that writes the log of deliveries, or takes it over into the journal.
    var deliveriesLock: String { "\(runtime)/deliveries.lock" }

    /// Bytes written here wake the running server.
    var wakePipe: String { "\(runtime)/serve.fifo" }
}
