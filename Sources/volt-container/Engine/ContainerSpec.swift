public import ContainerSecrets
public import VoltCore
public import VoltWorkload

/// Everything that is needed to run a container, decided: image settings, manifest and command line
/// are merged already, paths are absolute, nothing is looked up later.
public struct ContainerSpec: Codable, Sendable, Equatable {
    /// The name of the container, unique on the host.
    public var name: Name
    /// The image as the user wrote it, for people.
    public var image: String
    /// The digest of the image, or nil for a root file system that is a plain directory.
    public var imageDigest: Digest?
    /// The layers, the topmost first, each the digest of a tree in the content store or an absolute directory. They
    /// are shared and never written.
    public var lowers: [String]
    /// The program and its arguments: entrypoint and command together.
    public var command: [String]
    /// The variables of the payload.
    public var environment: [String: String] = [:]
    /// The working directory in the container.
    public var workingDirectory = "/"
    /// `""` (root), `1000`, `1000:1000`, `nobody` or `nobody:nogroup`, looked up in the image.
    public var user = ""
    /// The host name in the container.
    public var hostname: String
    /// Volumes and directories of the host.
    public var mounts: [VolumeMount] = []
    /// Encrypted files whose content the payload gets, or nil.
    public var secrets: [Secret]?
    /// Ports reachable on the host.
    public var ports: [PublishedPort] = []
    /// Limits of the container's cgroup.
    public var limits = ResourceLimits()
    /// What happens when the payload ends.
    public var restart = RestartPolicy.no
    /// How to tell that the payload works, or nil.
    public var health: HealthCheck?
    /// Whether the root file system is read-only.
    public var readOnly = false
    /// Capabilities taken from and given to the default set, in lower case without `cap_`; `all` is allowed.
    public var dropCapabilities: [String] = []
    /// See `dropCapabilities`.
    public var addCapabilities: [String] = []
    /// The signal that asks the payload to end.
    public var stopSignal = "SIGTERM"
    /// How long the payload may take to end before it is killed, in milliseconds.
    public var stopTimeoutMilliseconds: Int64 = 10_000
    /// Whether the container is removed when its payload has ended for good.
    public var removeWhenDone = false
    /// The workload whose generation this is; published ports then belong to the workload.
    public var workload: Name?
    /// The revision of the source, for people.
    public var revision: String?
    /// Free text for people and tools.
    public var labels: [String: String] = [:]

    /// - Parameters:
    ///   - name: the name, also the host name.
    ///   - image: the image as the user wrote it.
    ///   - lowers: the layers, the topmost first.
    ///   - command: the program and its arguments.
    public init(name: Name, image: String, lowers: [String], command: [String]) {
        self.name = name
        self.image = image
        self.lowers = lowers
        self.command = command
        hostname = name.text
    }
}
