internal import CCrypto

/// AES-256 in Galois/Counter Mode (NIST SP 800-38D).
public enum AESGCM {
    /// Decrypts and authenticates.
    ///
    /// - Parameters:
    ///   - sealed: the encrypted bytes, without their tag.
    ///   - key: 32 bytes.
    ///   - nonce: 1 to 128 bytes; 12 is what most formats take.
    ///   - tag: 16 bytes.
    ///   - authenticated: further bytes that the tag covers.
    /// - Returns: the plain bytes; nil when the tag does not fit, or a size is none of these.
    public static func open(
        _ sealed: [UInt8], key: [UInt8], nonce: [UInt8], tag: [UInt8], authenticated: [UInt8] = []
    ) -> [UInt8]? {
        guard key.count == 32, tag.count == 16, (1...128).contains(nonce.count),
            sealed.count <= Int(Int32.max), authenticated.count <= Int(Int32.max)
        else { return nil }
        guard let context = EVP_CIPHER_CTX_new() else { fatalError("libcrypto cannot allocate a cipher") }
        defer { EVP_CIPHER_CTX_free(context) }
        var tag = tag
        Libcrypto.require(
            EVP_DecryptInit_ex(context, EVP_aes_256_gcm(), nil, nil, nil) == 1
                && EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_IVLEN, Int32(nonce.count), nil) == 1
                && EVP_DecryptInit_ex(context, nil, nil, key, nonce) == 1
                && EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, 16, &tag) == 1, "start AES-256-GCM")
        var count: Int32 = 0
        if !authenticated.isEmpty {
            Libcrypto.require(
                EVP_DecryptUpdate(context, nil, &count, authenticated, Int32(authenticated.count)) == 1,
                "authenticate with AES-256-GCM")
        }
        // One more than needed: the address of an empty array is none.
        var plain = [UInt8](repeating: 0, count: sealed.count + 16)
        Libcrypto.require(
            EVP_DecryptUpdate(context, &plain, &count, sealed, Int32(sealed.count)) == 1,
            "decrypt with AES-256-GCM")
        var rest = [UInt8](repeating: 0, count: 16)
        guard EVP_DecryptFinal_ex(context, &rest, &count) == 1 else { return nil }
        plain.removeLast(16)
        return plain
    }
}
