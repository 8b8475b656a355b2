internal import VoltCore
internal import VoltCrypto
internal import VoltPlugin

/// A key that tokens are believed by.
struct TokenKey: Sendable {
    /// What `kid` must say, or nil when any will do.
    let identifier: String?
    let key: PublicKey
}

/// The keys of an outside token server.
enum TokenKeys {
    /// How many keys one file may hold: each is tried for a token that names none.
    static let most = 32

    /// From a JWK Set (RFC 7517), or from a PEM file of certificates and public keys: the file begins with `{` or
    /// does not.
    ///
    /// The key in a certificate counts as it stands there: neither its dates nor who signed it are looked at,
    /// since whoever wrote the file has said that it is the one.
    ///
    /// - Throws: `VoltError` with code `usage`.
    static func read(_ bytes: [UInt8], path: String) throws(VoltError) -> [TokenKey] {
        let first = bytes.first { $0 != 32 && $0 != 9 && $0 != 10 && $0 != 13 }
        let keys: [TokenKey]
        do throws(VoltError) {
            keys =
                first == UInt8(ascii: "{")
                ? try set(bytes, path: path)
                : try PublicKey.keys(pem: bytes, named: path).map { TokenKey(identifier: nil, key: $0) }
        } catch { throw VoltError(.usage, error.message, hint: error.hint) }
        guard (1...most).contains(keys.count) else {
            throw VoltError(
                .usage, "'\(path)' holds \(keys.count) keys that verify tokens",
                hint: "1 to \(most) keys of Ed25519, P-256 or RSA are taken")
        }
        return keys
    }

    private static func set(_ bytes: [UInt8], path: String) throws(VoltError) -> [TokenKey] {
        let json: JSONValue
        do throws(JSONFailure) { json = try JSONValue(bytes) } catch {
            throw VoltError(.usage, "'\(path)' \(error.description)")
        }
        guard let list = json["keys"]?.array else {
            throw VoltError(.usage, "'\(path)' has no list 'keys'", hint: "it is a JWK Set (RFC 7517)")
        }
        var keys: [TokenKey] = []
        var number = 0
        for entry in list {
            number += 1
            // Keys for something else may stand beside (RFC 7517, section 5).
            if let use = entry["use"]?.string, use != "sig" { continue }
            guard let key = try key(entry, named: "\(path), key \(number)") else { continue }
            if let algorithm = entry["alg"]?.string, algorithm != key.algorithm.rawValue { continue }
            keys.append(TokenKey(identifier: entry["kid"]?.string, key: key))
        }
        return keys
    }

    /// Nil for kinds of keys that are not known here, shared secrets among them.
    private static func key(_ entry: JSONValue, named name: String) throws(VoltError) -> PublicKey? {
        func bytes(_ member: String) throws(VoltError) -> [UInt8] {
            guard let text = entry[member]?.string, let bytes = Base64URL.decode(text) else {
                throw VoltError(.usage, "'\(name)': '\(member)' is no base64url")
            }
            return bytes
        }
        switch (entry["kty"]?.string, entry["crv"]?.string) {
        case ("RSA", _):
            return try PublicKey(rsaModulus: try bytes("n"), exponent: try bytes("e"), named: name)
        case ("EC", "P-256"): return try PublicKey(p256: try bytes("x"), try bytes("y"), named: name)
        case ("OKP", "Ed25519"): return try PublicKey(ed25519: try bytes("x"), named: name)
        default: return nil
        }
    }
}
