internal import ContainerTransfer
internal import VoltArchive
public import VoltCore
internal import VoltCrypto
internal import VoltOCI
internal import VoltSystem

/// Pushes images to registries. What was pulled goes as it came, byte by byte; what was made here is made into the same
/// bytes each time. See docs/decisions/pushed-layers.md.
public struct ImagePusher: Sendable {
    /// How layers are compressed.
    public enum Compression: String, Sendable, CaseIterable {
        case gzip
        case zstd
        case none
    }

    /// What a push did.
    public struct Outcome: Sendable {
        /// The image.
        public let image: Image
        /// Where it is, `HOST/REPOSITORY:TAG`.
        public let reference: String
        /// The digest of its manifest there.
        public let digest: Digest
        /// Whether the registry had all of it under that name.
        public let isUnchanged: Bool
        /// Layers and configurations that were sent, and their bytes.
        public let sent: (blobs: Int, bytes: UInt64)
        /// Those that were there, or that the registry took from another repository.
        public let kept: Int
        /// What is not in it, for people.
        public let notes: [String]
    }

    private let store: ImageStore
    private let options: RegistryOptions
    private let helper: RegistryHelper

    /// - Parameters:
    ///   - store: where images are.
    ///   - environment: for the place of logins, and proxies.
    ///   - options: how the registry is reached.
    public init(store: ImageStore, environment: [String: String], options: RegistryOptions) {
        self.store = store
        self.options = options
        helper = RegistryHelper(environment: environment, options: options)
    }

    /// Pushes an image.
    ///
    /// - Parameters:
    ///   - name: of the image here.
    ///   - destination: `HOST/REPOSITORY:TAG`; nil for the name of the image.
    ///   - compression: all layers are made anew in this way, which gives a pulled image another digest; nil leaves those
    ///     that were pulled as they came, and makes the others with gzip.
    ///   - progress: told how many bytes are there, of how many.
    public func push(
        _ name: String, to destination: String?, compression: Compression? = nil,
        progress: (_ done: UInt64, _ total: UInt64) -> Void = { _, _ in }
    ) throws(VoltError) -> Outcome {
        let reference = try Self.reference(name, destination)
        let compression = compression.flatMap { LayerCompression(rawValue: $0.rawValue) }
        return try store.using { () throws(VoltError) in
            let image = try store.resolve(name)
            let directory = try store.makeTemporary()
            defer { try? Files.removeTree(directory) }
            try Files.makeDirectory("\(directory)/blobs/sha256")
            let stored = (try? ImageReference(name).stored) ?? name
            var pushed = try PushedImage(
                image, documents: try store.documents(of: image.digest, named: stored), compression, store,
                directory)
            for _ in 0..<3 {
                let manifest = try pushed.writeDocuments()
                let task = RegistryRequest.Task.push(
                    manifest: manifest.description, blobs: try pushed.blobs(), directory: directory)
                switch try helper.run(task, of: reference, progress: progress) {
                case .pushed(let totals):
                    try pushed.remember(
                        BlobSource(
                            repository: "\(reference.host)/\(reference.repository)", access: options.access))
                    return Outcome(
                        image: image, reference: reference.description, digest: manifest,
                        isUnchanged: totals.isUnchanged, sent: (totals.blobs, totals.bytes),
                        kept: totals.kept, notes: pushed.notes)
                case .missing(let reasons): try pushed.make(missing: reasons)
                default:
                    throw VoltError(
                        .failed, "the helper that pushes answers with something that is no answer")
                }
            }
            throw VoltError(
                .tryAgain, "'\(reference.host)' loses what is pushed to it", hint: "run the command again")
        }
    }

    private static func reference(_ name: String, _ destination: String?) throws(VoltError) -> OCIReference {
        guard destination != nil || ImageSource.hasHost(name) else {
            throw VoltError(
                .usage, "'\(name)' does not say which registry it is pushed to",
                hint: "write 'volt container push \(name) HOST/REPOSITORY:TAG'")
        }
        var reference = try OCIReference(destination ?? name)
        guard reference.digest == nil else {
            throw VoltError(
                .usage, "'\(reference)' is no destination: what is pushed has its own digest",
                hint: "write HOST/REPOSITORY:TAG")
        }
        if reference.tag == nil { reference.tag = try OCITagName("latest") }
        return reference
    }
}
