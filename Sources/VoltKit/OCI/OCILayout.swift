internal import FoundationEssentials
internal import Glibc
public import VoltCore
internal import VoltCrypto
internal import VoltSystem

/// An OCI image layout on disk (OCI Image Format Specification 1.1, "image-layout.md").
///
/// Every document is checked against its digest and size before anything in it is believed.
public struct OCILayout: Sendable {
    /// The file that says what a directory is.
    public static let marker = "oci-layout"
    // Manifests are a few kilobytes; registries limit them to 4 MiB.
    private static let documentLimit = 4 << 20
    private static let nameKey = "org.opencontainers.image.ref.name"

    /// The directory.
    public let directory: String

    /// - Parameter directory: see the property.
    public init(directory: String) { self.directory = directory }

    /// Whether a directory is a layout.
    public static func isLayout(_ directory: String) -> Bool {
        Files.exists("\(directory)/\(marker)") && Files.exists("\(directory)/index.json")
    }

    /// One image or artifact of the layout.
    public struct Contents: Sendable {
        /// How it is run; nil when it is no image.
        public let config: OCIConfig?
        /// What it is made of, the lowest first.
        public let layers: [Layer]
        /// The name that the index gives it, or nil.
        public let name: String?
    }

    /// A blob of an image or artifact.
    public struct Layer: Sendable {
        /// Its name in the layout.
        public let blob: Digest
        /// Its bytes.
        public let size: UInt64
        /// What it is, such as `application/vnd.oci.image.layer.v1.tar+gzip`.
        public let mediaType: String
        /// Of an image the digest without compression.
        public let diffID: Digest?

        /// Whether it is an archive that can be unpacked.
        public var isArchive: Bool { mediaType.contains(".tar") && !mediaType.contains("encrypted") }
    }

    /// The names that the index gives, in its order.
    public func names() throws(VoltError) -> [String] {
        var names: [String] = []
        for descriptor in try index().manifests {
            if let name = descriptor.annotations?[Self.nameKey], !names.contains(name) { names.append(name) }
        }
        return names
    }

    /// What is there for a platform.
    ///
    /// - Parameters:
    ///   - architecture: as Go writes it: `amd64`, `arm64`.
    ///   - name: one of `names`; nil takes the first that fits.
    public func contents(architecture: String, named name: String? = nil) throws(VoltError) -> Contents {
        let descriptors = try index().manifests.filter {
            name == nil || $0.annotations?[Self.nameKey] == name
        }
        let found = try select(descriptors, architecture: architecture, depth: 0, name: nil)
        let manifest: OCIManifest = try decode(try checked(found.descriptor), found.descriptor.digest)
        guard OCIMediaType.configs.contains(manifest.config.mediaType ?? "") else {
            return Contents(
                config: nil,
                layers: try manifest.layers.map { layer throws(VoltError) in try Self.layer(layer, nil) },
                name: found.name)
        }
        let config: OCIConfig = try decode(try blob(manifest.config), manifest.config.digest)
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
            let layer = try Self.layer(descriptor, try Digest(diffID))
            guard layer.isArchive else {
                throw VoltError(
                    .failed, "a layer is of type '\(layer.mediaType)', which is not a tar archive")
            }
            layers.append(layer)
        }
        return Contents(config: config, layers: layers, name: found.name)
    }

    /// A manifest or configuration, verified.
    public func document(_ digest: Digest) throws(VoltError) -> [UInt8] {
        let bytes = try Files.read(beneath: directory, Self.path(of: digest), limit: Self.documentLimit)
        guard SHA256Hasher.digest(of: bytes) == digest else {
            throw VoltError(
                .refused, "blob '\(digest)' has other bytes than its digest says",
                hint: "fetch the image again")
        }
        return bytes
    }

    /// The processor of this host, as Go writes it.
    public static var hostArchitecture: String {
        var information = utsname()
        guard uname(&information) == 0 else { return "unknown" }
        let machine = withUnsafeBytes(of: &information.machine) {
            String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
        }
        return switch machine {
        case "x86_64": "amd64"
        case "aarch64": "arm64"
        default: machine
        }
    }

    /// The path of a blob below the layout.
    public static func path(of blob: Digest) -> String { "blobs/sha256/\(blob.hex)" }

    private static func layer(_ descriptor: OCIDescriptor, _ diffID: Digest?) throws(VoltError) -> Layer {
        Layer(
            blob: try Digest(descriptor.digest), size: descriptor.size, mediaType: descriptor.mediaType ?? "",
            diffID: diffID)
    }

    private func index() throws(VoltError) -> OCIIndex {
        try decode(
            try Files.read(beneath: directory, "index.json", limit: Self.documentLimit), "index.json")
    }

    private func select(_ descriptors: [OCIDescriptor], architecture: String, depth: Int, name: String?)
        throws(VoltError)
        -> (descriptor: OCIDescriptor, name: String?)
    {
        guard depth < 4 else { throw VoltError(.failed, "the indexes of '\(directory)' are nested too deep") }
        let images = descriptors.filter { descriptor in
            OCIMediaType.manifests.contains(descriptor.mediaType ?? "")
                || OCIMediaType.indexes.contains(descriptor.mediaType ?? "")
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
        let name =
            name ?? chosen.annotations?["io.containerd.image.name"] ?? chosen.annotations?[Self.nameKey]
        guard OCIMediaType.indexes.contains(chosen.mediaType ?? "") else { return (chosen, name) }
        let inner: OCIIndex = try decode(try checked(chosen), chosen.digest)
        return try select(inner.manifests, architecture: architecture, depth: depth + 1, name: name)
    }

    private func blob(_ descriptor: OCIDescriptor) throws(VoltError) -> [UInt8] {
        let digest = try Digest(descriptor.digest)
        let bytes = try Files.read(beneath: directory, Self.path(of: digest), limit: Self.documentLimit)
        guard bytes.count == descriptor.size, SHA256Hasher.digest(of: bytes) == digest else {
            throw VoltError(
                .refused, "blob '\(digest)' has other bytes than its digest says",
                hint: "fetch the image again")
        }
        return bytes
    }

    /// A manifest or index that has one meaning only.
    private func checked(_ descriptor: OCIDescriptor) throws(VoltError) -> [UInt8] {
        let bytes = try blob(descriptor)
        do throws(VoltError) { _ = try OCIDocument(checking: bytes, type: descriptor.mediaType) } catch {
            throw VoltError(.refused, "'\(descriptor.digest)': \(error.message)", hint: error.hint)
        }
        return bytes
    }

    private func decode<Value: Decodable>(_ bytes: [UInt8], _ name: String) throws(VoltError) -> Value {
        do { return try JSONDecoder().decode(Value.self, from: Data(bytes)) } catch {
            throw VoltError(
                .failed, "'\(name)' is not what an OCI image layout has there", hint: "make the layout again")
        }
    }
}
