internal import CCrypto

/// Comparison whose duration says nothing about the bytes.
public enum ConstantTime {
    /// Whether two secrets are equal. The time depends on the length alone; arrays of different length
    /// are unequal at once, so compare values of fixed length, such as digests.
    public static func equal(_ left: [UInt8], _ right: [UInt8]) -> Bool {
        guard left.count == right.count else { return false }
        return left.withUnsafeBytes { a in
            right.withUnsafeBytes { b in CRYPTO_memcmp(a.baseAddress, b.baseAddress, a.count) == 0 }
        }
    }
}

/// Random bytes of the operating system's quality.
public enum SecureRandom {
    /// - Parameter count: how many bytes.
    public static func bytes(_ count: Int) -> [UInt8] {
        [UInt8](unsafeUninitializedCapacity: count) { buffer, written in
            Libcrypto.require(RAND_bytes(buffer.baseAddress, Int32(count)) == 1, "make random bytes")
            written = count
        }
    }
}
