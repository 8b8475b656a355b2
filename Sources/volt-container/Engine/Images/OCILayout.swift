internal import FoundationEssentials
internal import VoltCore
internal import VoltCrypto
internal import VoltSystem

/// An OCI image layout on disk (OCI Image Format Specification 1.1, "image-layout.md").
///
/// Every blob is checked against its digest and size before anything in it is believed.
struct OCILayout {
    static let marker = "oci-layout"
    private static let manifestTypes = [
        "application/vnd.oci.image.manifest.v1+json", "application/vnd.docker.distribution.manifest.v2+json",
    ]
    private static let indexTypes = [
        "application/vnd.oci.image.index.v1+json",
        "application/vnd.docker.distribution.manifest.list.v2+json",
    ]
    // Manifests are a few kilobytes; registries limit them to 4 MiB.
    private static let documentLimit = 4 << 20

    let directory: String

    struct Descriptor: Decodable {
        let mediaType: String?
        let digest: String
        let size: UInt64
        let annotations: [String: String]?
        let platform: Platform?
    }

    struct Platform: Decodable {
        let architecture: String
        let os: String
        let variant: String?
    }

    struct Index: Decodable { let manifests: [Descriptor] }

    struct Manifest: Decodable {
        let config: Descriptor
        let layers: [Descriptor]
    }

    struct Config: Decodable {
        struct RootFS: Decodable {
            let diffIDs: [String]

            enum CodingKeys: String, CodingKey { case diffIDs = "diff_ids" }
        }
        struct Empty: Decodable {}
        struct Container: Decodable {
            let entrypoint: [String]?
            let command: [String]?
            let environment: [String]?
            let workingDirectory: String?
            let user: String?
            let ports: [String: Empty]?
            let labels: [String: String]?
            let stopSignal: String?

            enum CodingKeys: String, CodingKey {
                case entrypoint = "Entrypoint", command = "Cmd", environment = "Env", workingDirectory =
                    "WorkingDir"
                case user = "User", ports = "ExposedPorts", labels = "Labels", stopSignal = "StopSignal"
            }
        }
        let architecture: String
        let os: String
        let config: Container?
        let rootfs: RootFS
    }

    /// One image of the layout.
    struct Contents {
        let config: ImageConfig
        let layers: [Layer]
        /// The name that the index gives the image, or nil.
        let name: String?
    }

    struct Layer {
        let blob: Digest
        let size: UInt64
        let diffID: Digest
    }

    /// The image for a platform.
    ///
    /// - Parameter architecture: as Go writes it: `amd64`, `arm64`.
    func contents(architecture: String) throws(VoltError) -> Contents {
        let index: Index = try decode(
            try Files.read(beneath: directory, "index.json", limit: Self.documentLimit), "index.json")
        let found = try select(index.manifests, architecture: architecture, depth: 0, name: nil)
        let manifest: Manifest = try decode(try blob(found.descriptor), found.descriptor.digest)
        let config: Config = try decode(try blob(manifest.config), manifest.config.digest)
        guard config.os == "linux", config.architecture == architecture else {
            throw VoltError(
                .failed,
                "the image is for \(config.os)/\(config.architecture), and this host is linux/\(architecture)",
                hint: "fetch the image for this platform")
        }
        guard config.rootfs.diffIDs.count == manifest.layers.count else {
            throw VoltError(
                .failed,
                "the image has \(manifest.layers.count) layers and \(config.rootfs.diffIDs.count) digests of layers"
            )
        }
        var layers: [Layer] = []
        for (descriptor, diffID) in zip(manifest.layers, config.rootfs.diffIDs) {
            guard descriptor.mediaType?.contains(".tar") ?? false,
                descriptor.mediaType?.contains("encrypted") == false
            else {
                throw VoltError(
                    .failed, "a layer is of type '\(descriptor.mediaType ?? "")', which is not a tar archive")
            }
            layers.append(
                Layer(blob: try Digest(descriptor.digest), size: descriptor.size, diffID: try Digest(diffID)))
        }
        return Contents(config: Self.config(config.config), layers: layers, name: found.name)
    }

    /// The path of a blob below the layout.
    static func path(of blob: Digest) -> String { "blobs/sha256/\(blob.hex)" }

    private func select(_ descriptors: [Descriptor], architecture: String, depth: Int, name: String?)
        throws(VoltError)
        -> (descriptor: Descriptor, name: String?)
    {
        guard depth < 4 else { throw VoltError(.failed, "the indexes of '\(directory)' are nested too deep") }
        let images = descriptors.filter { descriptor in
            Self.manifestTypes.contains(descriptor.mediaType ?? "")
                || Self.indexTypes.contains(descriptor.mediaType ?? "")
        }
        let fitting = images.filter {
            $0.platform == nil || ($0.platform?.os == "linux" && $0.platform?.architecture == architecture)
        }
        guard let chosen = fitting.first(where: { $0.platform != nil }) ?? fitting.first else {
            let has = images.compactMap(\.platform).map { "\($0.os)/\($0.architecture)" }.sorted().joined(
                separator: ", ")
            throw VoltError(
                .failed,
                "'\(directory)' has no image for linux/\(architecture)"
                    + (has.isEmpty ? "" : ", only for \(has)"))
        }
        let key = "org.opencontainers.image.ref.name"
        let name = name ?? chosen.annotations?["io.containerd.image.name"] ?? chosen.annotations?[key]
        guard Self.indexTypes.contains(chosen.mediaType ?? "") else { return (chosen, name) }
        let inner: Index = try decode(try blob(chosen), chosen.digest)
        return try select(inner.manifests, architecture: architecture, depth: depth + 1, name: name)
    }

    private func blob(_ descriptor: Descriptor) throws(VoltError) -> [UInt8] {
        let digest = try Digest(descriptor.digest)
        let bytes = try Files.read(beneath: directory, Self.path(of: digest), limit: Self.documentLimit)
        guard bytes.count == descriptor.size, SHA256Hasher.digest(of: bytes) == digest else {
            throw VoltError(
                .refused, "blob '\(digest)' has other bytes than its digest says",
                hint: "fetch the image again")
        }
        return bytes
    }

    private func decode<Value: Decodable>(_ bytes: [UInt8], _ name: String) throws(VoltError) -> Value {
        do { return try JSONDecoder().decode(Value.self, from: Data(bytes)) } catch {
            throw VoltError(.failed, "'\(name)' is not what an OCI image layout has there")
        }
    }

    private static func config(_ source: Config.Container?) -> ImageConfig {
        var config = ImageConfig()
        guard let source else { return config }
        config.entrypoint = source.entrypoint ?? []
        config.command = source.command ?? []
        config.environment = source.environment ?? []
        config.workingDirectory = source.workingDirectory ?? ""
        config.user = source.user ?? ""
        config.exposedPorts = (source.ports ?? [:]).keys.map { $0.contains("/") ? $0 : "\($0)/tcp" }.sorted()
        config.labels = source.labels ?? [:]
        config.stopSignal = source.stopSignal
        return config
    }
}
