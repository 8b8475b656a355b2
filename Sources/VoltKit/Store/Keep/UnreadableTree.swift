public import VoltCore
internal import VoltSystem

/// A tag or lease of a tree that cannot be read.
public struct UnreadableTree: Sendable, Codable, Equatable {
    /// Such as `tag 'site'`.
    public let root: String
    /// The tree.
    public let digest: Digest
    /// Why it cannot be read.
    public let reason: String
}

/// Finds digests in bytes of which nobody knows what they mean: whatever they name is among them, and nothing that is
/// needed is taken for garbage.
struct DigestSearch {
    /// The first eight bytes of every blob and piece of the store.
    private let known: Set<UInt64>
    private let store: ContentStore

    init(_ store: ContentStore) throws {
        self.store = store
        var known: Set<UInt64> = []
        var entries = try SortedMerge(store.index.current())
        while let entry = try entries.next() { known.insert(entry.digest.words.0) }
        try store.eachObject { known.insert($0.words.0) }
        self.known = known
    }

    /// Gives the blobs of the store whose digests are anywhere in a blob.
    ///
    /// - Throws: `VoltError` when the blob is missing or damaged: then not all of its bytes are known.
    func run(_ digest: BinaryDigest, _ reader: BlobReader, _ body: (BinaryDigest) throws -> Void) throws {
        var window: [UInt8] = []
        func add(_ bytes: UnsafeRawBufferPointer) throws {
            window.append(contentsOf: bytes)
            try window.withUnsafeBytes { window in
                guard let base = window.baseAddress else { return }
                for place in stride(from: 0, through: window.count - BinaryDigest.count, by: 1) {
                    let first = UInt64(
                        bigEndian: window.loadUnaligned(fromByteOffset: place, as: UInt64.self))
                    guard known.contains(first) else { continue }
                    let found = BinaryDigest(base + place)
                    if try store.place(of: found) != nil { try body(found) }
                }
            }
            window.removeFirst(max(0, window.count - BinaryDigest.count + 1))
        }
        try reader.read(digest) { part in
            switch part {
            case .bytes(let bytes): try add(bytes)
            // A digest is not all zeros: those at both ends of the hole are enough.
            case .zeros(let count): try Zeros.each(min(count, 2 * BinaryDigest.count)) { try add($0) }
            }
        }
    }
}

extension ContentStore {
    /// Gives the digest of every bare blob.
    fileprivate func eachObject(_ body: (BinaryDigest) -> Void) throws {
        for directory in try Files.list(layout.objects) {
            for name in try Files.list("\(layout.objects)/\(directory)") {
                if let digest = try? Digest("sha256:\(directory)\(name)") { body(BinaryDigest(digest)) }
            }
        }
    }
}
