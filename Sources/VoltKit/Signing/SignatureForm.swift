internal import FoundationEssentials
public import VoltCore
public import VoltOCI

/// How signatures lie in a registry: as cosign puts them there ("SIGNATURE_SPEC.md" of the sigstore project).
public enum SignatureForm {
    /// A layer whose bytes were signed.
    public static let payloadType = "application/vnd.dev.cosign.simplesigning.v1+json"
    /// A manifest of signatures that is about the image (OCI 1.1).
    public static let artifactType = "application/vnd.dev.cosign.artifact.sig.v1+json"
    /// The annotation of a layer that has the signature.
    public static let signatureKey = "dev.cosignproject.cosign/signature"
    /// RSA of 8192 bits has 1368 letters.
    public static let longestSignature = 4096

    /// The tag beside which all signatures of a digest lie where nothing is asked for referrers: `sha256-HEX.sig`.
    public static func tag(of digest: OCIDigest) throws(VoltError) -> OCITagName {
        guard let tag = OCITagName(parsing: "\(digest.algorithm.rawValue)-\(digest.hex).sig") else {
            throw VoltError(
                .usage, "'\(digest)' is too long for the tag that has its signatures",
                hint: "push the image with a SHA-256 digest")
        }
        return tag
    }

    /// The layer of a payload with its signature.
    public static func layer(payload: [UInt8], signature: String) -> OCIDescriptor {
        descriptor(OCIDigest.of(payload).description, UInt64(payload.count), signature: signature)
    }

    /// The same of a payload that is a blob; equal ones are the same signature.
    public static func descriptor(_ payload: String, _ size: UInt64, signature: String) -> OCIDescriptor {
        OCIDescriptor(
            mediaType: payloadType, digest: payload, size: size, annotations: [signatureKey: signature])
    }

    /// The configuration of a manifest of signatures: that of an image which says nothing but its layers.
    public static func configuration(of layers: [OCIDescriptor]) throws(VoltError) -> [UInt8] {
        try encode(
            SignatureConfiguration(
                history: layers.map { _ in .init() },
                rootfs: .init(diffIDs: layers.map(\.digest))))
    }

    /// A manifest of signatures.
    ///
    /// - Parameter subject: what they are about; nil for the manifest below the tag.
    public static func manifest(layers: [OCIDescriptor], configuration: [UInt8], subject: OCIDescriptor?)
        throws(VoltError) -> [UInt8]
    {
        let config = OCIDescriptor(
            mediaType: subject == nil ? OCIMediaType.config : artifactType,
            digest: OCIDigest.of(configuration).description, size: UInt64(configuration.count))
        return try encode(
            OCIManifest(
                config: config, layers: layers, artifactType: subject == nil ? nil : artifactType,
                subject: subject))
    }

    private static func encode(_ value: some Encodable) throws(VoltError) -> [UInt8] {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        do { return Array(try encoder.encode(value)) } catch {
            throw VoltError(.failed, "cannot encode a document as JSON: \(error)")
        }
    }
}

/// An image configuration that says nothing but its layers.
private struct SignatureConfiguration: Encodable {
    struct Entry: Encodable { let created = "0001-01-01T00:00:00Z" }
    struct RootFS: Encodable {
        let type: String
        let diffIDs: [String]

        init(diffIDs: [String]) {
            type = "layers"
            self.diffIDs = diffIDs
        }

        enum CodingKeys: String, CodingKey { case type, diffIDs = "diff_ids" }
    }
    struct Empty: Encodable {}

    let architecture = ""
    let config = Empty()
    let created = "0001-01-01T00:00:00Z"
    let history: [Entry]
    let os = ""
    let rootfs: RootFS
}
