internal import ContainerTransfer
internal import VoltArchive
internal import VoltCore
internal import VoltOCI
internal import VoltStore
internal import VoltSystem

/// A layer as registries have it. Its bytes are not kept here: see docs/decisions/pushed-layers.md.
struct LayerBlob: Codable, Sendable, Equatable {
    /// What it is, such as `application/vnd.oci.image.layer.v1.tar+gzip`.
    var mediaType: String
    /// Of its bytes.
    var digest: Digest
    /// Their number.
    var size: UInt64
    /// Its digest without compression.
    var diffID: Digest
    /// Of one that was made here: how.
    var made: LayerCompression?
    /// Where it is, the last one that was heard of first.
    var sources: [BlobSource] = []

    /// The most sources that are remembered.
    static let mostSources = 8

    /// How a manifest names it, in the words of OCI.
    var descriptor: OCIDescriptor {
        OCIDescriptor(mediaType: Self.type(mediaType), digest: digest.description, size: size)
    }

    /// Docker's names for the types of layers in OCI's words: a manifest has one or the other.
    private static func type(_ mediaType: String) -> String {
        switch mediaType {
        case "application/vnd.docker.image.rootfs.diff.tar.gzip": "\(OCIMediaType.layer)+gzip"
        case "application/vnd.docker.image.rootfs.diff.tar.zstd": "\(OCIMediaType.layer)+zstd"
        case "application/vnd.docker.image.rootfs.diff.tar": OCIMediaType.layer
        default: mediaType
        }
    }
}

extension LayerCompression {
    /// The type of a layer that is compressed so.
    var mediaType: String { self == .none ? OCIMediaType.layer : "\(OCIMediaType.layer)+\(rawValue)" }
}

extension ImageStore {
    /// The tags of trees that exist only while an archive is made of them.
    static let pushPrefix = "push/"

    /// Remembers what registries have of a layer, and where.
    func remember(_ blob: LayerBlob, of layer: Digest) throws(VoltError) {
        try locked { () throws(VoltError) in
            var information = try layerInformation(layer)
            var blobs = information.blobs ?? []
            var blob = blob
            if let index = blobs.firstIndex(where: { $0.digest == blob.digest }) {
                let old = blobs[index]
                // What came from elsewhere is what it is, though the same could be made here.
                if old.made == nil { blob.made = nil }
                let more = old.sources.filter { source in
                    !blob.sources.contains { $0.repository == source.repository }
                }
                blob.sources = Array((blob.sources + more).prefix(LayerBlob.mostSources))
                if blob == old { return }
                blobs[index] = blob
            } else {
                // Another version of libarchive made it: the same way of making gives one blob.
                if blob.made != nil { blobs.removeAll { $0.made == blob.made } }
                blobs.append(blob)
            }
            information.blobs = blobs
            try JSONFile.write(information, "\(layerPath(layer)).json")
        }
    }

    /// Makes a layer as registries have it: the names in the order of the tree, so that it is the same whenever it is made.
    ///
    /// - Parameter path: the file that it is written to.
    func makeBlob(of layer: Digest, _ compression: LayerCompression, at path: String) throws(VoltError)
        -> LayerBlob
    {
        let contents = try contents()
        let information = try layerInformation(layer)
        return try Self.inStore {
            if let tree = information.tree {
                return try LayerArchive.write(tree, of: contents, compression, to: path)
            }
            // A directory, on a host that cannot mount trees: as a tree its names have the same order.
            var options = IngestOptions()
            options.representation = .bare
            options.keepsOverlayMarks = true
            options.usesCache = false
            let tag = "\(Self.pushPrefix)\(layer.hex)-\(UInt64.random(in: 0...UInt64.max))"
            let tree = try contents.addTree(layerPath(layer), options: options, tag: tag).digest
            defer {
                try? contents.removeTag(tag)
                // When another one is under way already, that one or the next takes it.
                _ = try? contents.collectGarbage(grace: .zero)
            }
            return try LayerArchive.write(tree, of: contents, compression, to: path)
        }
    }
}
