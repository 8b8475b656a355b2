/// How a JSON Web Signature is made (RFC 7518, section 3.1; RFC 8037, section 3.1).
///
/// There is no case for `none` and none for a shared secret: what is not here cannot be verified by mistake.
public enum SignatureAlgorithm: String, Sendable, CaseIterable {
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    case rs256 = "RS256"
    /// ECDSA on P-256 with SHA-256; the signature is the 64 bytes of r and s.
    case es256 = "ES256"
    /// Ed25519.
    case edDSA = "EdDSA"
}
