internal import ContainerTransfer
internal import VoltArchive
internal import VoltCore
internal import VoltCrypto
internal import VoltOCI
internal import VoltSystem

/// An image as it goes to a registry.
struct PushedImage {
    private struct Part {
        /// Its name here.
        let layer: Digest
        var blob: LayerBlob
    }

    private let image: Image
    private let store: ImageStore
    /// An OCI image layout to be, for what is made.
    private let directory: String
    private let compression: LayerCompression?
    private let documents: ImageDocuments?
    /// The lowest first.
    private var parts: [Part] = []
    /// What is not in what is pushed, for people.
    private(set) var notes: [String] = []

    /// Layers of which nothing is known that a registry would have are made.
    ///
    /// - Parameter documents: when the image was pulled.
    init(
        _ image: Image, documents: ImageDocuments?, _ compression: LayerCompression?, _ store: ImageStore,
        _ directory: String
    ) throws(VoltError) {
        self.image = image
        self.documents = documents
        self.compression = compression
        self.store = store
        self.directory = directory
        let came = compression == nil ? documents?.descriptors.layers : nil
        for (index, layer) in image.layers.enumerated() {
            let known = try store.layerInformation(layer).blobs ?? []
            if let came, index < came.count {
                let digest = try Digest(came[index].digest)
                let blob = known.first { $0.digest == digest }
                let plain = LayerBlob(
                    mediaType: came[index].mediaType ?? OCIMediaType.layer, digest: digest,
                    size: came[index].size, diffID: layer)
                parts.append(Part(layer: layer, blob: blob ?? plain))
                continue
            }
            let fitting =
                compression == nil
                ? known.first { $0.made == nil } ?? known.first { $0.made == .gzip }
                : known.first { $0.made == compression }
            if let fitting {
                parts.append(Part(layer: layer, blob: fitting))
            } else {
                parts.append(Part(layer: layer, blob: try make(layer)))
            }
        }
    }

    private mutating func make(_ layer: Digest) throws(VoltError) -> LayerBlob {
        let left = try store.layerInformation(layer).skipped
        if left > 0 {
            notes.append(
                "layer \(layer.short) lacks \(left) files, such as device nodes, which were left out when it came"
            )
        }
        let path = "\(directory)/blobs/incoming"
        let blob = try store.makeBlob(of: layer, compression ?? .gzip, at: path)
        try Files.move(path, self.path(blob.digest))
        return blob
    }

    private func path(_ blob: Digest) -> String { "\(directory)/\(OCILayout.path(of: blob))" }

    /// Makes the layers again that are nowhere.
    mutating func make(missing: [String: String]) throws(VoltError) {
        for index in parts.indices {
            let blob = parts[index].blob
            guard let reason = missing[blob.digest.description], !Files.exists(path(blob.digest)) else {
                continue
            }
            guard blob.made != nil else {
                throw VoltError(
                    .notFound, "layer '\(blob.digest)' is not to be had as it was: \(reason)",
                    hint:
                        "pull the image again from where it is, or make its layers anew with --compression gzip, which gives it another digest"
                )
            }
            var made = try make(parts[index].layer)
            made.sources = made.digest == blob.digest ? blob.sources : []
            parts[index].blob = made
        }
    }

    /// Writes the manifest and the configuration into the layout.
    ///
    /// - Returns: the digest of the manifest.
    func writeDocuments() throws(VoltError) -> Digest {
        if compression == nil, let documents {
            _ = try write(documents.config)
            return try write(documents.manifest)
        }
        let config = try configuration()
        let manifest = OCIManifest(
            config: OCIDescriptor(
                mediaType: OCIMediaType.config, digest: try write(config).description,
                size: UInt64(config.count)), layers: parts.map(\.blob.descriptor))
        return try write(try JSONFile.encode(manifest))
    }

    private func write(_ bytes: [UInt8]) throws(VoltError) -> Digest {
        let digest = SHA256Hasher.digest(of: bytes)
        try Files.replaceUnsynced(path(digest), with: bytes)
        return digest
    }

    private func configuration() throws(VoltError) -> [UInt8] {
        if let documents {
            return try OCIConfig.replacingLayers(
                of: documents.config, by: parts.map { OCIDigest($0.blob.diffID) })
        }
        let layers = OCIConfig.RootFS(diffIDs: parts.map(\.blob.diffID.description))
        return try JSONFile.encode(
            OCIConfig(
                architecture: OCILayout.hostArchitecture, os: "linux", created: image.created.description,
                config: image.config.oci, rootfs: layers))
    }

    /// What the manifest names.
    func blobs() throws(VoltError) -> [PushedBlob] {
        let digest = try writeDocuments()
        let bytes = try Files.read(path(digest))
        var sources: [String: [BlobSource]] = [:]
        for part in parts { sources[part.blob.digest.description] = part.blob.sources }
        return try OCIDocument(bytes).blobs.map {
            PushedBlob(descriptor: $0, sources: sources[$0.digest] ?? [])
        }
    }

    /// Keeps in mind that a repository has the layers now.
    func remember(_ source: BlobSource) throws(VoltError) {
        for part in parts {
            var blob = part.blob
            blob.sources = [source]
            try store.remember(blob, of: part.layer)
        }
    }
}

extension ImageConfig {
    /// In the words of OCI.
    fileprivate var oci: OCIConfig.Container {
        func some<Items: Collection>(_ items: Items) -> Items? { items.isEmpty ? nil : items }
        return OCIConfig.Container(
            entrypoint: some(entrypoint), command: some(command), environment: some(environment),
            workingDirectory: some(workingDirectory), user: some(user),
            ports: some(
                Dictionary(
                    exposedPorts.map { ($0, OCIConfig.Empty()) }, uniquingKeysWith: { first, _ in first })),
            labels: some(labels), stopSignal: stopSignal)
    }
}
