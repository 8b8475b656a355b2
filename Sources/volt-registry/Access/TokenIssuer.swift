internal import Glibc
internal import VoltCore
internal import VoltCrypto
internal import VoltPlugin
internal import VoltSystem

/// Issues tokens for Volt's own registry.
struct TokenIssuer: Sendable {
    let key: PrivateKey
    let lifetime: Duration
    let service: String
    /// The verifier of these tokens: issuer and audience are both the service.
    let verifier: TokenVerifier

    init(key: PrivateKey, lifetime: Duration, service: String) {
        self.key = key
        self.lifetime = lifetime
        self.service = service
        verifier = TokenVerifier(
            issuer: service, audience: service,
            keys: [TokenKey(identifier: key.publicKey.identifier, key: key.publicKey)])
    }

    /// A signed token for a user.
    func token(for user: AccessUser, access: [TokenScope], now: Timestamp) -> String {
        let seconds = Int(now.milliseconds / 1000)
        let claims = TokenClaims(
            issuer: service, subject: user == .anonymous ? "" : user.description, audience: service,
            expires: seconds + Int(lifetime.milliseconds / 1000), issuedAt: seconds,
            identifier: Base64URL.encode(SecureRandom.bytes(16)), access: access)
        let header = JSONValue.object([
            "alg": .string(key.algorithm.rawValue), "kid": .string(key.publicKey.identifier),
            "typ": .string("JWT"),
        ])
        let signed =
            Base64URL.encode(Array(header.compact.utf8)) + "."
            + Base64URL.encode(Array(claims.json.compact.utf8))
        return signed + "." + Base64URL.encode(key.sign(Array(signed.utf8)))
    }

    /// The user that the subject of such a token stands for. A name holds no colon, so that no user can be called
    /// like a certificate.
    static func user(subject: String) -> AccessUser {
        if subject.isEmpty { return .anonymous }
        return subject.hasPrefix("cert:") ? .certificate(String(subject.dropFirst(5))) : .named(subject)
    }

    /// The key of a file, which is made when there is none: Ed25519, readable by its owner alone.
    ///
    /// - Throws: `VoltError`; code `refused` when others may read it.
    static func key(_ path: String) throws(VoltError) -> PrivateKey {
        var information = stat()
        if stat(path, &information) != 0, errno == ENOENT {
            try Files.replace(path, with: PrivateKey.newEd25519(), mode: 0o600)
            guard stat(path, &information) == 0 else {
                throw SystemError.current.during("cannot read '\(path)'")
            }
        }
        guard information.st_mode & 0o077 == 0 else {
            throw VoltError(
                .refused, "the key '\(path)' can be read by others than its owner",
                hint: "chmod 600 '\(path)', and replace the key if somebody may have read it")
        }
        return try PrivateKey(pem: try Files.read(path, limit: 64 << 10), named: path)
    }
}
