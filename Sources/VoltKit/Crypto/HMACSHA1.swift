internal import CCrypto

extension HMAC {
    /// HMAC with SHA-1: 20 bytes. For the hashed host names of sshd(8)'s known_hosts and nothing else:
    /// SHA-1 proves nothing any more.
    public static func sha1(key: some Sequence<UInt8>, message: some Sequence<UInt8>) -> [UInt8] {
        let key = Array(key)
        let message = Array(message)
        return [UInt8](unsafeUninitializedCapacity: 20) { buffer, count in
            var written: UInt32 = 0
            let result = CCrypto.HMAC(
                EVP_sha1(), key, Int32(key.count), message, message.count, buffer.baseAddress, &written)
            Libcrypto.require(result != nil && written == 20, "compute HMAC with SHA-1")
            count = 20
        }
    }
}
