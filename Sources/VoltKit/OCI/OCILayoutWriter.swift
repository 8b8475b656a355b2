internal import FoundationEssentials
internal import Glibc
public import VoltCore
internal import VoltCrypto
internal import VoltSystem

/// Makes an OCI image layout. The index is written last: until then there is none.
public struct OCILayoutWriter {
    private let directory: String
    private var manifests: [OCIDescriptor] = []

    /// - Parameter directory: made when it is not there.
    /// - Throws: `VoltError`; `conflict` when it has something in it.
    public init(directory: String) throws(VoltError) {
        self.directory = directory
        guard try Files.list(directory).isEmpty else {
            throw VoltError(
                .conflict, "'\(directory)' is not empty", hint: "name a directory that is empty or not there")
        }
        try Files.makeDirectory(directory)
        // Of several that begin at once one makes the layout.
        guard mkdir("\(directory)/blobs", 0o755) == 0 else {
            guard errno == EEXIST else {
                throw SystemError.current.during("cannot make directory '\(directory)/blobs'")
            }
            throw VoltError(
                .conflict, "another process makes a layout in '\(directory)'",
                hint: "name a directory that is empty or not there")
        }
        try Files.makeDirectory("\(directory)/blobs/sha256")
    }

    /// Where a blob is written before its digest is known.
    public var temporary: String { "\(directory)/blobs/incoming" }

    /// Where a blob belongs.
    public func path(of blob: Digest) -> String { "\(directory)/\(OCILayout.path(of: blob))" }

    /// Names what was written to `temporary`.
    public func keep(_ blob: Digest) throws(VoltError) { try Files.move(temporary, path(of: blob)) }

    /// Adds an image of one layer, a tar archive without compression that is there already.
    public mutating func addImage(named name: String, layer: Digest, size: UInt64, architecture: String)
        throws(VoltError)
    {
        let config = OCIConfig(
            architecture: architecture, os: "linux", config: nil, rootfs: .init(diffIDs: [layer.description]))
        try add(
            OCIManifest(
                config: try write(config, OCIMediaType.config),
                layers: [
                    OCIDescriptor(
                        mediaType: "application/vnd.oci.image.layer.v1.tar", digest: layer.description,
                        size: size)
                ]), named: name, OCIPlatform(architecture: architecture, os: "linux"))
    }

    /// Adds a blob that is there already as an artifact ("manifest.md", "Guidelines for Artifact Usage").
    public mutating func addArtifact(named name: String, blob: Digest, size: UInt64) throws(VoltError) {
        let empty = Array("{}".utf8)
        let digest = SHA256Hasher.digest(of: empty)
        try Files.replace(path(of: digest), with: empty)
        try add(
            OCIManifest(
                config: OCIDescriptor(mediaType: OCIMediaType.empty, digest: digest.description, size: 2),
                layers: [
                    OCIDescriptor(mediaType: "application/octet-stream", digest: blob.description, size: size)
                ], artifactType: "application/vnd.volt.blob"), named: name, nil)
    }

    private mutating func add(_ manifest: OCIManifest, named name: String, _ platform: OCIPlatform?)
        throws(VoltError)
    {
        var descriptor = try write(manifest, OCIMediaType.manifest)
        descriptor.annotations = ["org.opencontainers.image.ref.name": name]
        descriptor.platform = platform
        manifests.append(descriptor)
    }

    /// Removes what was written, so that the directory can be used again.
    public func discard() { try? Files.removeTree("\(directory)/blobs") }

    /// Writes the index, after all else is durable.
    public func finish() throws(VoltError) {
        try Files.syncTree("\(directory)/blobs")
        try Files.replace("\(directory)/\(OCILayout.marker)", with: "{\"imageLayoutVersion\":\"1.0.0\"}".utf8)
        try Files.replace("\(directory)/index.json", with: try encode(OCIIndex(manifests: manifests)))
    }

    private func write(_ value: some Encodable, _ type: String) throws(VoltError) -> OCIDescriptor {
        let bytes = try encode(value)
        let digest = SHA256Hasher.digest(of: bytes)
        try Files.replace(path(of: digest), with: bytes)
        return OCIDescriptor(mediaType: type, digest: digest.description, size: UInt64(bytes.count))
    }

    private func encode(_ value: some Encodable) throws(VoltError) -> [UInt8] {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        do { return Array(try encoder.encode(value)) } catch {
            throw VoltError(.failed, "cannot encode a document as JSON: \(error)")
        }
    }
}
