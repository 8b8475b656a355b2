internal import Glibc
internal import VoltCore

/// An open segment of the index.
final class IndexSegment: Sendable {
    let path: String
    let header: IndexHeader
    private let file: StoreFile
    private let ends: [UInt32]

    /// - Throws: `VoltError` when it is damaged, or of a newer version.
    init(_ path: String) throws {
        let file = try StoreFile(reading: path)
        let header: IndexHeader
        var head = [UInt8](repeating: 0, count: IndexHeader.byteCount)
        let count = try head.withUnsafeMutableBytes { try file.read(at: 0, into: $0) }
        do {
            guard count == head.count else { throw FormatError("ends too early") }
            header = try head.withUnsafeBytes { try IndexHeader($0) }
            guard file.size == header.fileCount else { throw FormatError("has another length than it says") }
        } catch let error as FormatError { throw Self.damage(path, error) }
        var table = [UInt8](repeating: 0, count: 4 << header.bits)
        _ = try table.withUnsafeMutableBytes { try file.read(at: IndexHeader.byteCount, into: $0) }
        let buckets = 1 << header.bits
        let ends = table.withUnsafeBytes { bytes in
            (0..<buckets).map {
                UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: $0 * 4, as: UInt32.self))
            }
        }
        guard ends.last == UInt32(header.count), zip(ends, ends.dropFirst()).allSatisfy({ $0 <= $1 }) else {
            throw Self.damage(path, FormatError("has a table that is out of order"))
        }
        self.path = path
        self.file = file
        self.header = header
        self.ends = ends
    }

    static func damage(_ path: String, _ error: FormatError) -> VoltError {
        VoltError(
            .failed, "index '\(path)' \(error.reason)",
            hint: "run 'volt cas repair --index', which makes the index anew from the packs")
    }

    /// The entry of a digest, or nil.
    func entry(_ digest: BinaryDigest) throws -> IndexEntry? {
        let bucket = Int(digest.words.0 >> UInt64(64 - header.bits))
        var low = bucket == 0 ? 0 : Int(ends[bucket - 1])
        var high = Int(ends[bucket])
        // A bucket has 16 entries or so: one read of the disk.
        while low < high {
            let most = min(high - low, 64)
            let start = high - low <= 64 ? low : (low + high) / 2 - 32
            let (order, entry) = try look(for: digest, in: start, most)
            if let entry { return entry }
            if order == 0 { return nil }
            if order < 0 { high = start } else { low = start + most }
        }
        return nil
    }

    /// - Returns: the entry; or where to look on: -1 before these, 1 behind them, 0 nowhere.
    private func look(for digest: BinaryDigest, in start: Int, _ count: Int) throws -> (
        order: Int, entry: IndexEntry?
    ) {
        try withUnsafeTemporaryAllocation(byteCount: count * IndexEntry.count, alignment: 8) { buffer in
            let read = try file.read(at: header.entriesOffset + start * IndexEntry.count, into: buffer)
            guard read == buffer.count, let base = buffer.baseAddress else {
                throw Self.damage(path, FormatError("ends too early"))
            }
            return try search(digest, base, count)
        }
    }

    private func search(_ digest: BinaryDigest, _ base: UnsafeMutableRawPointer, _ count: Int) throws
        -> (order: Int, entry: IndexEntry?)
    {
        for index in 0..<count {
            let place = base + index * IndexEntry.count
            let other = BinaryDigest(UnsafeRawPointer(place))
            if other == digest {
                return (0, try parse(UnsafeRawBufferPointer(start: place, count: IndexEntry.count)))
            }
            if digest < other { return (index == 0 ? -1 : 0, nil) }
        }
        return (1, nil)
    }

    private func parse(_ bytes: UnsafeRawBufferPointer) throws -> IndexEntry {
        do throws(FormatError) { return try IndexEntry(bytes) } catch { throw Self.damage(path, error) }
    }

    /// Every entry in the order of the digests.
    func entries() -> Cursor { Cursor(self) }

    /// Reads the entries of a segment one after the other.
    struct Cursor {
        private let segment: IndexSegment
        private var next = 0
        private var buffer: [UInt8] = []
        private var place = 0

        init(_ segment: IndexSegment) { self.segment = segment }

        mutating func read() throws -> IndexEntry? {
            guard next < segment.header.count else { return nil }
            if place == buffer.count {
                let count = min(1024, segment.header.count - next) * IndexEntry.count
                if buffer.count != count { buffer = [UInt8](repeating: 0, count: count) }
                let offset = segment.header.entriesOffset + next * IndexEntry.count
                let file = segment.file
                guard try buffer.withUnsafeMutableBytes({ try file.read(at: offset, into: $0) }) == count
                else {
                    throw IndexSegment.damage(segment.path, FormatError("ends too early"))
                }
                place = 0
            }
            let start = place
            let parse = segment.parse
            let entry = try buffer.withUnsafeBytes {
                try parse(UnsafeRawBufferPointer(rebasing: $0[start..<start + IndexEntry.count]))
            }
            place += IndexEntry.count
            next += 1
            return entry
        }
    }

    /// Whether the entries are those that were written, in order.
    func check() throws {
        let hasher = BlobHasher()
        var cursor = entries()
        var last: BinaryDigest?
        var writer = ByteWriter(capacity: IndexEntry.count)
        var counts = [UInt32](repeating: 0, count: ends.count)
        while let entry = try cursor.read() {
            if let last, !(last < entry.digest) { throw Self.damage(path, FormatError("is out of order")) }
            last = entry.digest
            counts[Int(entry.digest.words.0 >> UInt64(64 - header.bits))] += 1
            writer.removeAll()
            entry.write(to: &writer)
            writer.bytes.withUnsafeBytes { hasher.update($0) }
        }
        guard hasher.take() == header.check else {
            throw Self.damage(path, FormatError("has other bytes than were written"))
        }
        var total: UInt32 = 0
        for (count, end) in zip(counts, ends) {
            total += count
            guard total == end else { throw Self.damage(path, FormatError("has a table that is wrong")) }
        }
    }
}

/// Writes a segment from entries that come in order.
final class IndexSegmentWriter {
    private let file: StoreFile
    private let bits: Int
    private var ends: [UInt32]
    private var count = 0
    private var last: BinaryDigest?
    private let hasher = BlobHasher()
    private var buffer = ByteWriter(capacity: 1 << 16)
    private var offset: Int

    /// - Parameter expected: at most so many entries come.
    init(_ path: String, expected: Int) throws {
        file = try StoreFile(creating: path)
        bits = IndexHeader.bits(for: expected)
        ends = [UInt32](repeating: 0, count: 1 << bits)
        offset = IndexHeader(bits: bits, count: 0, check: .zero).entriesOffset
    }

    var entryCount: Int { count }

    /// Adds an entry; one of the digest before is left out.
    func add(_ entry: IndexEntry) throws {
        if entry.digest == last { return }
        last = entry.digest
        entry.write(to: &buffer)
        ends[Int(entry.digest.words.0 >> UInt64(64 - bits))] += 1
        count += 1
        if buffer.count >= 1 << 16 { try flush() }
    }

    private func flush() throws {
        try buffer.bytes.withUnsafeBytes { bytes in
            hasher.update(bytes)
            try file.write(bytes, at: offset)
        }
        offset += buffer.count
        buffer.removeAll()
    }

    /// Makes the file durable.
    func finish() throws {
        try flush()
        var head = ByteWriter(capacity: IndexHeader.byteCount + 4 << bits)
        head.raw(IndexHeader(bits: bits, count: count, check: hasher.take()).bytes)
        var total: UInt32 = 0
        for number in ends {
            total += number
            head.fixed(total)
        }
        try head.bytes.withUnsafeBytes { try file.write($0, at: 0) }
        try file.sync()
    }
}
