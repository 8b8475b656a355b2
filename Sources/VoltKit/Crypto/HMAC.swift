internal import CCrypto

/// HMAC with SHA-256 (RFC 2104, RFC 4231) of bytes that come piece by piece.
public struct HMACSHA256: ~Copyable {
    private let context: OpaquePointer

    /// - Parameter key: the secret, of any length.
    public init(key: some Sequence<UInt8>) {
        var made: OpaquePointer?
        Libcrypto.withBytes(key) { made = volt_hmac_sha256_new(Libcrypto.hmac, $0.baseAddress, $0.count) }
        guard let made else { fatalError("libcrypto cannot start HMAC with SHA-256") }
        context = made
    }

    deinit { EVP_MAC_CTX_free(context) }

    /// Adds bytes.
    public func update(_ bytes: UnsafeRawBufferPointer) {
        guard let base = bytes.baseAddress else { return }
        let start = base.assumingMemoryBound(to: UInt8.self)
        Libcrypto.require(EVP_MAC_update(context, start, bytes.count) == 1, "compute HMAC")
    }

    /// Adds bytes.
    public func update(_ bytes: some Sequence<UInt8>) { Libcrypto.withBytes(bytes) { update($0) } }

    /// The 32 bytes of the code; the value is used up.
    public consuming func finish() -> [UInt8] {
        [UInt8](unsafeUninitializedCapacity: 32) { buffer, count in
            Libcrypto.require(
                EVP_MAC_final(context, buffer.baseAddress, &count, 32) == 1 && count == 32, "finish HMAC")
        }
    }
}

/// Keyed hashes of bytes at hand.
public enum HMAC {
    /// HMAC with SHA-256: 32 bytes.
    public static func sha256(key: some Sequence<UInt8>, message: some Sequence<UInt8>) -> [UInt8] {
        let code = HMACSHA256(key: key)
        code.update(message)
        return code.finish()
    }
}
