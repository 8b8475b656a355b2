internal import FoundationEssentials
public import VoltCore
internal import VoltCrypto
internal import VoltOCI
internal import VoltSigning
internal import VoltSystem
internal import VoltTrust

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
        /// The fingerprints of the keys that signed it, among those that the trust policy wants.
        public let signedBy: [Digest]
        /// Layers that were fetched, and their bytes as they travelled.
        public let fetched: (layers: Int, bytes: UInt64)
        /// What was left out, for people.
        public let notes: [String]
    }

    private let store: ImageStore
    private let environment: [String: String]
    private let options: Options
    private let trust: ImageTrust

    /// - Parameters:
    ///   - store: where images go.
    ///   - environment: for the place of logins, and proxies.
    ///   - options: how the registry is reached.
    ///   - trust: which images are taken.
    public init(store: ImageStore, environment: [String: String], options: Options, trust: ImageTrust) {
        self.store = store
        self.environment = environment
        self.options = options
        self.trust = trust
    }

    /// Which signatures are wanted.
    private struct Wanted: Encodable {
        struct Key: Encodable {
            var name: String
            var pem: String
        }
        var keys: [Key]
        /// The name that must have been signed; nil for any.
        var identity: String?

        init(_ requirement: TrustPolicy.Requirement) {
            keys = requirement.keys.map {
                Key(name: $0.name, pem: String(decoding: $0.key.pem, as: UTF8.self))
            }
            switch requirement.identity {
            case .any: identity = nil
            case .repository(let name): identity = name
            }
        }
    }

    private struct Request: Encodable {
        var reference: String
        var directory: String
        var known: String?
        var blobs: [OCIDescriptor]?
        var isPlain: Bool
        var caFile: String?
        var authFile: String?
        var wanted: Wanted?
    }

    private struct Answer: Decodable {
        var digest: String
        /// Those that are as wanted; nil when none were asked for.
        var signatures: [PulledImage.Signature]?
        /// What was found when none is as wanted.
        var found: String?

        var signedBy: [Digest] { signatures?.map(\.fingerprint) ?? [] }

        func pulled(_ image: Digest) -> PulledImage {
            PulledImage(manifest: digest, image: image, signatures: signatures)
        }
    }

    /// Pulls an image.
    ///
    /// - Parameter name: as people write it, with the host of the registry; without one it is Docker Hub's.
    public func pull(_ name: String) throws(VoltError) -> Outcome {
        let stored = try ImageReference(name).stored
        let reference = try OCIReference(name)
        let decision = try trust.decision(reference)
        if case .refuse(let rule) = decision { throw TrustPolicy.refusal(of: name, rule: rule) }
        return try store.using { () throws(VoltError) in
            let known = try store.pulled()[stored].flatMap { (record) throws(VoltError) in
                try store.image(record.image).map { ($0, record) }
            }
            let directory = try store.makeTemporary()
            defer { try? Files.removeTree(directory) }
            var request = Request(
                reference: reference.description, directory: directory, known: known?.1.manifest,
                isPlain: options.isPlain, caFile: options.caFile, authFile: options.authFile)
            if case .signed(let requirement) = decision { request.wanted = Wanted(requirement) }
            let output = try run(request)
            guard let answer = try? JSONDecoder().decode(Answer.self, from: Data(output)),
                let digest = OCIDigest(parsing: answer.digest)
            else {
                throw VoltError(.failed, "the helper that pulls answers with something that is no answer")
            }
            if case .signed(let requirement) = decision {
                guard PulledImage.meets(requirement, answer.signatures) else {
                    throw requirement.refusal(of: name, found: answer.found ?? "it has no signature")
                }
            }
            // From here on it is this digest, whatever its tag becomes meanwhile.
            request.reference = "\(reference.host)/\(reference.repository)@\(digest)"
            request.wanted = nil
            if let (image, record) = known, record.manifest == answer.digest, image.names.contains(stored) {
                try store.record(answer.pulled(image.digest), as: stored)
                return Outcome(
                    image: image, manifest: answer.digest, isUnchanged: true, signedBy: answer.signedBy,
                    fetched: (0, 0), notes: [])
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
            try store.record(answer.pulled(outcome.image.digest), as: stored)
            return Outcome(
                image: outcome.image, manifest: answer.digest, isUnchanged: false, signedBy: answer.signedBy,
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
