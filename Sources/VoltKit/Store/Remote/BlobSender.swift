internal import Glibc
internal import VoltCore
internal import VoltSystem

/// Gives blobs and pieces to the other side as they are kept here.
final class BlobSender {
    private let store: ContentStore
    private let peer: Peer
    private let reader: BlobReader

    init(_ store: ContentStore, _ peer: Peer) {
        self.store = store
        self.peer = peer
        reader = BlobReader(store)
    }

    /// Sends what has a digest: a record of a pack, or a whole file.
    ///
    /// - Returns: false when it is not in the store.
    func send(_ digest: BinaryDigest) throws -> Bool {
        switch try store.place(of: digest) {
        case nil: return false
        case .packed(let entry): try send(entry)
        case .bare(let size): try sendBytes(digest, size)
        }
        return true
    }

    /// Sends a record as it is stored, compared with its digest.
    func send(_ entry: IndexEntry) throws {
        try reader.stored(entry) { record, bytes in
            var header = ByteWriter()
            record.write(to: &header)
            try header.bytes.withUnsafeBytes { try peer.send(.record, $0, bytes) }
        }
    }

    /// Sends the bytes of a blob, however it is kept.
    func sendBytes(_ digest: BinaryDigest, _ size: UInt64) throws {
        var head = ByteWriter()
        head.fixed(size)
        head.digest(digest)
        try peer.send(.file, head.bytes)
        try reader.read(digest) { part in
            switch part {
            case .zeros(let count):
                var writer = ByteWriter()
                writer.fixed(UInt64(count))
                try peer.send(.zeros, writer.bytes)
            case .bytes(let bytes):
                var rest = bytes
                while !rest.isEmpty {
                    let count = min(rest.count, Wire.part)
                    try peer.send(.bytes, UnsafeRawBufferPointer(rebasing: rest[..<count]))
                    rest = UnsafeRawBufferPointer(rebasing: rest[count...])
                }
            }
        }
        try peer.send(.end, [])
    }
}
