/// Media types of the OCI Image Format Specification 1.1 ("media-types.md"), and of Docker where they mean the same.
enum OCIMediaType {
    static let manifest = "application/vnd.oci.image.manifest.v1+json"
    static let index = "application/vnd.oci.image.index.v1+json"
    static let config = "application/vnd.oci.image.config.v1+json"
    static let empty = "application/vnd.oci.empty.v1+json"
    static let manifests = [manifest, "application/vnd.docker.distribution.manifest.v2+json"]
    static let indexes = [index, "application/vnd.docker.distribution.manifest.list.v2+json"]
    static let configs = [config, "application/vnd.docker.container.image.v1+json"]
}

/// A blob as documents name it ("descriptor.md").
struct OCIDescriptor: Codable {
    var mediaType: String?
    var digest: String
    var size: UInt64
    var annotations: [String: String]?
    var platform: OCIPlatform?
}

struct OCIPlatform: Codable {
    var architecture: String
    var os: String
    var variant: String?
}

struct OCIIndex: Codable {
    var schemaVersion: Int? = 2
    var mediaType: String? = OCIMediaType.index
    var manifests: [OCIDescriptor]
}

struct OCIManifest: Codable {
    var schemaVersion: Int? = 2
    var mediaType: String? = OCIMediaType.manifest
    var artifactType: String?
    var config: OCIDescriptor
    var layers: [OCIDescriptor]
    var annotations: [String: String]?
}

/// How an image is run ("config.md").
public struct OCIConfig: Codable, Sendable {
    /// The layers without their compression.
    public struct RootFS: Codable, Sendable {
        /// `layers`.
        public var type: String? = "layers"
        /// The lowest first.
        public var diffIDs: [String]

        enum CodingKeys: String, CodingKey { case type, diffIDs = "diff_ids" }
    }

    /// An object without members.
    public struct Empty: Codable, Sendable {}

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
    /// The settings, when there are any.
    public var config: Container?
    /// The layers.
    public var rootfs: RootFS
}
