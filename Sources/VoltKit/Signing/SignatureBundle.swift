internal import FoundationEssentials
public import VoltCore
internal import VoltCrypto
internal import VoltOCI

/// A signature as cosign 3 writes it: an in-toto statement in a DSSE envelope in a sigstore bundle.
///
/// Of a bundle the envelope alone is looked at: a key is trusted by its rule, and not by a certificate or a log.
public enum SignatureBundle {
    /// Bundles with the proofs of a log have some kilobytes.
    public static let longest = 64 << 10
    /// The start of the types of bundles, of the layer as of the artifact.
    public static let type = "application/vnd.dev.sigstore.bundle"
    /// The annotation of a manifest that says what its bundle states.
    public static let predicateKey = "dev.sigstore.bundle.predicateType"
    /// What the bundle of a signature states; others are attestations.
    public static let predicateType = "https://sigstore.dev/cosign/sign/v1"
    static let statementType = "application/vnd.in-toto+json"

    private struct Document: Decodable {
        struct Envelope: Decodable {
            struct Signature: Decodable { var sig: String }
            var payload: String
            var payloadType: String
            var signatures: [Signature]
        }
        var mediaType: String
        var dsseEnvelope: Envelope
    }

    /// The statement of a bundle with its signature, of which nothing is believed yet.
    ///
    /// - Throws: `VoltError` with code `refused` when it is no bundle, or one of something else than a statement.
    public static func candidate(_ bytes: [UInt8]) throws(VoltError) -> SignatureCandidate {
        guard bytes.count <= longest,
            let document = try? JSONDecoder().decode(Document.self, from: Data(bytes)),
            document.mediaType.hasPrefix(type), document.dsseEnvelope.payloadType == statementType,
            document.dsseEnvelope.signatures.count == 1,
            let payload = Base64.decode(document.dsseEnvelope.payload)
        else { throw VoltError(.refused, "a sigstore bundle is no signed statement") }
        return SignatureCandidate(
            statement: payload, signature: document.dsseEnvelope.signatures[0].sig)
    }

    /// What is signed of a statement: the pre-authentication encoding of DSSE 1.
    static func encoding(of payload: [UInt8]) -> [UInt8] {
        Array("DSSEv1 \(statementType.utf8.count) \(statementType) \(payload.count) ".utf8) + payload
    }
}

extension SigningPayload {
    private struct Statement: Decodable {
        struct Subject: Decodable {
            var digest: [String: String]
            var annotations: [String: Scalar]?
        }
        var _type: String
        var subject: [Subject]
        var predicateType: String
    }

    /// Reads a statement that was signed. Its signature is verified before. It names no repository.
    ///
    /// - Throws: `VoltError` with code `refused` when it is none, or of another kind.
    init(statement bytes: [UInt8]) throws(VoltError) {
        guard bytes.count <= Self.longest,
            let statement = try? JSONDecoder().decode(Statement.self, from: Data(bytes)),
            statement._type.hasPrefix("https://in-toto.io/Statement/v")
        else { throw VoltError(.refused, "what was signed is no statement about an image") }
        guard statement.predicateType == SignatureBundle.predicateType else {
            throw VoltError(
                .refused, "what was signed is an attestation of '\(statement.predicateType.prefix(100))'")
        }
        guard statement.subject.count == 1, let subject = statement.subject.first,
            let digest = subject.digest["sha256"].flatMap({ OCIDigest(parsing: "sha256:\($0)") })
        else { throw VoltError(.refused, "what was signed names no digest, or several") }
        self.init(
            identity: "", digest: digest, annotations: Scalar.texts(subject.annotations ?? [:]))
    }
}
