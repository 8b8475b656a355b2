internal import Glibc
internal import VoltCore

/// Cuts the bytes of a blob into pieces and puts those into packs that are not in the store yet. One for each
/// thread, for one blob after the other.
final class BlobWriter {
    private let session: WriteSession
    private let zstd = Zstandard()
    private let chunker = Chunker.standard
    private let whole = BlobHasher()
    private let hasher = BlobHasher()
    private let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 2 << 20, alignment: 4096)
    private var start = 0
    private var end = 0
    private var recipe = Recipe()
    private var groups = Recipe()
    private var length: UInt64 = 0

    init(_ session: WriteSession) { self.session = session }

    deinit { buffer.deallocate() }

    /// Stores bytes that are a whole blob, unless they are there.
    ///
    /// - Parameter bytes: at most `Chunker.whole`.
    func store(_ digest: BinaryDigest, _ bytes: UnsafeRawBufferPointer) throws {
        guard session.packs.claim(digest) else { return }
        let compressed = zstd.compress(bytes)
        let stored = compressed ?? bytes
        try session.packs.append(
            PackRecord(
                kind: .data, coding: compressed == nil ? .plain : .zstd, length: UInt64(bytes.count),
                stored: UInt32(stored.count), digest: digest), stored)
    }

    /// The digest of bytes.
    func digest(_ bytes: UnsafeRawBufferPointer) -> BinaryDigest {
        hasher.update(bytes)
        return hasher.take()
    }

    // MARK: A blob piece by piece

    /// The room for the next bytes of the blob; `filled` says how many came.
    var room: UnsafeMutableRawBufferPointer {
        if start > 0, buffer.count - end < buffer.count / 2 {
            if let base = buffer.baseAddress { memmove(base, base + start, end - start) }
            end -= start
            start = 0
        }
        return UnsafeMutableRawBufferPointer(rebasing: buffer[end...])
    }

    /// Takes bytes that were put into `room`.
    func filled(_ count: Int) throws {
        whole.update(UnsafeRawBufferPointer(rebasing: buffer[end..<end + count]))
        end += count
        length += UInt64(count)
        // The cut of the last ones is only known when more came.
        while end - start > chunker.largest * 2 { try cut() }
    }

    /// Adds bytes.
    func write(_ bytes: UnsafeRawBufferPointer) throws {
        var rest = bytes
        while !rest.isEmpty {
            let room = room
            let count = min(room.count, rest.count)
            UnsafeMutableRawBufferPointer(rebasing: room[..<count]).copyMemory(
                from: UnsafeRawBufferPointer(rebasing: rest[..<count]))
            try filled(count)
            rest = UnsafeRawBufferPointer(rebasing: rest[count...])
        }
    }

    /// Adds bytes that are zero, without making a chunk of them.
    func zeros(_ count: UInt64) throws {
        guard count > 0 else { return }
        while start < end { try cut() }
        start = 0
        end = 0
        var left = count
        while left > 0 {
            let part = min(left, 1 << 30)
            Zeros.each(Int(part)) { whole.update($0) }
            left -= part
        }
        length += count
        try add(.init(kind: .zeros, length: count, digest: .zero))
    }

    /// Ends the blob.
    func finish() throws -> (digest: BinaryDigest, length: UInt64) {
        defer { reset() }
        let digest = whole.take()
        let total = length
        if recipe.pieces.isEmpty, groups.pieces.isEmpty, end - start <= Chunker.whole {
            let bytes = UnsafeRawBufferPointer(rebasing: buffer[start..<end])
            if try !session.looking({ try session.keeps(digest) }) { try store(digest, bytes) }
            return (digest, total)
        }
        while start < end { try cut() }
        if !groups.pieces.isEmpty {
            try endGroup()
            recipe = groups
        }
        // One piece that is the whole blob needs no recipe.
        if recipe.pieces.count == 1, recipe.pieces[0].kind == .data { return (digest, total) }
        if try !session.looking({ try session.keeps(digest) }), session.packs.claim(digest) {
            try append(recipe, digest, total)
        }
        return (digest, total)
    }

    /// Forgets a blob that was begun.
    func reset() {
        _ = whole.take()
        start = 0
        end = 0
        length = 0
        recipe = Recipe()
        groups = Recipe()
    }

    private func cut() throws {
        let bytes = UnsafeRawBufferPointer(rebasing: buffer[start..<end])
        let count = chunker.cut(bytes)
        let chunk = UnsafeRawBufferPointer(rebasing: bytes[..<count])
        start += count
        if Zeros.are(chunk) { return try add(.init(kind: .zeros, length: UInt64(count), digest: .zero)) }
        let digest = digest(chunk)
        if try !session.looking({ try session.keeps(digest) }) { try store(digest, chunk) }
        try add(.init(kind: .data, length: UInt64(count), digest: digest))
    }

    private func add(_ piece: Recipe.Piece) throws {
        if piece.kind == .zeros, let last = recipe.pieces.indices.last, recipe.pieces[last].kind == .zeros {
            recipe.pieces[last].length += piece.length
            return
        }
        recipe.pieces.append(piece)
        if recipe.pieces.count == Recipe.mostPieces { try endGroup() }
    }

    /// Makes a record of the pieces so far, which is one piece of the recipe above.
    private func endGroup() throws {
        guard !recipe.pieces.isEmpty else { return }
        let bytes = recipe.bytes
        let digest = bytes.withUnsafeBytes { self.digest($0) }
        let length = recipe.length
        if try !session.looking({ try session.keeps(digest) }), session.packs.claim(digest) {
            try append(recipe, digest, length)
        }
        groups.pieces.append(.init(kind: .recipe, length: length, digest: digest))
        recipe = Recipe()
    }

    private func append(_ recipe: Recipe, _ digest: BinaryDigest, _ length: UInt64) throws {
        let bytes = recipe.bytes
        try bytes.withUnsafeBytes { bytes in
            let check = self.digest(bytes).check
            try session.packs.append(
                PackRecord(
                    kind: .recipe, coding: .plain, length: length, stored: UInt32(bytes.count), check: check,
                    digest: digest), bytes)
        }
    }
}
