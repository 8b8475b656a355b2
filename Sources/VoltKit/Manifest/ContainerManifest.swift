public import VoltCore
public import VoltWorkload
internal import VoltYAML

/// A manifest of `kind: container`: what is to run, as it is written. Paths are not looked up yet.
public struct ContainerManifest: Sendable, Equatable {
    /// Where the root file system comes from.
    public enum Source: Sendable, Equatable {
        /// An image of the store.
        case image(String)
        /// A directory of the source with a Voltfile.
        case build(path: String)
        /// A directory of the source that is the root file system.
        case rootfs(path: String)
    }

    /// The name of the workload, when the manifest gives one.
    public var name: Name?
    /// The workloads, of any kind, that have to be healthy before this one is started.
    public var after: [Name] = []
    /// Where the root file system comes from.
    public var source: Source
    /// The command, in place of the image's, or nil.
    public var command: [String]?
    /// Variables on top of the image's.
    public var environment: [String: String] = [:]
    /// Published ports.
    public var ports: [PublishedPort] = []
    /// Volumes.
    public var volumes: [VolumeMount] = []
    /// Encrypted files of the source.
    public var secrets: [SecretReference] = []
    /// The limits of its processes together.
    public var limits = ResourceLimits()
    /// When the payload is started again.
    public var restart = RestartPolicy.onFailure
    /// How to tell that it works, or nil.
    public var health: HealthCheck?
    /// Whether the root file system is read-only.
    public var readOnly = false
    /// The user, in place of the image's, or nil.
    public var user: String?
    /// Capabilities taken away: lower case without `cap_`, or `all`.
    public var dropCapabilities: [String] = []
    /// Capabilities given.
    public var addCapabilities: [String] = []

    /// A manifest that says nothing but where the root file system comes from.
    public init(source: Source) { self.source = source }

    /// Reads a manifest of `kind: container`.
    ///
    /// - Parameters:
    ///   - bytes: the file.
    ///   - file: its name, for errors.
    /// - Throws: `VoltError` with file, line and column.
    public init(bytes: [UInt8], file: String = Manifest.fileName) throws(VoltError) {
        let root = try YAML.parse(bytes, file: file)
        let (header, fields) = try Manifest.header(root)
        guard header.kind.text == "container" else {
            throw VoltError(
                .failed,
                "\(file): kind '\(header.kind)' is applied by 'volt-\(header.kind)', not by 'volt-container'")
        }
        self = try SpecReader(try Manifest.require("spec", in: fields, of: root)).read()
        name = header.name
        after = header.after
    }
}
