internal import ContainerTransfer
public import VoltCore
internal import VoltCrypto
internal import VoltOCI
internal import VoltSigning
internal import VoltSystem
internal import VoltTrust

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
        /// The fingerprints of the keys that signed it, among those that the trust policy wants.
        public let signedBy: [Digest]
        /// Layers that were fetched, and their bytes as they travelled.
        public let fetched: (layers: Int, bytes: UInt64)
        /// What was left out, for people.
        public let notes: [String]
    }

    private let store: ImageStore
    private let options: RegistryOptions
    private let helper: RegistryHelper
    private let trust: ImageTrust

    /// - Parameters:
    ///   - store: where images go.
    ///   - environment: for the place of logins, and proxies.
    ///   - options: how the registry is reached.
    ///   - trust: which images are taken.
    public init(
        store: ImageStore, environment: [String: String], options: RegistryOptions, trust: ImageTrust
    ) {
        self.store = store
        self.options = options
        self.trust = trust
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
        let decision = try trust.decision(reference)
        if case .refuse(let rule) = decision { throw TrustPolicy.refusal(of: name, rule: rule) }
        return try store.using { () throws(VoltError) in
            let directory = try store.makeTemporary()
            defer { try? Files.removeTree(directory) }
            let known = try known(stored)
            var wanted: WantedSignatures?
            if case .signed(let requirement) = decision { wanted = WantedSignatures(requirement) }
            var found = try look(reference, known?.record.manifest, wanted, directory)
            if case .signed(let requirement) = decision {
                guard PulledImage.meets(requirement, found.signatures) else {
                    throw requirement.refusal(of: name, found: found.problem ?? "it has no signature")
                }
            }
            let signatures = found.signatures
            func record(_ image: Digest, _ document: Digest?) -> PulledImage {
                PulledImage(
                    manifest: found.digest, image: image, signatures: signatures, document: document)
            }
            // From here on it is this digest, whatever its tag becomes meanwhile.
            let pinned = try OCIReference("\(reference.host)/\(reference.repository)@\(found.digest)")
            if let (image, before) = known, found.image == nil {
                if image.names.contains(stored) {
                    let record = record(image.digest, before.document)
                    try store.record(record, as: stored)
                    return Outcome(
                        image: image, manifest: found.digest, isUnchanged: true, signedBy: record.signedBy,
                        fetched: (0, 0), notes: [])
                }
                // The name was taken away meanwhile: all of it is looked at again.
                found = try look(pinned, nil, nil, directory)
            }
            guard let manifest = try found.image.map({ (text) throws(VoltError) in try Digest(text) }) else {
                throw VoltError(.failed, "the helper that pulls names no image")
            }
            let layout = OCILayout(directory: directory)
            let layers = try Self.naming(pinned) { () throws(VoltError) in
                try layout.contents(architecture: OCILayout.hostArchitecture).layers
            }
            let fetch = LayerFetch(store: store, helper: helper, reference: pinned)
            let fetched = try fetch.run(layers, progress: progress)
            let outcome = try Self.naming(pinned) { () throws(VoltError) in
                try ImageImporter(store: store).importLayout(directory, as: stored)
            }
            let record = record(outcome.image.digest, manifest)
            try remember(layers, manifest, in: layout, reference, record, stored)
            return Outcome(
                image: outcome.image, manifest: found.digest, isUnchanged: false, signedBy: record.signedBy,
                fetched: (fetched.layers, fetched.bytes), notes: fetched.notes + outcome.notes)
        }
    }

    /// What is wrong with the documents of an image is no wrong usage: the error names the image as its registry has it.
    private static func naming<Value>(
        _ reference: OCIReference, _ body: () throws(VoltError) -> Value
    ) throws(VoltError) -> Value {
        do throws(VoltError) { return try body() } catch {
            guard error.code == .usage || error.code == .failed else { throw error }
            throw VoltError(
                .failed, "image '\(reference)' cannot be used: \(error.message)",
                hint: "it is so at the registry: push it again from where it was built")
        }
    }

    /// What is known of a name, if its image is still there.
    private func known(_ stored: String) throws(VoltError) -> (image: Image, record: PulledImage)? {
        guard let record = store.pulled()[stored], record.document != nil,
            let image = try store.image(record.image)
        else { return nil }
        return (image, record)
    }

    private struct Found {
        var digest: String
        var image: String?
        var signatures: [PulledImage.Signature]?
        var problem: String?
    }

    private func look(
        _ reference: OCIReference, _ known: String?, _ wanted: WantedSignatures?, _ directory: String
    ) throws(VoltError) -> Found {
        let task = RegistryRequest.Task.look(known: known, directory: directory, wanted: wanted)
        guard
            case .found(let digest, let image, let signatures, let problem) = try helper.run(
                task, of: reference),
            OCIDigest(parsing: digest) != nil
        else {
            throw VoltError(.failed, "the helper that pulls answers with something that is no answer")
        }
        var good: [PulledImage.Signature]?
        for signature in signatures ?? [] {
            good =
                (good ?? []) + [
                    PulledImage.Signature(
                        fingerprint: try Digest(signature.fingerprint), identity: signature.identity)
                ]
        }
        return Found(digest: digest, image: image, signatures: good, problem: problem)
    }

    /// Keeps what a push will need: the documents, and what the layers are there and where.
    private func remember(
        _ layers: [OCILayout.Layer], _ manifest: Digest, in layout: OCILayout, _ reference: OCIReference,
        _ record: PulledImage, _ stored: String
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

extension WantedSignatures {
    init(_ requirement: TrustPolicy.Requirement) {
        let keys = requirement.keys.map {
            Key(name: $0.name, pem: String(decoding: $0.key.pem, as: UTF8.self))
        }
        switch requirement.identity {
        case .any: self.init(keys: keys, identity: nil)
        case .repository(let name): self.init(keys: keys, identity: name)
        }
    }
}
