internal import Glibc
internal import VoltCore
internal import VoltSystem

/// Reads blobs of a store; one for each thread. What it gives was compared with its digest, piece by piece
/// where a blob is packed.
final class BlobReader {
    /// A part of a blob.
    enum Part {
        case bytes(UnsafeRawBufferPointer)
        /// So many bytes that are zero.
        case zeros(Int)

        var count: Int {
            switch self {
            case .bytes(let bytes): bytes.count
            case .zeros(let count): count
            }
        }
    }

    private let store: ContentStore
    private let zstd = Zstandard()
    private let hasher = BlobHasher()
    private var packs: [UInt64: StoreFile] = [:]
    private var stored = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 20, alignment: 16)
    private var plain = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 20, alignment: 16)

    init(_ store: ContentStore) { self.store = store }

    deinit {
        stored.deallocate()
        plain.deallocate()
    }

    /// Gives the bytes of a blob, in order.
    ///
    /// The last part of a blob that is bare or of many pieces comes before the whole was compared with its
    /// digest: only after the call are the bytes known to be right.
    ///
    /// - Parameters:
    ///   - range: the bytes wanted; nil for all. With a range a bare blob is not compared.
    ///   - body: takes the bytes, which are valid during the call.
    func read(_ digest: BinaryDigest, range: Range<UInt64>? = nil, _ body: (Part) throws -> Void) throws {
        if digest == .empty { return }
        let packed = try store.index.entries(digest)
        let isBare = Files.exists(store.layout.object(digest))
        guard let first = packed.first else {
            guard isBare else { throw ContentStore.missing(digest) }
            return try readBare(digest, range, body)
        }
        guard isBare else { return try readPacked(first, range, body) }
        // Of two copies the packed one: each piece of it is compared before it is given out.
        let wanted = range ?? 0..<first.length
        var place = wanted.lowerBound
        var refusal: (any Error)?
        do {
            try readPacked(first, range) { part in
                do { try body(part) } catch {
                    refusal = error
                    throw error
                }
                place += UInt64(part.count)
            }
        } catch {
            guard refusal == nil, error is VoltError, place < wanted.upperBound,
                try self.digest(ofFile: store.layout.object(digest)).digest == digest
            else { throw error }
            try readBare(digest, place..<wanted.upperBound, body)
        }
    }

    /// Compares the whole file of a blob with its digest.
    func checkBare(_ digest: BinaryDigest) throws { try readBare(digest, nil) { _ in } }

    /// The whole of a small blob.
    ///
    /// - Parameter limit: the most bytes it may have.
    func bytes(_ digest: BinaryDigest, limit: Int) throws -> [UInt8] {
        if digest == .empty { return [] }
        guard let place = try store.place(of: digest) else { throw ContentStore.missing(digest) }
        guard place.length <= limit else {
            throw VoltError(
                .refused, "blob '\(digest.digest)' is larger than \(ByteSize(bytes: UInt64(limit)))")
        }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(Int(place.length))
        try read(digest) { part in
            switch part {
            case .bytes(let part): bytes.append(contentsOf: part)
            case .zeros(let count): bytes.append(contentsOf: repeatElement(0, count: count))
            }
        }
        return bytes
    }

    /// Writes a blob to an empty file; zeros become holes.
    func write(_ digest: BinaryDigest, to file: StoreFile) throws {
        var offset = 0
        try read(digest) { part in
            switch part {
            case .zeros(let count): offset += count
            case .bytes(let bytes):
                try file.write(bytes, at: offset)
                offset += bytes.count
            }
        }
        guard ftruncate(file.descriptor, off_t(offset)) == 0 else {
            throw SystemError.current.during("cannot write '\(file.path)'")
        }
    }

    // MARK: Bare

    private func readBare(_ digest: BinaryDigest, _ range: Range<UInt64>?, _ body: (Part) throws -> Void)
        throws
    {
        let file = try StoreFile(reading: store.layout.object(digest))
        try Recipe.checkLength(UInt64(file.size), digest)
        // Of its own: the body may read other blobs.
        let hasher = BlobHasher()
        let low = Int(clamping: range?.lowerBound ?? 0)
        let high = min(file.size, Int(clamping: range?.upperBound ?? UInt64(Int.max)))
        var start = 0
        try FileIngest.eachRegion(file.descriptor, high) { region in
            switch region {
            case .hole(let count):
                let wanted = start + count - max(start, low)
                if wanted > 0 { try body(.zeros(min(wanted, count))) }
                if range == nil { Zeros.each(count) { hasher.update($0) } }
                start += count
            case .data(let data):
                start = data.upperBound
                var offset = max(data.lowerBound, low)
                while offset < data.upperBound {
                    let wanted = min(plain.count, data.upperBound - offset)
                    let count = try file.read(
                        at: offset, into: UnsafeMutableRawBufferPointer(rebasing: plain[..<wanted]))
                    guard count > 0 else { return }
                    let part = UnsafeRawBufferPointer(rebasing: plain[..<count])
                    if range == nil { hasher.update(part) }
                    try body(.bytes(part))
                    offset += count
                }
            }
        }
        if range == nil, hasher.take() != digest {
            throw ContentStore.damaged(digest, "'\(file.path)' has other bytes")
        }
    }

    /// The digest and size of any file; what is a hole in it is not read.
    func digest(ofFile path: String) throws -> (digest: BinaryDigest, size: UInt64) {
        let file = try StoreFile(reading: path)
        let hasher = BlobHasher()
        let size = file.size
        guard size <= Recipe.largestBlob else {
            throw VoltError(.failed, "'\(path)' is larger than any blob")
        }
        var total = 0
        try FileIngest.eachRegion(file.descriptor, size) { region in
            switch region {
            case .hole(let count):
                Zeros.each(count) { hasher.update($0) }
                total += count
            case .data(let range):
                var offset = range.lowerBound
                while offset < range.upperBound {
                    let wanted = min(plain.count, range.upperBound - offset)
                    let count = try file.read(
                        at: offset, into: UnsafeMutableRawBufferPointer(rebasing: plain[..<wanted]))
                    if count == 0 { return }
                    hasher.update(UnsafeRawBufferPointer(rebasing: plain[..<count]))
                    offset += count
                    total += count
                }
            }
        }
        return (hasher.take(), UInt64(total))
    }

    // MARK: Packed

    private func readPacked(_ entry: IndexEntry, _ range: Range<UInt64>?, _ body: (Part) throws -> Void)
        throws
    {
        try Recipe.checkLength(entry.length, entry.digest)
        let bytes = try record(entry)
        let wanted = range ?? 0..<entry.length
        if entry.kind == .data { return try give(bytes, at: 0, wanted, body) }
        // Digests of pieces do not say that the pieces are these and in this order; that of the whole does.
        let whole = BlobHasher()
        let recipe = try recipe(bytes, entry.digest)
        guard recipe.length == entry.length else {
            throw ContentStore.damaged(entry.digest, "its pieces have another length")
        }
        var pieces = Self.mostPieces(entry.length)
        try read(recipe, at: 0, wanted, depth: 0, &pieces) { part in
            if range == nil, case .bytes(let bytes) = part { whole.update(bytes) }
            try body(part)
            // The caller first: it may refuse what takes long to hash.
            if range == nil, case .zeros(let count) = part { Zeros.each(count) { whole.update($0) } }
        }
        if range == nil, whole.take() != entry.digest {
            throw ContentStore.damaged(entry.digest, "its pieces are not those of the blob")
        }
    }

    /// The recipe of a packed blob.
    func recipe(_ entry: IndexEntry) throws -> Recipe { try recipe(try record(entry), entry.digest) }

    /// The digest of the bytes that a recipe makes.
    func digest(of recipe: Recipe) throws -> BinaryDigest {
        let whole = BlobHasher()
        var pieces = Self.mostPieces(recipe.length)
        try read(recipe, at: 0, 0..<recipe.length, depth: 0, &pieces) { part in
            switch part {
            case .bytes(let bytes): whole.update(bytes)
            case .zeros(let count): Zeros.each(count) { whole.update($0) }
            }
        }
        return whole.take()
    }

    /// Gives a record as it is stored, compared with its digest.
    func stored(_ entry: IndexEntry, _ body: (PackRecord, UnsafeRawBufferPointer) throws -> Void) throws {
        _ = try record(entry)
        let header = try? PackRecord(UnsafeRawBufferPointer(rebasing: stored[..<PackRecord.headerCount]))
        guard let header else { return }
        let total = PackRecord.headerCount + Int(header.stored)
        try body(header, UnsafeRawBufferPointer(rebasing: stored[PackRecord.headerCount..<total]))
    }

    private func recipe(_ bytes: UnsafeRawBufferPointer, _ digest: BinaryDigest) throws -> Recipe {
        do throws(FormatError) { return try Recipe(bytes) } catch {
            throw ContentStore.damaged(digest, "it \(error.reason)")
        }
    }

    private func read(
        _ recipe: Recipe, at start: UInt64, _ wanted: Range<UInt64>, depth: Int, _ left: inout UInt64,
        _ body: (Part) throws -> Void
    ) throws {
        var end = start
        for piece in recipe.pieces where piece.length > 0 {
            let offset = end
            end = end.addingClamped(piece.length)
            guard end > wanted.lowerBound else { continue }
            guard offset < wanted.upperBound else { return }
            guard left > 0 else { throw ContentStore.damaged(piece.digest, "its blob has too many pieces") }
            left -= 1
            switch piece.kind {
            case .zeros:
                let part = max(offset, wanted.lowerBound)..<min(end, wanted.upperBound)
                try body(.zeros(Int(part.upperBound - part.lowerBound)))
            case .data:
                try give(try bytes(of: piece), at: offset, wanted, body)
            case .recipe:
                guard depth < 3 else { throw ContentStore.damaged(piece.digest, "its recipe is too deep") }
                let bytes = try record(try self.entry(piece))
                let inner = try self.recipe(bytes, piece.digest)
                guard inner.length == piece.length else {
                    throw ContentStore.damaged(piece.digest, "it has another length than its blob says")
                }
                try read(inner, at: offset, wanted, depth: depth + 1, &left, body)
            }
        }
    }

    /// The pieces that a blob may have in all its recipes: what says more is made to keep readers busy.
    private static func mostPieces(_ length: UInt64) -> UInt64 { 1 << 20 + length / 512 }

    private func bytes(of piece: Recipe.Piece) throws -> UnsafeRawBufferPointer {
        let isBare = Files.exists(store.layout.object(piece.digest))
        if try store.index.entry(piece.digest) != nil || !isBare {
            let entry = try self.entry(piece)
            guard entry.kind == .data else { throw ContentStore.damaged(piece.digest, "it is not a piece") }
            do { return try record(entry) } catch { if !isBare { throw error } }
        }
        // A piece may also be a whole file that was put there bare.
        var bytes: [UInt8] = []
        let size = try StoreFile(reading: store.layout.object(piece.digest)).size
        guard size == Int(piece.length) else {
            throw ContentStore.damaged(piece.digest, "it has another length than its blob says")
        }
        bytes.reserveCapacity(size)
        try readBare(piece.digest, nil) { part in
            switch part {
            case .bytes(let part): bytes.append(contentsOf: part)
            case .zeros(let count): bytes.append(contentsOf: repeatElement(0, count: count))
            }
        }
        reserve(&stored, bytes.count)
        stored.copyBytes(from: bytes)
        return UnsafeRawBufferPointer(rebasing: stored[..<bytes.count])
    }

    private func entry(_ piece: Recipe.Piece) throws -> IndexEntry {
        guard let entry = try store.index.entry(piece.digest) else {
            throw ContentStore.missing(piece.digest)
        }
        guard piece.kind != .data || entry.length == piece.length else {
            throw ContentStore.damaged(piece.digest, "it has another length than its blob says")
        }
        return entry
    }

    private func give(
        _ bytes: UnsafeRawBufferPointer, at offset: UInt64, _ wanted: Range<UInt64>,
        _ body: (Part) throws -> Void
    ) throws {
        let low = max(offset, wanted.lowerBound)
        let high = min(offset.addingClamped(UInt64(bytes.count)), wanted.upperBound)
        guard low < high else { return }
        try body(.bytes(UnsafeRawBufferPointer(rebasing: bytes[Int(low - offset)..<Int(high - offset)])))
    }

    /// The bytes of a record, compared with its digest; valid until the next call. Of one that is damaged, or in a pack
    /// that is gone, another copy.
    func record(_ entry: IndexEntry) throws -> UnsafeRawBufferPointer {
        do { return try copy(entry) } catch {
            // gc may have moved it to another pack since the index was read.
            for other in try store.index.entries(entry.digest)
            where other != entry && other.kind == entry.kind {
                if let bytes = try? copy(other) { return bytes }
            }
            throw error
        }
    }

    private func copy(_ entry: IndexEntry) throws -> UnsafeRawBufferPointer {
        guard let file = try packs[entry.pack] ?? opened(entry.pack) else {
            throw ContentStore.damaged(
                entry.digest, "pack '\(store.layout.pack(entry.pack))' cannot be opened")
        }
        let total = PackRecord.headerCount + Int(entry.stored)
        reserve(&stored, total)
        let count = try file.read(
            at: Int(entry.offset), into: UnsafeMutableRawBufferPointer(rebasing: stored[..<total]))
        let header = UnsafeRawBufferPointer(rebasing: stored[..<min(count, PackRecord.headerCount)])
        var wanted = entry.record
        let record = try? PackRecord(header)
        wanted.check = record?.check ?? 0
        guard count == total, record == wanted else {
            throw ContentStore.damaged(entry.digest, "'\(file.path)' has something else at \(entry.offset)")
        }
        let content = UnsafeRawBufferPointer(rebasing: stored[PackRecord.headerCount..<total])
        return try open(wanted, content, "'\(file.path)' at \(entry.offset)")
    }

    /// Undoes the coding of a record and compares it with its digest.
    ///
    /// - Parameter place: where the record is, for errors.
    func open(_ record: PackRecord, _ content: UnsafeRawBufferPointer, _ place: String) throws
        -> UnsafeRawBufferPointer
    {
        var bytes = content
        switch record.coding {
        case .plain:
            guard record.kind == .recipe || UInt64(content.count) == record.length else {
                throw ContentStore.damaged(record.digest, "\(place) has another length")
            }
        case .zstd:
            reserve(&plain, Int(record.length))
            let room = UnsafeMutableRawBufferPointer(rebasing: plain[..<Int(record.length)])
            // A recipe is never compressed.
            guard record.kind == .data, zstd.decompress(content, into: room) else {
                throw ContentStore.damaged(record.digest, "\(place) cannot be decompressed")
            }
            bytes = UnsafeRawBufferPointer(room)
        }
        hasher.update(bytes)
        let digest = hasher.take()
        let isRight = record.kind == .data ? digest == record.digest : digest.check == record.check
        guard isRight else { throw ContentStore.damaged(record.digest, "\(place) has other bytes") }
        return bytes
    }

    /// nil when it is not there.
    private func opened(_ number: UInt64) throws -> StoreFile? {
        if packs.count >= 64 { packs.removeAll() }
        do throws(VoltError) { packs[number] = try StoreFile(reading: store.layout.pack(number)) } catch {
            guard error.code == .notFound else { throw error }
        }
        return packs[number]
    }

    private func reserve(_ buffer: inout UnsafeMutableRawBufferPointer, _ count: Int) {
        if buffer.count >= count { return }
        buffer.deallocate()
        buffer = .allocate(byteCount: count, alignment: 16)
    }
}

/// Bytes that are zero.
enum Zeros {
    private static let block = [UInt8](repeating: 0, count: 1 << 16)

    /// Calls the body with zeros, so many in all.
    static func each(_ count: Int, _ body: (UnsafeRawBufferPointer) throws -> Void) rethrows {
        try block.withUnsafeBytes { bytes in
            var left = count
            while left > 0 {
                let part = min(left, bytes.count)
                try body(UnsafeRawBufferPointer(rebasing: bytes[..<part]))
                left -= part
            }
        }
    }

    /// Whether all of these bytes are zero.
    static func are(_ bytes: UnsafeRawBufferPointer) -> Bool {
        guard let base = bytes.baseAddress, bytes.first == 0 else { return bytes.isEmpty }
        return memcmp(base, base + 1, bytes.count - 1) == 0
    }
}
