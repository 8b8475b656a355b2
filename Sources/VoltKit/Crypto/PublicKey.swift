internal import CCrypto
internal import Glibc
public import VoltCore

/// A public key that verifies signatures of one algorithm: RSA of 2048 to 8192 bits, P-256, or Ed25519.
public final class PublicKey: Sendable {
    // Never changed after init, and OpenSSL allows the use of such a key from any thread
    // (openssl-threads(7)).
    nonisolated(unsafe) private let key: OpaquePointer

    /// The one algorithm of this key.
    public let algorithm: SignatureAlgorithm

    /// - Parameter key: taken over, also when it is refused.
    /// - Throws: `VoltError` with code `refused` for keys of other kinds and sizes.
    fileprivate init(owning key: OpaquePointer, named name: String) throws(VoltError) {
        do throws(VoltError) { algorithm = try Libcrypto.algorithm(of: key, named: name) } catch {
            EVP_PKEY_free(key)
            throw error
        }
        self.key = key
    }

    deinit { EVP_PKEY_free(key) }

    /// From an encoded `SubjectPublicKeyInfo` (RFC 5280, section 4.1.2.7).
    ///
    /// - Throws: `VoltError` with code `refused`.
    public convenience init(der bytes: [UInt8], named name: String) throws(VoltError) {
        let made = bytes.withUnsafeBufferPointer { buffer -> OpaquePointer? in
            var place = buffer.baseAddress
            guard let key = d2i_PUBKEY(nil, &place, buffer.count) else { return nil }
            // Nothing may follow the key.
            guard place == buffer.baseAddress.map({ $0 + buffer.count }) else {
                EVP_PKEY_free(key)
                return nil
            }
            return key
        }
        ERR_clear_error()
        guard let made else { throw VoltError(.refused, "'\(name)' is not a public key") }
        try self.init(owning: made, named: name)
    }

    /// An RSA key from its two numbers (RFC 7518, section 6.3.1), most significant byte first.
    public convenience init(rsaModulus modulus: [UInt8], exponent: [UInt8], named name: String)
        throws(VoltError)
    {
        guard modulus.count <= 1024, (1...8).contains(exponent.count) else {
            throw VoltError(.refused, "'\(name)' is not an RSA key of 2048 to 8192 bits")
        }
        // rsaEncryption with no parameters (RFC 3279, section 2.3.1).
        let kind = DER.sequence(
            [0x06, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01], [0x05, 0])
        let numbers = DER.sequence(DER.unsigned(modulus), DER.unsigned(exponent))
        try self.init(der: DER.sequence(kind, DER.bits(numbers)), named: name)
    }

    /// A key on P-256 from its point (RFC 7518, section 6.2.1), 32 bytes a coordinate.
    public convenience init(p256 x: [UInt8], _ y: [UInt8], named name: String) throws(VoltError) {
        guard x.count == 32, y.count == 32 else {
            throw VoltError(.refused, "'\(name)' is not a key on P-256")
        }
        // id-ecPublicKey on prime256v1 (RFC 5480, section 2.1.1), the point uncompressed.
        let kind = DER.sequence(
            [0x06, 7, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01],
            [0x06, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07])
        try self.init(der: DER.sequence(kind, DER.bits([4] + x + y)), named: name)
    }

    /// An Ed25519 key from its 32 bytes (RFC 8037, section 2).
    public convenience init(ed25519 bytes: [UInt8], named name: String) throws(VoltError) {
        guard bytes.count == 32 else { throw VoltError(.refused, "'\(name)' is not an Ed25519 key") }
        // id-Ed25519 (RFC 8410, section 3).
        let kind = DER.sequence([0x06, 3, 0x2b, 0x65, 0x70])
        try self.init(der: DER.sequence(kind, DER.bits(bytes)), named: name)
    }

    /// The keys of the certificates and public keys in a PEM file (RFC 7468), in their order.
    ///
    /// - Parameters:
    ///   - bytes: the file; what is neither a certificate nor a public key is passed over.
    ///   - name: for errors.
    /// - Throws: `VoltError` with code `refused` when there is none, or one is of another kind.
    public static func keys(pem bytes: [UInt8], named name: String) throws(VoltError) -> [PublicKey] {
        var keys: [PublicKey] = []
        for block in PEM.blocks(bytes) {
            switch block.label {
            case "PUBLIC KEY": keys.append(try PublicKey(der: block.bytes, named: name))
            case "CERTIFICATE":
                let key = block.bytes.withUnsafeBufferPointer { buffer -> OpaquePointer? in
                    var place = buffer.baseAddress
                    guard let certificate = d2i_X509(nil, &place, buffer.count) else { return nil }
                    defer { X509_free(certificate) }
                    return X509_get_pubkey(certificate)
                }
                ERR_clear_error()
                guard let key else {
                    throw VoltError(.refused, "'\(name)' holds a certificate that cannot be read")
                }
                keys.append(try PublicKey(owning: key, named: name))
            default: continue
            }
        }
        guard !keys.isEmpty else {
            throw VoltError(
                .refused, "'\(name)' holds no certificate and no public key",
                hint: "it is a PEM file with BEGIN CERTIFICATE or BEGIN PUBLIC KEY")
        }
        return keys
    }

    /// The encoded `SubjectPublicKeyInfo`.
    public var der: [UInt8] { Libcrypto.encodedPublicKey(key) }

    /// The base64url form of the SHA-256 of the encoded key: what Volt writes into `kid`.
    public var identifier: String {
        let hasher = SHA256Hasher()
        hasher.update(der)
        return Base64URL.encode(hasher.finishBytes())
    }

    /// The key as a PEM file.
    public var pem: [UInt8] { Array(PEM.text(label: "PUBLIC KEY", der).utf8) }

    /// The SHA-256 of the encoded key, by which people compare keys.
    public var fingerprint: Digest { SHA256Hasher.digest(of: der) }

    /// Whether the signature is one of this key over the message, by this key's algorithm, as JSON Web Signatures have
    /// it.
    public func verifies(_ signature: [UInt8], of message: [UInt8]) -> Bool {
        guard algorithm == .es256 else { return verifiesASN1(signature, of: message) }
        guard let der = DER.ecdsa(signature) else { return false }
        return verifiesASN1(der, of: message)
    }

    /// The same for a signature as everything but JSON Web Signatures has it; see `PrivateKey.signASN1`.
    public func verifiesASN1(_ encoded: [UInt8], of message: [UInt8]) -> Bool {
        guard !encoded.isEmpty, let context = EVP_MD_CTX_new() else { return false }
        defer { EVP_MD_CTX_free(context) }
        Libcrypto.require(
            EVP_DigestVerifyInit(context, nil, Libcrypto.digest(of: algorithm), nil, key) == 1,
            "start \(algorithm.rawValue)")
        let result = EVP_DigestVerify(context, encoded, encoded.count, message, message.count)
        ERR_clear_error()
        return result == 1
    }
}

extension Libcrypto {
    /// The digest that is signed; Ed25519 takes the message itself.
    static func digest(of algorithm: SignatureAlgorithm) -> OpaquePointer? {
        algorithm == .edDSA ? nil : EVP_sha256()
    }

    /// The one algorithm that a key is used with.
    static func algorithm(of key: OpaquePointer, named name: String) throws(VoltError) -> SignatureAlgorithm {
        switch EVP_PKEY_get_base_id(key) {
        case EVP_PKEY_ED25519: return .edDSA
        case EVP_PKEY_RSA where (2048...8192).contains(EVP_PKEY_get_bits(key)): return .rs256
        case EVP_PKEY_EC:
            var group = [CChar](repeating: 0, count: 64)
            if EVP_PKEY_get_group_name(key, &group, group.count, nil) == 1,
                strcmp(group, "prime256v1") == 0
            {
                return .es256
            }
        default: break
        }
        throw VoltError(
            .refused, "the key of '\(name)' cannot be used",
            hint: "take Ed25519, ECDSA on P-256, or RSA of 2048 to 8192 bits")
    }

    static func encodedPublicKey(_ key: OpaquePointer) -> [UInt8] {
        var pointer: UnsafeMutablePointer<UInt8>?
        let count = i2d_PUBKEY(key, &pointer)
        guard count > 0, let pointer else { fatalError("libcrypto cannot encode a public key") }
        defer { CRYPTO_free(pointer, nil, 0) }
        return Array(UnsafeBufferPointer(start: pointer, count: Int(count)))
    }
}
