internal import FoundationEssentials
internal import VoltCore
internal import VoltOCI

/// A manifest as it was pushed, byte by byte.
struct StoredManifest: Sendable {
    /// The digest that it was asked for or tagged by.
    let digest: OCIDigest
    let mediaType: String
    let bytes: [UInt8]
}

/// What a reference names: a digest, or a tag.
enum ManifestReference: Sendable {
    case digest(OCIDigest)
    case tag(OCITagName)

    /// As a client writes it.
    var text: String {
        switch self {
        case .digest(let digest): digest.description
        case .tag(let tag): tag.description
        }
    }
}

/// What was wrong with a manifest: an answer of the registry.
struct ManifestRefusal: Error {
    let errors: [RegistryError]
}

/// The rules for what a manifest names, wherever it is kept.
enum ManifestRules {
    /// The blobs that a manifest names and that have to be where it is.
    static func blobs(_ document: OCIDocument) -> [OCIDigest] {
        // What can be had elsewhere need not be here ("descriptor.md", `urls`).
        document.blobs.filter { $0.urls?.isEmpty ?? true }.compactMap { OCIDigest(parsing: $0.digest) }
    }

    /// The same; what it names has to be named by digests.
    ///
    /// - Throws: `ManifestRefusal`.
    static func needs(_ document: OCIDocument) throws -> [OCIDigest] {
        var errors: [RegistryError] = []
        for descriptor in document.blobs where descriptor.urls?.isEmpty ?? true {
            if OCIDigest(parsing: descriptor.digest) == nil {
                errors.append(.digestInvalid(descriptor.digest))
            }
            if errors.count >= 32 { break }
        }
        for descriptor in document.manifests + (document.subject.map { [$0] } ?? [])
        where OCIDigest(parsing: descriptor.digest) == nil {
            errors.append(.digestInvalid(descriptor.digest))
            if errors.count >= 32 { break }
        }
        if !errors.isEmpty { throw ManifestRefusal(errors: errors) }
        return blobs(document)
    }

    /// What the list of what is about others has of a manifest.
    static func referrer(
        _ bytes: [UInt8], _ document: OCIDocument, _ mediaType: String, _ digest: OCIDigest
    ) throws -> [UInt8] {
        let descriptor = OCIDescriptor(
            mediaType: mediaType, digest: digest.description, size: UInt64(bytes.count),
            annotations: document.annotations, artifactType: document.referrerType)
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        let json = Array(try encoder.encode(descriptor))
        if json.count < 1 << 20 { return json }
        // Texts of this size belong into a blob: one of them would fill a page.
        var plain = descriptor
        plain.annotations = nil
        return Array(try encoder.encode(plain))
    }
}

/// As much of a list of referrers as an answer has.
struct ReferrersPage {
    private(set) var descriptors: [OCIDescriptor] = []
    /// Whether there are more.
    private(set) var isCut = false
    private var size = 0

    /// A list is a manifest, and no larger than one.
    private static let limit = OCIDocument.longest * 3 / 4

    /// Adds a descriptor, when it is of the type.
    ///
    /// - Returns: false when there is no more room: it belongs to the next page.
    mutating func add(_ bytes: [UInt8], type: String?) -> Bool {
        guard let descriptor = try? JSONDecoder().decode(OCIDescriptor.self, from: Data(bytes)),
            type == nil || descriptor.artifactType == type
        else { return true }
        return add(descriptor, size: bytes.count)
    }

    mutating func add(_ descriptor: OCIDescriptor, size count: Int) -> Bool {
        size += count + 2
        // One at least, or the list would never end.
        guard descriptors.isEmpty || size < Self.limit else {
            isCut = true
            return false
        }
        descriptors.append(descriptor)
        return true
    }
}
