internal import VoltCore
internal import VoltCrypto
internal import VoltPlugin

/// Verifies JSON Web Tokens in their compact form (RFC 7515, RFC 7519, RFC 8725).
struct TokenVerifier: Sendable {
    /// The longest token, in bytes.
    static let longest = 16 << 10
    private static let longestHeader = 4 << 10

    let issuer: String
    let audience: String
    let keys: [TokenKey]

    /// The claims of a token that is signed by one of the keys, comes from the issuer, is meant for this registry
    /// and holds now. Of the claims nothing is read before the signature is known to be right.
    func claims(_ token: String, now: Timestamp) throws(TokenRefusal) -> TokenClaims {
        guard token.utf8.count <= Self.longest else { throw TokenRefusal("it is too long") }
        let parts = token.utf8.split(separator: 46, maxSplits: 3, omittingEmptySubsequences: false)
        guard parts.count == 3, parts[0].count <= Self.longestHeader,
            let header = Base64URL.decode(String(decoding: parts[0], as: UTF8.self)),
            let signature = Base64URL.decode(String(decoding: parts[2], as: UTF8.self)), !signature.isEmpty
        else { throw TokenRefusal("it is no JSON Web Token") }
        let signed = Array(parts[0]) + [46] + Array(parts[1])
        guard try candidates(header).contains(where: { $0.verifies(signature, of: signed) }) else {
            throw TokenRefusal("its signature is wrong")
        }
        guard let payload = Base64URL.decode(String(decoding: parts[1], as: UTF8.self)) else {
            throw TokenRefusal("it is no JSON Web Token")
        }
        let claims = try TokenClaims(payload)
        guard claims.issuer == issuer else { throw TokenRefusal("it is of another issuer") }
        guard claims.audience.contains(audience) else { throw TokenRefusal("it is for another service") }
        try claims.check(now: now)
        return claims
    }

    /// The keys that a header allows. The algorithm is the key's: the header can only agree to it.
    private func candidates(_ header: [UInt8]) throws(TokenRefusal) -> [PublicKey] {
        let json: JSONValue
        do throws(JSONFailure) { json = try JSONValue(header) } catch {
            throw TokenRefusal("its header is not JSON")
        }
        guard let name = json["alg"]?.string, let algorithm = SignatureAlgorithm(rawValue: name) else {
            throw TokenRefusal("its algorithm is none of RS256, ES256 and EdDSA")
        }
        // What must be understood and is not (RFC 7515, section 4.1.11).
        guard json["crit"] == nil, json["b64"] == nil else {
            throw TokenRefusal("its header asks for what is not known here")
        }
        if let type = json["typ"] {
            guard let text = type.string?.lowercased(), text == "jwt" || text == "at+jwt" else {
                throw TokenRefusal("it is another kind of token")
            }
        }
        let identifier = json["kid"]?.string
        guard json["kid"] == nil || identifier != nil else { throw TokenRefusal("its 'kid' is no text") }
        let fitting = keys.filter { key in
            key.key.algorithm == algorithm
                && (key.identifier == nil || identifier == nil || key.identifier == identifier)
        }
        guard !fitting.isEmpty else { throw TokenRefusal("it is signed with a key that is not known here") }
        return fitting.map(\.key)
    }
}
