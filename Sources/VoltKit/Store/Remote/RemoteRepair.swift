public import VoltCore
internal import VoltSystem

/// What a repair from another store did.
public struct RemoteRepairResult: Sendable, Codable {
    /// Files and records that were damaged, and were put aside.
    public var damaged = 0
    /// Blobs and pieces that came from the other store.
    public var mended = 0
    /// Digests that are needed, missing here, and not in the other store; the first 100.
    public var missing: [Digest] = []
}

extension ContentStore {
    /// Reads every byte, puts aside what is damaged, and gets what is missing from another store.
    ///
    /// - Parameter progress: told with the bytes read, of how many, then with the bytes received.
    public func repair(
        from address: RemoteAddress, progress: @escaping @Sendable (UInt64, UInt64?) -> Void = { _, _ in }
    ) throws -> RemoteRepairResult {
        var options = VerifyOptions()
        options.readsData = true
        options.quarantines = true
        options.progress = { progress($0, $1) }
        var result = RemoteRepairResult()
        result.damaged = try verify(options).damagedCount
        // A segment of the index that was put aside spoke of records that are sound.
        if result.damaged > 0 { _ = try repairIndex() }
        return try RemoteStore.using(address, reading: true) { peer in
            let session = try WriteSession(self)
            defer { session.end() }
            let pull = Pull(session, peer) { progress($0, nil) }
            var hopeless: Set<BinaryDigest> = []
            // A tree that came needs more that may be missing.
            while true {
                let missing = try missing(in: session).filter { !hopeless.contains($0.digest) }
                guard !missing.isEmpty else { break }
                var whole: Set<BinaryDigest> = []
                for (digest, owners) in missing {
                    guard try !pull.getSome([digest]).isEmpty else { continue }
                    // The other store cut the blob elsewhere, or has it whole: then here it is whole too.
                    let absent = owners.isEmpty ? [digest] : try pull.getFiles(owners)
                    if !absent.isEmpty { hopeless.insert(digest) }
                    if !owners.isEmpty, absent.isEmpty { whole.formUnion(owners) }
                }
                try session.finish()
                if !whole.isEmpty { try forget(whole, session) }
            }
            result.mended = pull.count
            result.missing = hopeless.sorted().prefix(100).map(\.digest)
            return result
        }
    }

    /// What a root needs and is missing, with the blobs of which it is a piece.
    private func missing(in session: WriteSession) throws -> [(digest: BinaryDigest, owners: [BinaryDigest])]
    {
        var marks = try Marks(self, in: session.directory, now: SystemClock().now())
        try marks.findMissing()
        let missing = Set(marks.missing.map(\.digest))
        guard !missing.isEmpty else { return [] }
        var owners: [BinaryDigest: [BinaryDigest]] = [:]
        let reader = BlobReader(self)
        var entries = try SortedMerge(index.current())
        while let entry = try entries.next() {
            guard entry.kind == .recipe else { continue }
            for piece in try reader.recipe(entry).pieces where missing.contains(piece.digest) {
                owners[piece.digest, default: []].append(entry.digest)
            }
        }
        return missing.sorted().map { ($0, owners[$0] ?? []) }
    }

    /// Takes records out of the index whose blobs are whole files now.
    private func forget(_ digests: Set<BinaryDigest>, _ session: WriteSession) throws {
        let lock = try FileLock.wait(for: layout.indexLock)
        let segments = try index.current()
        let path = "\(session.directory)/kept\(UInt32.random(in: 0...UInt32.max)).idx"
        let writer = try IndexSegmentWriter(path, expected: segments.reduce(0) { $0 + $1.header.count })
        var entries = try SortedMerge(segments)
        let packs = try packNumbers()
        while let entry = try entries.next() {
            if !digests.contains(entry.digest), packs.contains(entry.pack) { try writer.add(entry) }
        }
        try writer.finish()
        try index.publish(path)
        for segment in segments { try Files.remove(segment.path) }
        try Files.syncDirectory(layout.index)
        lock.keep()
    }
}
