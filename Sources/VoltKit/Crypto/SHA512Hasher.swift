internal import CCrypto

/// SHA-512 (FIPS 180-4) of bytes that come piece by piece.
public struct SHA512Hasher: ~Copyable {
    private let context: OpaquePointer

    /// A hasher that has seen no bytes.
    public init() {
        guard let context = EVP_MD_CTX_new() else { fatalError("libcrypto cannot allocate a digest") }
        self.context = context
        Libcrypto.require(EVP_DigestInit_ex2(context, EVP_sha512(), nil) == 1, "start SHA-512")
    }

    deinit { EVP_MD_CTX_free(context) }

    /// Adds bytes.
    public func update(_ bytes: some Sequence<UInt8>) {
        Libcrypto.withBytes(bytes) {
            Libcrypto.require(EVP_DigestUpdate(context, $0.baseAddress, $0.count) == 1, "compute SHA-512")
        }
    }

    /// The 64 bytes of the digest; the hasher is used up.
    public consuming func finish() -> [UInt8] {
        [UInt8](unsafeUninitializedCapacity: 64) { buffer, count in
            var written: UInt32 = 0
            Libcrypto.require(
                EVP_DigestFinal_ex(context, buffer.baseAddress, &written) == 1 && written == 64,
                "finish SHA-512")
            count = 64
        }
    }
}
