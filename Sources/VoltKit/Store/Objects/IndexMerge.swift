internal import Glibc
internal import VoltCore
internal import VoltSystem

/// Merges small segments of the index into larger ones, so that a lookup has few to look into.
struct IndexMerge {
    private let store: ContentStore

    init(_ store: ContentStore) { self.store = store }

    /// Merges when there are many segments of about a size.
    ///
    /// - Parameter directory: on the file system of the store, for the new segment.
    func runIfWorthwhile(in directory: String) throws {
        guard try store.index.paths().count >= 4, let lock = try FileLock.tryLock(store.layout.indexLock)
        else {
            return
        }
        let segments = try store.index.current().sorted { $0.header.count < $1.header.count }
        var chosen: [IndexSegment] = []
        var sum = 0
        for segment in segments {
            guard chosen.count < 2 || segment.header.count <= 2 * sum else { break }
            chosen.append(segment)
            sum += segment.header.count
        }
        if chosen.count >= 4 {
            let path = "\(directory)/merged.idx"
            let writer = try IndexSegmentWriter(path, expected: sum)
            var merge = try SortedMerge(chosen)
            let packs = try store.packNumbers()
            while let entry = try merge.next() { if packs.contains(entry.pack) { try writer.add(entry) } }
            try writer.finish()
            try store.index.publish(path)
            for segment in chosen { try Files.remove(segment.path) }
        }
        lock.keep()
    }
}

/// The entries of several segments in the order of their digests; one that is in several comes several times.
struct SortedMerge {
    private var cursors: [IndexSegment.Cursor]
    private var heads: [IndexEntry?]

    init(_ segments: [IndexSegment]) throws {
        cursors = segments.map { $0.entries() }
        heads = []
        for index in cursors.indices { heads.append(try cursors[index].read()) }
    }

    mutating func next() throws -> IndexEntry? {
        var least: Int?
        for (index, head) in heads.enumerated() {
            guard let head else { continue }
            if let current = least, let other = heads[current], other.digest <= head.digest { continue }
            least = index
        }
        guard let least else { return nil }
        let entry = heads[least]
        heads[least] = try cursors[least].read()
        return entry
    }
}
