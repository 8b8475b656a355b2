internal import ContainerTransfer
public import VoltCore
internal import VoltOCI
internal import VoltSystem

/// Pulls images from registries. What is there already is not moved again: no layer, and of an image that did not change
/// not even its manifest.
public struct ImagePuller: Sendable {
    /// What a pull made.
    public struct Outcome: Sendable {
        /// The image.
        public let image: Image
        /// The digest of its manifest, or of the index it was chosen from.
        public let manifest: String
        /// Whether it was there already.
        public let isUnchanged: Bool
        /// Layers that were fetched, and their bytes as they travelled.
        public let fetched: (layers: Int, bytes: UInt64)
        /// What was left out, for people.
        public let notes: [String]
    }

    private let store: ImageStore
    private let options: RegistryOptions
    private let helper: RegistryHelper

    /// - Parameters:
    ///   - store: where images go.
    ///   - environment: for the place of logins, and proxies.
    ///   - options: how the registry is reached.
    public init(store: ImageStore, environment: [String: String], options: RegistryOptions) {
        self.store = store
        self.options = options
        helper = RegistryHelper(environment: environment, options: options)
    }

    /// Pulls an image.
    ///
    /// - Parameters:
    ///   - name: as people write it, with the host of the registry; without one it is Docker Hub's.
    ///   - progress: told how many bytes came, of how many, on any thread.
    public func pull(
        _ name: String, progress: @escaping @Sendable (_ done: UInt64, _ total: UInt64) -> Void = { _, _ in }
    ) throws(VoltError) -> Outcome {
        let stored = try ImageReference(name).stored
        let reference = try OCIReference(name)
        return try store.using { () throws(VoltError) in
            let directory = try store.makeTemporary()
            defer { try? Files.removeTree(directory) }
            let known = try known(stored)
            var found = try look(reference, known?.record.manifest, directory)
            if let (image, record) = known, found.image == nil {
                if image.names.contains(stored) {
                    return Outcome(
                        image: image, manifest: record.manifest, isUnchanged: true, fetched: (0, 0), notes: []
                    )
                }
                // The name was taken away meanwhile: all of it is looked at again.
                found = try look(reference, nil, directory)
            }
            guard let manifest = try found.image.map({ (text) throws(VoltError) in try Digest(text) }) else {
                throw VoltError(.failed, "the helper that pulls names no image")
            }
            let layout = OCILayout(directory: directory)
            let layers = try layout.contents(architecture: OCILayout.hostArchitecture).layers
            let fetch = LayerFetch(store: store, helper: helper, reference: reference)
            let fetched = try fetch.run(layers, progress: progress)
            let outcome = try ImageImporter(store: store).importLayout(directory, as: stored)
            try remember(
                layers, manifest, in: layout, reference,
                PulledRecord(manifest: found.digest, image: outcome.image.digest, document: manifest), stored)
            return Outcome(
                image: outcome.image, manifest: found.digest, isUnchanged: false,
                fetched: (fetched.layers, fetched.bytes), notes: fetched.notes + outcome.notes)
        }
    }

    /// What is known of a name, if its image is still there.
    private func known(_ stored: String) throws(VoltError) -> (image: Image, record: PulledRecord)? {
        guard let record = store.pulledRecords()[stored], record.document != nil,
            let image = try store.image(record.image)
        else { return nil }
        return (image, record)
    }

    private func look(_ reference: OCIReference, _ known: String?, _ directory: String) throws(VoltError) -> (
        digest: String, image: String?
    ) {
        let report = try helper.run(.look(known: known, directory: directory), of: reference)
        guard case .found(let digest, let image) = report else {
            throw VoltError(.failed, "the helper that pulls answers with something that is no answer")
        }
        return (digest, image)
    }

    /// Keeps what a push will need: the documents, and what the layers are there and where.
    private func remember(
        _ layers: [OCILayout.Layer], _ manifest: Digest, in layout: OCILayout, _ reference: OCIReference,
        _ record: PulledRecord, _ stored: String
    ) throws(VoltError) {
        let source = BlobSource(
            repository: "\(reference.host)/\(reference.repository)", access: options.access)
        for layer in layers {
            guard let diffID = layer.diffID else { continue }
            try store.remember(
                LayerBlob(
                    mediaType: layer.mediaType, digest: layer.blob, size: layer.size, diffID: diffID,
                    sources: [source]), of: diffID)
        }
        let bytes = try layout.document(manifest)
        guard let config = try OCIDocument(bytes).config else { return }
        try store.keep(
            record, of: stored, documents: [bytes, try layout.document(try Digest(config.digest))])
    }
}
