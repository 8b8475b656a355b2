internal import CArchive
internal import VoltCore
internal import VoltCrypto

/// The bytes of a stream without their compression, and the digests of both.
final class DecompressedStream: ByteStream {
    /// Passes the compressed bytes through a hash.
    private final class Compressed: ByteStream {
        let source: any ByteStream
        let hasher = SHA256Box()
        private(set) var count: UInt64 = 0

        init(_ source: any ByteStream) { self.source = source }

        func next() throws(VoltError) -> UnsafeRawBufferPointer {
            let bytes = try source.next()
            hasher.update(bytes)
            count += UInt64(bytes.count)
            return bytes
        }
    }

    private let compressed: Compressed
    private let reader: LibarchiveReader
    private let hasher = SHA256Box()
    private let name: String
    private let limit: UInt64
    private var isOpen: Bool
    private(set) var count: UInt64 = 0

    /// - Parameter limit: refuse more bytes than these after decompression.
    init(_ source: any ByteStream, name: String, limit: UInt64) throws(VoltError) {
        self.name = name
        self.limit = limit
        compressed = Compressed(source)
        reader = try LibarchiveReader(compressed, as: .compressed, name: name)
        isOpen = try reader.nextEntry() != nil
    }

    func next() throws(VoltError) -> UnsafeRawBufferPointer {
        while isOpen {
            guard let block = try reader.nextBlock() else {
                isOpen = false
                break
            }
            if block.bytes.isEmpty { continue }
            hasher.update(block.bytes)
            count += UInt64(block.bytes.count)
            guard count <= limit else {
                throw VoltError(.refused, "'\(name)' is larger than \(ByteSize(bytes: limit)) when unpacked")
            }
            return block.bytes
        }
        return UnsafeRawBufferPointer(start: nil, count: 0)
    }

    /// Reads what is left, and gives the digests of the bytes as they came and without compression.
    func finish() throws(VoltError) -> (compressed: Digest, plain: Digest, compressedCount: UInt64) {
        while try !next().isEmpty {}
        while try !compressed.next().isEmpty {}
        return (compressed.hasher.finish(), hasher.finish(), compressed.count)
    }
}

/// A hasher in a class, so that the streams can hold it.
final class SHA256Box {
    private var hasher: SHA256Hasher?

    init() { hasher = SHA256Hasher() }

    func update(_ bytes: UnsafeRawBufferPointer) { hasher?.update(bytes) }

    /// Once only; a second call gives the digest of nothing.
    func finish() -> Digest {
        guard let whole = hasher.take() else { return SHA256Hasher.digest(of: []) }
        return whole.finish()
    }
}
