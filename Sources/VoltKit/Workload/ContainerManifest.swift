public import VoltCore
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

    /// A directory in the container that comes from outside the image.
    public struct Volume: Sendable, Equatable {
        /// Where its files are.
        public enum Source: Sendable, Equatable {
            /// A volume that outlives the container.
            case named(Name)
            /// A file or directory of the source, relative to its root.
            case path(String)
        }
        /// Where its files are.
        public var source: Source
        /// An absolute path in the container.
        public var target: String
        /// Whether the payload may not write. Always so for a path of the source.
        public var readOnly: Bool
        /// Whether the setuid bits of a named volume's programs count.
        public var allowsSetuid = false
        /// Whether the device nodes of a named volume can be opened.
        public var allowsDevices = false
        /// Whether a named volume that is new stays empty, instead of beginning with what the image has there.
        public var staysEmpty = false

        /// - Parameters: see the properties.
        public init(source: Source, target: String, readOnly: Bool) {
            self.source = source
            self.target = target
            self.readOnly = readOnly
        }
    }

    /// A port that is reachable on the host.
    public struct Port: Sendable, Hashable {
        /// The address of the host; `0.0.0.0` is every address.
        public var address: String
        /// The port of the host.
        public var host: UInt16
        /// The port in the container.
        public var container: UInt16

        /// - Parameters: see the properties.
        public init(address: String = "0.0.0.0", host: UInt16, container: UInt16) {
            self.address = address
            self.host = host
            self.container = container
        }
    }

    /// How to tell that the payload works.
    public struct Health: Sendable, Equatable {
        /// What is tried.
        public enum Probe: Sendable, Equatable {
            /// GET of a path answers 200 to 399.
            case http(port: UInt16, path: String)
            /// The port accepts.
            case tcp(port: UInt16)
            /// The command ends with 0.
            case exec([String])
        }
        /// What is tried.
        public var probe: Probe
        /// The time between two tries.
        public var interval = Duration.seconds(5)
        /// How long a try may take.
        public var timeout = Duration.seconds(2)
        /// Failed tries in a row that mean unhealthy.
        public var retries = 3
        /// The time after the start in which failed tries do not count.
        public var startPeriod = Duration.seconds(10)

        /// - Parameter probe: what is tried.
        public init(probe: Probe) { self.probe = probe }
    }

    /// An encrypted file of the source, and where its content goes.
    public struct Secret: Sendable, Equatable {
        /// Where the content goes.
        public enum Use: Sendable, Equatable {
            /// Each key of the file is a variable.
            case variables
            /// Variables by name, each with the key of its value.
            case chosen([String: String])
            /// A file in the container.
            case file(File)
        }

        /// A file in the container.
        public struct File: Sendable, Equatable {
            /// The key of the value, or nil for the whole file.
            public var key: String?
            /// An absolute path in the container.
            public var target: String
            /// The permissions.
            public var mode: UInt32
            /// The number of the owner.
            public var uid: UInt32
            /// The number of the group.
            public var gid: UInt32

            /// - Parameters: see the properties.
            public init(
                key: String? = nil, target: String, mode: UInt32 = 0o444, uid: UInt32 = 0, gid: UInt32 = 0
            ) {
                self.key = key
                self.target = target
                self.mode = mode
                self.uid = uid
                self.gid = gid
            }
        }

        /// The encrypted file, relative to the root of the source.
        public var path: String
        /// Where the content goes.
        public var use: Use
    }

    /// When the payload is started again.
    public enum Restart: String, Sendable, CaseIterable {
        /// Never.
        case no
        /// When it did not end with 0.
        case onFailure = "on-failure"
        /// Whenever it ended.
        case always
    }

    /// The name of the workload, when the manifest gives one.
    public var name: Name?
    /// Where the root file system comes from.
    public var source: Source
    /// The command, in place of the image's, or nil.
    public var command: [String]?
    /// Variables on top of the image's.
    public var environment: [String: String] = [:]
    /// Published ports.
    public var ports: [Port] = []
    /// Volumes.
    public var volumes: [Volume] = []
    /// Encrypted files of the source.
    public var secrets: [Secret] = []
    /// Bytes of memory, or nil for no limit.
    public var memory: UInt64?
    /// Processors, or nil for no limit.
    public var cpus: Double?
    /// Processes and threads, or nil for no limit.
    public var pids: Int?
    /// When the payload is started again.
    public var restart = Restart.onFailure
    /// How to tell that it works, or nil.
    public var health: Health?
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
        if let after = fields["after"] {
            throw after.failure(
                "'after' is not supported yet",
                hint: "remove it: an order between workloads is not kept, and is not pretended")
        }
        self = try SpecReader(try Manifest.require("spec", in: fields, of: root)).read()
        name = header.name
    }
}
