internal import Glibc
internal import VoltCore
internal import VoltSystem

/// What making the index anew found.
public struct IndexRepairResult: Sendable, Codable {
    /// Packs read.
    public var packs = 0
    /// Records found whole.
    public var records = 0
    /// Packs that could not be read to their end, with the reason.
    public var damaged: [String] = []
}

extension ContentStore {
    /// Makes the index anew from the packs, which say themselves what is in them. What is damaged in a pack is left out.
    public func repairIndex() throws -> IndexRepairResult {
        let session = try WriteSession(self)
        defer { session.end() }
        let lock = try FileLock.wait(for: layout.indexLock)
        let old = try index.paths()
        let reader = BlobReader(self)
        var result = IndexRepairResult()
        for name in try Files.list(layout.packs) {
            guard let number = StoreLayout.number(name, suffix: ".pack") else { continue }
            result.packs += 1
            var entries: [IndexEntry] = []
            do {
                try PackScan.each(layout.pack(number)) { record, content, offset in
                    guard (try? reader.open(record, content, name)) != nil else {
                        result.damaged.append("'\(layout.pack(number))' has a damaged record at \(offset)")
                        return
                    }
                    entries.append(IndexEntry(record, pack: number, offset: UInt64(offset)))
                }
            } catch let error as VoltError { result.damaged.append(error.message) }
            result.records += entries.count
            guard !entries.isEmpty else { continue }
            entries.sort { $0.digest < $1.digest }
            let path = "\(session.directory)/\(name).idx"
            let writer = try IndexSegmentWriter(path, expected: entries.count)
            for entry in entries { try writer.add(entry) }
            try writer.finish()
            try index.publish(path)
        }
        for path in old { try Files.remove(path) }
        try Files.syncDirectory(layout.index)
        lock.keep()
        try session.finish()
        return result
    }
}
