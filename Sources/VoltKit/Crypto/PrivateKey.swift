internal import CCrypto
public import VoltCore

/// A private key that signs with one algorithm: RSA of 2048 to 8192 bits, P-256, or Ed25519.
public final class PrivateKey: Sendable {
    // Never changed after init, and OpenSSL allows the use of such a key from any thread (openssl-threads(7)).
    nonisolated(unsafe) private let key: OpaquePointer

    /// The one algorithm of this key.
    public let algorithm: SignatureAlgorithm
    /// What verifies.
    public let publicKey: PublicKey

    /// The private key in a PEM file that is not encrypted: PKCS #8, or the older forms of RSA and EC.
    ///
    /// - Parameters:
    ///   - bytes: the file.
    ///   - name: for errors, which never show the bytes.
    /// - Throws: `VoltError` with code `refused`.
    public init(pem bytes: [UInt8], named name: String) throws(VoltError) {
        let made = bytes.withUnsafeBytes { buffer -> OpaquePointer? in
            guard let file = BIO_new_mem_buf(buffer.baseAddress, Int32(clamping: buffer.count)) else {
                return nil
            }
            defer { BIO_free(file) }
            // Without a callback, OpenSSL would ask for a passphrase on the terminal.
            return PEM_read_bio_PrivateKey(file, nil, { _, _, _, _ in -1 }, nil)
        }
        ERR_clear_error()
        guard let made else {
            throw VoltError(
                .refused, "'\(name)' is not a private key in PEM form without a passphrase",
                hint: "make one with: openssl genpkey -algorithm ed25519 -out FILE")
        }
        do throws(VoltError) {
            algorithm = try Libcrypto.algorithm(of: made, named: name)
            publicKey = try PublicKey(der: Libcrypto.encodedPublicKey(made), named: name)
        } catch {
            EVP_PKEY_free(made)
            throw error
        }
        key = made
    }

    deinit { EVP_PKEY_free(key) }

    /// A new Ed25519 key as a PEM file (RFC 8410, section 7).
    public static func newEd25519() -> [UInt8] {
        let seed = DER.value(0x04, DER.value(0x04, SecureRandom.bytes(32)))
        let key = DER.sequence(DER.unsigned([0]), DER.sequence([0x06, 3, 0x2b, 0x65, 0x70]), seed)
        return Array(PEM.text(label: "PRIVATE KEY", key).utf8)
    }

    /// The signature of a message by this key's algorithm.
    public func sign(_ message: [UInt8]) -> [UInt8] {
        guard let context = EVP_MD_CTX_new() else { fatalError("libcrypto cannot allocate a digest") }
        defer { EVP_MD_CTX_free(context) }
        // RSA of 8192 bits has the longest.
        var signature = [UInt8](repeating: 0, count: 1024)
        var count = signature.count
        Libcrypto.require(
            EVP_DigestSignInit(context, nil, Libcrypto.digest(of: algorithm), nil, key) == 1
                && EVP_DigestSign(context, &signature, &count, message, message.count) == 1,
            "sign with \(algorithm.rawValue)")
        signature.removeLast(signature.count - count)
        guard algorithm == .es256 else { return signature }
        guard let raw = DER.rawECDSA(signature) else { fatalError("libcrypto cannot sign with ES256") }
        return raw
    }
}
