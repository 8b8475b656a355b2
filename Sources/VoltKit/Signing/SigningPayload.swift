internal import FoundationEssentials
public import VoltCore
public import VoltOCI

/// What is signed: that an image of this name has this digest ("simple signing" of the containers project, in the form
/// that cosign gives it).
public struct SigningPayload: Sendable, Equatable {
    /// What kind of text it is.
    public static let type = "cosign container image signature"
    /// A payload is some hundred bytes; nobody writes a book into annotations.
    public static let longest = 64 << 10

    /// The name of the image as whoever signed it had it, such as `registry.example/team/web`; empty when the signature
    /// names none, as those in bundles.
    public var identity: String
    /// The digest of its manifest, or of the index.
    public var digest: OCIDigest
    /// Free text that is signed with it.
    public var annotations: [String: String]

    /// - Parameters: see the properties.
    public init(identity: String, digest: OCIDigest, annotations: [String: String] = [:]) {
        self.identity = identity
        self.digest = digest
        self.annotations = annotations
    }

    private struct Document: Codable {
        struct Critical: Codable {
            struct Identity: Codable {
                var reference: String
                enum CodingKeys: String, CodingKey { case reference = "docker-reference" }
            }
            struct Image: Codable {
                var digest: String
                enum CodingKeys: String, CodingKey { case digest = "docker-manifest-digest" }
            }
            var identity: Identity
            var image: Image
            var type: String
        }
        var critical: Critical
        var optional: [String: Scalar]?

        enum CodingKeys: String, CodingKey { case critical, optional }

        func encode(to encoder: any Encoder) throws {
            var container = encoder.container(keyedBy: CodingKeys.self)
            try container.encode(critical, forKey: .critical)
            // Without annotations it is there as null: some readers want the key.
            try container.encode(optional, forKey: .optional)
        }
    }

    /// A value of `optional`, of which only texts, numbers and truths are shown.
    enum Scalar: Codable {
        case text(String)
        case other

        init(from decoder: any Decoder) throws {
            let container = try decoder.singleValueContainer()
            if let text = try? container.decode(String.self) {
                self = .text(text)
            } else if let number = try? container.decode(Int64.self) {
                self = .text(String(number))
            } else if let number = try? container.decode(Double.self) {
                self = .text(String(number))
            } else if let truth = try? container.decode(Bool.self) {
                self = .text(String(truth))
            } else {
                self = .other
            }
        }

        /// Those that can be shown.
        static func texts(_ values: [String: Scalar]) -> [String: String] {
            values.compactMapValues { if case .text(let text) = $0 { text } else { nil } }
        }

        func encode(to encoder: any Encoder) throws {
            var container = encoder.singleValueContainer()
            if case .text(let text) = self { try container.encode(text) } else { try container.encodeNil() }
        }
    }

    /// The bytes that are signed: the same for the same values.
    public func encoded() throws(VoltError) -> [UInt8] {
        let document = Document(
            critical: .init(
                identity: .init(reference: identity), image: .init(digest: digest.description),
                type: Self.type
            ),
            optional: annotations.isEmpty ? nil : annotations.mapValues { .text($0) })
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        let bytes: [UInt8]
        do { bytes = Array(try encoder.encode(document)) } catch {
            throw VoltError(.failed, "cannot encode what is signed as JSON: \(error)")
        }
        guard bytes.count <= Self.longest else {
            throw VoltError(
                .usage, "the annotations have \(bytes.count) bytes, and at most \(Self.longest) are signed")
        }
        return bytes
    }

    /// Reads what was signed. Its signature is verified before.
    ///
    /// - Throws: `VoltError` with code `refused` when it is no payload, or of another kind.
    public init(_ bytes: [UInt8]) throws(VoltError) {
        guard bytes.count <= Self.longest,
            let document = try? JSONDecoder().decode(Document.self, from: Data(bytes))
        else { throw VoltError(.refused, "what was signed is no text about an image") }
        guard document.critical.type == Self.type else {
            throw VoltError(
                .refused,
                "what was signed is of type '\(document.critical.type.prefix(100))', and not '\(Self.type)'")
        }
        guard let digest = OCIDigest(parsing: document.critical.image.digest) else {
            throw VoltError(.refused, "what was signed names no digest")
        }
        self.digest = digest
        identity = document.critical.identity.reference
        annotations = Scalar.texts(document.optional ?? [:])
    }
}
