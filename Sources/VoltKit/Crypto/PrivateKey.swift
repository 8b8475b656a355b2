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

    /// The private key in a PEM file: PKCS #8, or the older forms of RSA and EC.
    ///
    /// - Parameters:
    ///   - bytes: the file.
    ///   - passphrase: of a file that is encrypted; nil for none.
    ///   - name: for errors, which never show the bytes.
    /// - Throws: `VoltError` with code `refused`.
    public init(pem bytes: [UInt8], passphrase: String? = nil, named name: String) throws(VoltError) {
        let made = bytes.withUnsafeBytes { buffer -> OpaquePointer? in
            guard let file = BIO_new_mem_buf(buffer.baseAddress, Int32(clamping: buffer.count)) else {
                return nil
            }
            defer { BIO_free(file) }
            guard let passphrase else {
                // Without a callback, OpenSSL would ask for a passphrase on the terminal.
                return PEM_read_bio_PrivateKey(file, nil, { _, _, _, _ in -1 }, nil)
            }
            // Without a callback, the last argument is the passphrase.
            var text = passphrase.utf8CString
            defer { for index in text.indices { text[index] = 0 } }
            return text.withUnsafeMutableBytes { PEM_read_bio_PrivateKey(file, nil, nil, $0.baseAddress) }
        }
        ERR_clear_error()
        guard let made else { throw Self.unreadable(bytes, passphrase != nil, name) }
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

    /// Why a file is no key that can be read.
    private static func unreadable(_ bytes: [UInt8], _ hasPassphrase: Bool, _ name: String) -> VoltError {
        let label = PEM.labels(bytes).first { $0.hasSuffix("PRIVATE KEY") } ?? ""
        if label.hasSuffix("SIGSTORE PRIVATE KEY") || label.hasSuffix("COSIGN PRIVATE KEY") {
            return VoltError(
                .refused, "'\(name)' is encrypted in a form of cosign's own, which is not read here",
                hint: "make one with 'volt registry key create': cosign takes its public key as well")
        }
        if label == "ENCRYPTED PRIVATE KEY" {
            return VoltError(
                .refused,
                hasPassphrase
                    ? "the passphrase does not open '\(name)'" : "'\(name)' is encrypted with a passphrase",
                hint: hasPassphrase
                    ? "is it the whole first line of its file?" : "give the file that has it")
        }
        return VoltError(
            .refused, "'\(name)' is not a private key in PEM form without a passphrase",
            hint: "make one with: openssl genpkey -algorithm ed25519 -out FILE")
    }

    /// A new key on P-256 as a PEM file in PKCS #8.
    public static func newP256() -> [UInt8] {
        guard let key = volt_new_p256(), let file = BIO_new(BIO_s_secmem()) else {
            fatalError("libcrypto cannot make a key on P-256")
        }
        defer {
            EVP_PKEY_free(key)
            BIO_free(file)
        }
        Libcrypto.require(
            PEM_write_bio_PKCS8PrivateKey(file, key, nil, nil, 0, nil, nil) == 1, "encode a private key")
        // PKCS #8 of P-256 has 241 bytes as PEM.
        var bytes = [UInt8](repeating: 0, count: 1024)
        let count = BIO_read(file, &bytes, Int32(bytes.count))
        Libcrypto.require(count > 0 && count < 1024, "encode a private key")
        bytes.removeLast(bytes.count - Int(count))
        return bytes
    }

    /// The signature of a message by this key's algorithm, as JSON Web Signatures have it.
    public func sign(_ message: [UInt8]) -> [UInt8] {
        let signature = signASN1(message)
        guard algorithm == .es256 else { return signature }
        guard let raw = DER.rawECDSA(signature) else { fatalError("libcrypto cannot sign with ES256") }
        return raw
    }

    /// The signature of a message by this key's algorithm, as everything but JSON Web Signatures has it: of ECDSA the
    /// two numbers in DER (RFC 3279, section 2.2.3).
    public func signASN1(_ message: [UInt8]) -> [UInt8] {
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
        return signature
    }
}
