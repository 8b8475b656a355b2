public import VoltCore

/// Media types of the OCI Image Format Specification 1.1 ("media-types.md"), and of Docker where they mean the same.
public enum OCIMediaType {
    /// An image or artifact.
    public static let manifest = "application/vnd.oci.image.manifest.v1+json"
    /// A list of manifests, such as one for each platform.
    public static let index = "application/vnd.oci.image.index.v1+json"
    /// How an image is run.
    public static let config = "application/vnd.oci.image.config.v1+json"
    /// `{}`, where a blob is wanted and there is none.
    public static let empty = "application/vnd.oci.empty.v1+json"
    /// A layer of an image as tar archive; `+gzip` or `+zstd` follows when it is compressed.
    public static let layer = "application/vnd.oci.image.layer.v1.tar"
    /// Those of images and artifacts.
    public static let manifests = [manifest, "application/vnd.docker.distribution.manifest.v2+json"]
    /// Those of lists.
    public static let indexes = [index, "application/vnd.docker.distribution.manifest.list.v2+json"]
    /// Those of configurations.
    public static let configs = [config, "application/vnd.docker.container.image.v1+json"]
}

/// A blob or manifest as documents name it ("descriptor.md").
public struct OCIDescriptor: Codable, Sendable, Hashable {
    /// What it is.
    public var mediaType: String?
    /// Its digest; as text, since documents of others may have algorithms that are not known here.
    public var digest: String
    /// Its bytes.
    public var size: UInt64
    /// Where else it can be had.
    public var urls: [String]?
    /// Free text by key.
    public var annotations: [String: String]?
    /// Its bytes in Base64, when they are that few.
    public var data: String?
    /// Of an artifact its type.
    public var artifactType: String?
    /// What an image runs on.
    public var platform: OCIPlatform?

    /// - Parameters: see the properties.
    public init(
        mediaType: String?, digest: String, size: UInt64, urls: [String]? = nil,
        annotations: [String: String]? = nil, data: String? = nil, artifactType: String? = nil,
        platform: OCIPlatform? = nil
    ) {
        self.mediaType = mediaType
        self.digest = digest
        self.size = size
        self.urls = urls
        self.annotations = annotations
        self.data = data
        self.artifactType = artifactType
        self.platform = platform
    }
}

/// What an image runs on ("image-index.md").
public struct OCIPlatform: Codable, Sendable, Hashable, CustomStringConvertible {
    /// The processor as Go writes it, such as `amd64`.
    public var architecture: String
    /// Such as `linux`.
    public var os: String
    /// Such as `v8` of `arm64`.
    public var variant: String?
    /// The version of the system, of Windows.
    public var osVersion: String?

    enum CodingKeys: String, CodingKey {
        case architecture, os, variant
        case osVersion = "os.version"
    }

    /// - Parameters: see the properties.
    public init(architecture: String, os: String, variant: String? = nil) {
        self.architecture = architecture
        self.os = os
        self.variant = variant
    }

    /// - Parameter text: `os/architecture[/variant]`.
    public init(_ text: String) throws(VoltError) {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false).map(String.init)
        guard (2...3).contains(parts.count), parts.allSatisfy({ !$0.isEmpty }) else {
            throw VoltError(
                .usage, "'\(text.prefix(100))' is no platform",
                hint: "write os/architecture[/variant], such as linux/arm64")
        }
        self.init(architecture: parts[1], os: parts[0], variant: parts.count > 2 ? parts[2] : nil)
    }

    /// `linux/arm64/v8`.
    public var description: String { "\(os)/\(architecture)" + (variant.map { "/\($0)" } ?? "") }
}

/// A list of manifests ("image-index.md").
public struct OCIIndex: Codable, Sendable {
    /// 2.
    public var schemaVersion: Int? = 2
    /// Its own.
    public var mediaType: String? = OCIMediaType.index
    /// Of an artifact its type.
    public var artifactType: String?
    /// What it lists.
    public var manifests: [OCIDescriptor]
    /// What it is about.
    public var subject: OCIDescriptor?
    /// Free text by key.
    public var annotations: [String: String]?

    /// - Parameters: see the properties.
    public init(
        manifests: [OCIDescriptor], artifactType: String? = nil, subject: OCIDescriptor? = nil,
        annotations: [String: String]? = nil
    ) {
        self.manifests = manifests
        self.artifactType = artifactType
        self.subject = subject
        self.annotations = annotations
    }
}

/// An image or artifact ("manifest.md").
public struct OCIManifest: Codable, Sendable {
    /// 2.
    public var schemaVersion: Int? = 2
    /// Its own.
    public var mediaType: String? = OCIMediaType.manifest
    /// Of an artifact its type.
    public var artifactType: String?
    /// How an image is run; of an artifact what its makers want.
    public var config: OCIDescriptor
    /// What it is made of, of an image the lowest first.
    public var layers: [OCIDescriptor]
    /// What it is about.
    public var subject: OCIDescriptor?
    /// Free text by key.
    public var annotations: [String: String]?

    /// - Parameters: see the properties.
    public init(
        config: OCIDescriptor, layers: [OCIDescriptor], artifactType: String? = nil,
        subject: OCIDescriptor? = nil, annotations: [String: String]? = nil
    ) {
        self.config = config
        self.layers = layers
        self.artifactType = artifactType
        self.subject = subject
        self.annotations = annotations
    }
}

/// How an image is run ("config.md").
public struct OCIConfig: Codable, Sendable {
    /// The layers without their compression.
    public struct RootFS: Codable, Sendable {
        /// `layers`.
        public var type: String? = "layers"
        /// The lowest first.
        public var diffIDs: [String]

        /// - Parameter diffIDs: see the property.
        public init(diffIDs: [String]) { self.diffIDs = diffIDs }

        enum CodingKeys: String, CodingKey { case type, diffIDs = "diff_ids" }
    }

    /// An object without members.
    public struct Empty: Codable, Sendable {
        /// `{}`.
        public init() {}
    }

    /// The settings of a container.
    public struct Container: Codable, Sendable {
        /// The program and its first arguments.
        public let entrypoint: [String]?
        /// The arguments after it.
        public let command: [String]?
        /// Variables as `NAME=value`.
        public let environment: [String]?
        /// The working directory.
        public let workingDirectory: String?
        /// The user, with `:group` if needed.
        public let user: String?
        /// Ports such as `80/tcp`.
        public let ports: [String: Empty]?
        /// Free text.
        public let labels: [String: String]?
        /// The signal that asks it to end.
        public let stopSignal: String?

        /// - Parameters: see the properties.
        public init(
            entrypoint: [String]?, command: [String]?, environment: [String]?, workingDirectory: String?,
            user: String?, ports: [String: Empty]?, labels: [String: String]?, stopSignal: String?
        ) {
            self.entrypoint = entrypoint
            self.command = command
            self.environment = environment
            self.workingDirectory = workingDirectory
            self.user = user
            self.ports = ports
            self.labels = labels
            self.stopSignal = stopSignal
        }

        enum CodingKeys: String, CodingKey {
            case entrypoint = "Entrypoint"
            case command = "Cmd"
            case environment = "Env"
            case workingDirectory = "WorkingDir"
            case user = "User"
            case ports = "ExposedPorts"
            case labels = "Labels"
            case stopSignal = "StopSignal"
        }
    }

    /// As Go writes it.
    public var architecture: String
    /// Such as `linux`.
    public var os: String
    /// When it was made, in RFC 3339.
    public var created: String?
    /// The settings, when there are any.
    public var config: Container?
    /// The layers.
    public var rootfs: RootFS

    /// - Parameters: see the properties.
    public init(
        architecture: String, os: String, created: String? = nil, config: Container?, rootfs: RootFS
    ) {
        self.architecture = architecture
        self.os = os
        self.created = created
        self.config = config
        self.rootfs = rootfs
    }
}
