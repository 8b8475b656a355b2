internal import FoundationEssentials
public import VoltCore
internal import VoltOCI
internal import VoltSystem

/// Pulls images from registries. What is there already is not moved again: no layer, and of an image that did not change
/// not even its manifest.
public struct ImagePuller: Sendable {
    /// How the registry is reached.
    public struct Options: Sendable {
        /// Whether plain HTTP is spoken with hosts other than this one.
        public var isPlain = false
        /// A PEM file with authorities to trust; nil for those of the system.
        public var caFile: String?
        /// The file with logins; nil for Docker's.
        public var authFile: String?

        /// The options above.
        public init() {}
    }

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
    private let environment: [String: String]
    private let options: Options

    /// - Parameters:
    ///   - store: where images go.
    ///   - environment: for the place of logins, and proxies.
    ///   - options: how the registry is reached.
    public init(store: ImageStore, environment: [String: String], options: Options) {
        self.store = store
        self.environment = environment
        self.options = options
    }

    /// What was pulled, by the name it was pulled by.
    private struct Pulled: Codable {
        var manifest: String
        var image: Digest
    }

    private struct Request: Encodable {
        var reference: String
        var directory: String
        var known: String?
        var blobs: [OCIDescriptor]?
        var isPlain: Bool
        var caFile: String?
        var authFile: String?
    }

    private struct Answer: Decodable {
        var digest: String
    }

    private var recordPath: String { "\(store.root)/pulled.json" }

    /// Pulls an image.
    ///
    /// - Parameter name: as people write it, with the host of the registry; without one it is Docker Hub's.
    public func pull(_ name: String) throws(VoltError) -> Outcome {
        let stored = try ImageReference(name).stored
        let reference = try OCIReference(name)
        return try store.using { () throws(VoltError) in
            let records = (try? JSONFile.read([String: Pulled].self, recordPath)) ?? [:]
            let known = try records[stored].flatMap { (record) throws(VoltError) in
                try store.image(record.image).map { ($0, record) }
            }
            let directory = try store.makeTemporary()
            defer { try? Files.removeTree(directory) }
            var request = Request(
                reference: reference.description, directory: directory, known: known?.1.manifest,
                isPlain: options.isPlain, caFile: options.caFile, authFile: options.authFile)
            let output = try run(request)
            guard let answer = try? JSONDecoder().decode(Answer.self, from: Data(output)) else {
                throw VoltError(.failed, "the helper that pulls answers with something that is no answer")
            }
            if let (image, record) = known, record.manifest == answer.digest, image.names.contains(stored) {
                return Outcome(
                    image: image, manifest: answer.digest, isUnchanged: true, fetched: (0, 0), notes: [])
            }
            if known?.1.manifest == answer.digest {
                // The name was taken away meanwhile: all of it is looked at again.
                request.known = nil
                _ = try run(request)
            }
            let layout = OCILayout(directory: directory)
            let layers = try layout.contents(architecture: OCILayout.hostArchitecture).layers
            let missing = layers.filter { layer in layer.diffID.map { !store.hasLayer($0) } ?? true }
            if !missing.isEmpty {
                request.blobs = missing.map {
                    OCIDescriptor(mediaType: $0.mediaType, digest: $0.blob.description, size: $0.size)
                }
                _ = try run(request)
            }
            let outcome = try ImageImporter(store: store).importLayout(directory, as: stored)
            // Read again: others pull at the same time.
            var all = (try? JSONFile.read([String: Pulled].self, recordPath)) ?? [:]
            all[stored] = Pulled(manifest: answer.digest, image: outcome.image.digest)
            try JSONFile.write(all, recordPath)
            return Outcome(
                image: outcome.image, manifest: answer.digest, isUnchanged: false,
                fetched: (missing.count, missing.reduce(0) { $0 &+ $1.size }), notes: outcome.notes)
        }
    }

    private func run(_ request: Request) throws(VoltError) -> [UInt8] {
        let program = ChildProgram(
            executable: try Processes.helper("volt-container--pull"), environment: environment)
        let input = try JSONFile.encode(request)
        // As long as something comes: the helper itself ends what stands still.
        let result = try program.capture([], input: input, limit: 1 << 20, time: .seconds(86_400))
        guard result.status == 0 else {
            let lines = result.stderr.split(separator: "\n", maxSplits: 1)
            throw VoltError(
                ExitCode(rawValue: result.status) ?? .failed,
                lines.first.map(String.init) ?? "the helper that pulls ended with \(result.status)",
                hint: lines.count > 1 ? String(lines[1].filter { !$0.isNewline }) : nil)
        }
        return result.stdout
    }
}
