internal import CCrypto
public import VoltCore

/// SHA-256 (FIPS 180-4) of bytes that come piece by piece.
///
/// ```swift
/// let hasher = SHA256Hasher()
/// hasher.update(first)
/// hasher.update(second)
/// let digest = hasher.finish()
/// ```
public struct SHA256Hasher: ~Copyable {
    private let context: OpaquePointer

    /// A hasher that has seen no bytes.
    public init() {
        guard let context = EVP_MD_CTX_new() else { fatalError("libcrypto cannot allocate a digest") }
        self.context = context
        Libcrypto.require(EVP_DigestInit_ex2(context, Libcrypto.sha256, nil) == 1, "start SHA-256")
    }

    deinit { EVP_MD_CTX_free(context) }

    /// Adds bytes.
    public func update(_ bytes: UnsafeRawBufferPointer) {
        Libcrypto.require(EVP_DigestUpdate(context, bytes.baseAddress, bytes.count) == 1, "compute SHA-256")
    }

    /// Adds bytes.
    public func update(_ bytes: some Sequence<UInt8>) { Libcrypto.withBytes(bytes) { update($0) } }

    /// Adds the UTF-8 bytes of a text.
    public func update(_ text: String) { update(text.utf8) }

    /// The digest of all bytes; the hasher is used up.
    public consuming func finish() -> Digest { Digest(sha256: finishBytes()) }

    /// The 32 bytes of the digest; the hasher is used up.
    public consuming func finishBytes() -> [UInt8] {
        [UInt8](unsafeUninitializedCapacity: 32) { buffer, count in
            var written: UInt32 = 0
            Libcrypto.require(
                EVP_DigestFinal_ex(context, buffer.baseAddress, &written) == 1 && written == 32,
                "finish SHA-256")
            count = 32
        }
    }

    /// Writes the digest of all bytes; the hasher then is as one that has seen none.
    ///
    /// - Parameter place: room for 32 bytes.
    public mutating func finish(into place: UnsafeMutableRawPointer) {
        var written: UInt32 = 0
        Libcrypto.require(
            EVP_DigestFinal_ex(context, place.assumingMemoryBound(to: UInt8.self), &written) == 1
                && written == 32, "finish SHA-256")
        Libcrypto.require(EVP_DigestInit_ex2(context, Libcrypto.sha256, nil) == 1, "start SHA-256")
    }

    /// The digest of bytes at hand.
    public static func digest(of bytes: some Sequence<UInt8>) -> Digest {
        let hasher = SHA256Hasher()
        hasher.update(bytes)
        return hasher.finish()
    }
}
