public import ContainerSecrets
public import VoltCore

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
    public var mounts: [Mount] = []
    /// Encrypted files whose content the payload gets, or nil.
    public var secrets: [Secret]?
    /// Ports reachable on the host.
    public var ports: [PublishedPort] = []
    /// Limits of the container's cgroup.
    public var limits = Limits()
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

    /// A volume or a directory of the host in the container.
    public struct Mount: Codable, Sendable, Equatable {
        /// A volume's name, or an absolute path of the host.
        public var source: String
        /// Whether `source` is the name of a volume.
        public var isVolume: Bool
        /// An absolute path in the container.
        public var target: String
        /// Whether the payload may not write.
        public var readOnly: Bool
        /// Whether the setuid bits of a volume's programs count; nil is false. A directory of the host has its own word.
        public var allowsSetuid: Bool?
        /// The same of its device nodes.
        public var allowsDevices: Bool?
        /// Whether a new volume stays empty, instead of beginning with what the image has at `target`; nil is false.
        public var staysEmpty: Bool?

        /// - Parameters: see the properties.
        public init(
            source: String, isVolume: Bool, target: String, readOnly: Bool, allowsSetuid: Bool? = nil,
            allowsDevices: Bool? = nil, staysEmpty: Bool? = nil
        ) {
            self.source = source
            self.isVolume = isVolume
            self.target = target
            self.readOnly = readOnly
            self.allowsSetuid = allowsSetuid
            self.allowsDevices = allowsDevices
            self.staysEmpty = staysEmpty
        }
    }

    /// A port of the container that is reachable on the host.
    public struct PublishedPort: Codable, Sendable, Hashable {
        /// The address of the host to listen on: `0.0.0.0` (every address, IPv6 as well) or one address.
        public var address: String
        /// The port of the host.
        public var hostPort: UInt16
        /// The port in the container.
        public var containerPort: UInt16
        /// `tcp`; `udp` is refused until it is built.
        public var transport: String

        /// - Parameters: see the properties.
        public init(
            address: String = "0.0.0.0", hostPort: UInt16, containerPort: UInt16, transport: String = "tcp"
        ) {
            self.address = address
            self.hostPort = hostPort
            self.containerPort = containerPort
            self.transport = transport
        }
    }

    /// Limits of the container's cgroup; nil is no limit.
    public struct Limits: Codable, Sendable, Equatable {
        /// Bytes of memory.
        public var memory: UInt64?
        /// Processors, such as 0.5.
        public var cpus: Double?
        /// Processes and threads.
        public var pids: Int?

        /// No limits.
        public init(memory: UInt64? = nil, cpus: Double? = nil, pids: Int? = nil) {
            self.memory = memory
            self.cpus = cpus
            self.pids = pids
        }
    }

    /// What happens when the payload ends.
    public enum RestartPolicy: String, Codable, Sendable {
        /// Nothing.
        case no
        /// It is started again unless it ended with 0.
        case onFailure = "on-failure"
        /// It is started again.
        case always
    }

    /// How to tell that the payload works.
    public struct HealthCheck: Codable, Sendable, Equatable {
        /// What is tried.
        public enum Probe: Codable, Sendable, Equatable {
            /// GET of a path answers 200 to 399.
            case http(port: UInt16, path: String)
            /// The port accepts.
            case tcp(port: UInt16)
            /// The command in the container ends with 0.
            case exec([String])
        }
        /// What is tried.
        public var probe: Probe
        /// Milliseconds between two tries.
        public var intervalMilliseconds: Int64 = 5_000
        /// Milliseconds a try may take.
        public var timeoutMilliseconds: Int64 = 2_000
        /// Failed tries in a row that make the payload unhealthy.
        public var retries = 3
        /// Milliseconds after the start in which failed tries do not count.
        public var startPeriodMilliseconds: Int64 = 10_000

        /// - Parameter probe: what is tried.
        public init(probe: Probe) { self.probe = probe }
    }
}
