internal import VoltCrypto

/// Cuts bytes where their content says so (FastCDC: Xia et al., USENIX ATC 2016), so that a change moves the
/// cuts near it and no others.
///
/// Where a blob is cut is not a part of its name: another chunker only finds less to share.
struct Chunker: Sendable {
    /// The smallest chunk but the last, in bytes.
    let smallest: Int
    /// What chunks have on average, a power of two.
    let average: Int
    /// The largest chunk.
    let largest: Int
    private let strict: UInt64
    private let loose: UInt64

    /// What the store cuts with.
    static let standard = Chunker(smallest: 32 << 10, average: 128 << 10, largest: 512 << 10)
    /// A blob that is no longer is one chunk.
    static let whole = 512 << 10

    init(smallest: Int, average: Int, largest: Int) {
        self.smallest = smallest
        self.average = average
        self.largest = largest
        let bits = UInt64(average.trailingZeroBitCount)
        // Level 1 of normalised chunking: harder to cut before the average, easier after it.
        strict = ((1 << (bits + 1)) - 1) << (64 - bits - 1)
        loose = ((1 << (bits - 1)) - 1) << (64 - bits + 1)
    }

    /// The gear of each byte: the first eight bytes, little-endian, of the SHA-256 of `stellarium gear` and it.
    private static let gear: [UInt64] = (0...255).map { byte in
        let digest = SHA256Hasher.digest(of: Array("stellarium gear".utf8) + [UInt8(byte)])
        return BinaryDigest(digest).words.0.byteSwapped
    }

    /// The length of the first chunk of these bytes.
    ///
    /// - Parameter bytes: at least `largest` of them, or all that is left.
    func cut(_ bytes: UnsafeRawBufferPointer) -> Int {
        guard bytes.count > smallest else { return bytes.count }
        let end = min(bytes.count, largest)
        let middle = min(end, average)
        return Self.gear.withUnsafeBufferPointer { gear in
            var hash: UInt64 = 0
            var index = smallest
            while index < middle {
                hash = (hash << 1) &+ gear[Int(bytes[index])]
                if hash & strict == 0 { return index + 1 }
                index += 1
            }
            while index < end {
                hash = (hash << 1) &+ gear[Int(bytes[index])]
                if hash & loose == 0 { return index + 1 }
                index += 1
            }
            return end
        }
    }
}
