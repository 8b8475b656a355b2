internal import FoundationEssentials
public import VoltCore

/// What can be read of a manifest or an index, whoever made it and whatever else is in it.
public struct OCIDocument: Sendable {
    /// Registries must take 4 MiB and may refuse more (OCI Distribution Specification 1.1, "Pushing Manifests").
    public static let longest = 4 << 20

    /// What it says it is.
    public let mediaType: String?
    /// Of an artifact its type; an image has none.
    public let artifactType: String?
    /// The configuration, of an image or artifact.
    public let config: OCIDescriptor?
    /// The layers of an image, the blobs of an artifact.
    public let layers: [OCIDescriptor]
    /// The manifests of an index.
    public let manifests: [OCIDescriptor]
    /// What it is about.
    public let subject: OCIDescriptor?
    /// Free text by key.
    public let annotations: [String: String]?

    /// Whether it has the version that every manifest and index has, or any of their parts.
    public let saysWhatItIs: Bool

    /// The configuration and the layers.
    public var blobs: [OCIDescriptor] { (config.map { [$0] } ?? []) + layers }

    /// What the list of referrers gives as its type (OCI Distribution Specification 1.1, "Listing Referrers"): its own
    /// artifact type, else the type of its configuration.
    public var referrerType: String? {
        if let artifactType, !artifactType.isEmpty { return artifactType }
        return config?.mediaType
    }

    private struct Fields: Decodable {
        var schemaVersion: Int?
        var mediaType: String?
        var artifactType: String?
        var config: OCIDescriptor?
        var layers: [OCIDescriptor]?
        var blobs: [OCIDescriptor]?
        var manifests: [OCIDescriptor]?
        var subject: OCIDescriptor?
        var annotations: [String: String]?
    }

    /// Reads a document.
    ///
    /// - Throws: `VoltError` with code `usage` that says what is wrong.
    public init(_ bytes: [UInt8]) throws(VoltError) {
        guard bytes.count <= Self.longest else {
            throw VoltError(
                .usage, "a manifest has at most \(Self.longest >> 20) MiB, this one \(bytes.count) bytes")
        }
        let fields: Fields
        do { fields = try JSONDecoder().decode(Fields.self, from: Data(bytes)) } catch {
            throw VoltError(
                .usage, "the manifest is not JSON of the form that it must have: \(Self.reason(error))")
        }
        if let version = fields.schemaVersion, version != 2 {
            throw VoltError(
                .usage, "the manifest is of schema version \(version), and only 2 is supported",
                hint: "push the image anew with a tool of these days")
        }
        saysWhatItIs =
            fields.schemaVersion != nil || fields.config != nil || fields.layers != nil
            || fields.manifests != nil
        mediaType = fields.mediaType
        artifactType = fields.artifactType
        config = fields.config
        // The artifact manifest of the drafts of 1.1 has "blobs".
        layers = fields.layers ?? fields.blobs ?? []
        manifests = fields.manifests ?? []
        subject = fields.subject
        annotations = fields.annotations
        for descriptor in blobs + manifests + (subject.map { [$0] } ?? []) {
            guard descriptor.digest.utf8.count <= 256 else {
                throw VoltError(
                    .usage,
                    "the manifest names something by a digest of \(descriptor.digest.utf8.count) bytes")
            }
        }
    }

    private static func reason(_ error: any Error) -> String {
        func place(_ context: DecodingError.Context) -> String {
            let path = context.codingPath.map { $0.intValue.map(String.init) ?? $0.stringValue }
            return path.isEmpty ? "" : " at '\(path.joined(separator: ".").prefix(200))'"
        }
        switch error {
        case DecodingError.keyNotFound(let key, let context):
            return "'\(key.stringValue.prefix(100))' is missing" + place(context)
        case DecodingError.typeMismatch(_, let context):
            return "the value\(place(context)) is of another type"
        case DecodingError.valueNotFound(_, let context): return "the value\(place(context)) is null"
        default: return "it cannot be read"
        }
    }
}
