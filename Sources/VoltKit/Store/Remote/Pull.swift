internal import VoltCore

/// Gets blobs from another store.
final class Pull {
    private let session: WriteSession
    private let store: ContentStore
    private let peer: Peer
    private let receiver: BlobReceiver
    private let progress: (UInt64) -> Void

    init(_ session: WriteSession, _ peer: Peer, _ progress: @escaping (UInt64) -> Void) {
        self.session = session
        store = session.store
        self.peer = peer
        self.progress = progress
        receiver = BlobReceiver(session, peer)
    }

    /// Blobs and pieces that came.
    var count: Int { receiver.count }

    /// Gets a blob; of a tree its files too.
    func get(_ digest: BinaryDigest, _ kind: TagKind) throws {
        try get([digest])
        guard kind == .tree else { return }
        // It is read from the store.
        try session.finish()
        var batch: [BinaryDigest] = []
        try TreeWalk.each(digest, in: BlobReader(store)) { event in
            guard case .entry(let entry) = event, case .file(let size, let file) = entry.kind, size > 0 else {
                return
            }
            batch.append(file)
            if batch.count >= 1024 {
                try get(batch)
                batch.removeAll(keepingCapacity: true)
            }
        }
        try get(batch)
    }

    /// Gets those that are not here, with their pieces.
    ///
    /// - Throws: `VoltError`; `notFound` when the other side does not have one.
    func get(_ digests: [BinaryDigest]) throws {
        if let digest = try request(digests, depth: 0).first {
            throw VoltError(
                .notFound, "the other store does not have blob '\(digest.digest)'",
                hint: "run 'volt cas verify' there")
        }
        try receiver.settle()
    }

    /// Gets what it can.
    ///
    /// - Returns: what the other side does not have.
    func getSome(_ digests: [BinaryDigest]) throws -> [BinaryDigest] {
        let missing = try request(digests, depth: 0)
        // A recipe whose pieces did not all come cannot be compared.
        if missing.isEmpty { try receiver.settle() }
        return missing
    }

    private func request(_ digests: [BinaryDigest], depth: Int) throws -> [BinaryDigest] {
        var seen: Set<BinaryDigest> = []
        let wanted = try session.looking {
            try digests.filter { digest in
                guard seen.insert(digest).inserted else { return false }
                return try !session.keeps(digest)
            }
        }
        var absent: [BinaryDigest] = []
        for start in stride(from: 0, to: wanted.count, by: 1024) {
            let part = wanted[start..<min(start + 1024, wanted.count)]
            try peer.send(.get, part)
            try peer.flush()
            var pieces: [BinaryDigest] = []
            for digest in part {
                let (kind, bytes) = try peer.receive()
                switch kind {
                case .error: throw Wire.error(bytes)
                case .missing: absent.append(digest)
                case .file: try receiver.take(file: bytes, wanted: digest)
                case .record:
                    for piece in try receiver.take(record: bytes, wanted: digest).recipe?.pieces ?? []
                    where piece.kind != .zeros {
                        pieces.append(piece.digest)
                    }
                default: throw peer.strange("'\(kind)' in the place of a blob")
                }
                progress(peer.received)
            }
            guard !pieces.isEmpty else { continue }
            guard depth < 4 else { throw peer.strange("a recipe that is too deep") }
            absent += try request(pieces, depth: depth + 1)
            if depth == 0, absent.isEmpty, receiver.isFull { try receiver.settle() }
        }
        return absent
    }

    /// Gets blobs as whole files, however they are kept there.
    ///
    /// - Returns: what the other side does not have.
    func getFiles(_ digests: [BinaryDigest]) throws -> [BinaryDigest] {
        var absent: [BinaryDigest] = []
        for digest in digests {
            try peer.send(.getBytes, [digest])
            try peer.flush()
            let (kind, bytes) = try peer.receive()
            switch kind {
            case .error: throw Wire.error(bytes)
            case .missing: absent.append(digest)
            case .file: try receiver.take(file: bytes, wanted: digest)
            default: throw peer.strange("'\(kind)' in the place of a blob")
            }
            progress(peer.received)
        }
        return absent
    }
}
