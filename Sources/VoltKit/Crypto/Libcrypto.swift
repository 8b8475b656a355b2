internal import CCrypto

/// The algorithms of libcrypto, fetched once: a fetch takes a lock and a search by name.
enum Libcrypto {
    // OpenSSL reference-counts both with atomics and allows their use from any thread
    // (EVP_MD_fetch(3), EVP_MAC_fetch(3)); they are never freed.
    nonisolated(unsafe) static let sha256: OpaquePointer? = EVP_MD_fetch(nil, "SHA256", nil)
    nonisolated(unsafe) static let hmac: OpaquePointer? = EVP_MAC_fetch(nil, "HMAC", nil)

    /// Stops the process unless a call of libcrypto succeeded.
    ///
    /// SHA-256 and HMAC over memory fail only without memory or with a libcrypto that lacks them (a
    /// FIPS provider that did not load): there is nothing a caller could do, and going on would mean
    /// believing a digest that was not computed.
    static func require(_ succeeded: Bool, _ what: String) {
        if !succeeded { fatalError("libcrypto cannot \(what)") }
    }

    /// Calls the body with the bytes as one region of memory, without a copy when they are one already.
    static func withBytes(_ bytes: some Sequence<UInt8>, _ body: (UnsafeRawBufferPointer) -> Void) {
        let done: Void? = bytes.withContiguousStorageIfAvailable { body(UnsafeRawBufferPointer($0)) }
        if done == nil { Array(bytes).withUnsafeBytes(body) }
    }
}
