internal import Glibc
internal import VoltCore
internal import VoltSystem

/// Puts into the store what the other side gives; nothing is taken that is not what its digest says.
final class BlobReceiver {
    private let session: WriteSession
    private let peer: Peer
    private let reader: BlobReader
    /// Recipes whose pieces have to be there before they can be compared.
    private var recipes: [(record: PackRecord, bytes: [UInt8])] = []
    private var recipeBytes = 0
    /// Blobs and pieces that came.
    private(set) var count = 0
    /// Bytes that were hashed, or are to be, without having come: zeros, and pieces that are there.
    private var hashed: UInt64 = 0
    /// What the other side may have hashed before it has sent something, and for each byte that it has sent.
    private static let freely: UInt64 = 4 << 40
    private static let forEachByte: UInt64 = 1024

    init(_ session: WriteSession, _ peer: Peer) {
        self.session = session
        self.peer = peer
        reader = BlobReader(session.store)
    }

    /// Takes a record.
    ///
    /// - Parameter wanted: the digest that was asked for; nil takes any.
    /// - Returns: the record, and its pieces when it is a recipe.
    @discardableResult
    func take(record bytes: UnsafeRawBufferPointer, wanted: BinaryDigest? = nil) throws -> (
        record: PackRecord, recipe: Recipe?
    ) {
        let record: PackRecord
        var recipe: Recipe?
        let content: UnsafeRawBufferPointer
        do throws(FormatError) {
            guard bytes.count >= PackRecord.headerCount else {
                throw FormatError("a record that ends too early")
            }
            record = try PackRecord(UnsafeRawBufferPointer(rebasing: bytes[..<PackRecord.headerCount]))
            content = UnsafeRawBufferPointer(rebasing: bytes[PackRecord.headerCount...])
            guard content.count == Int(record.stored) else { throw FormatError("a record of another length") }
            if record.kind == .recipe {
                recipe = try Recipe(content)
                guard recipe?.length == record.length, record.length <= UInt64(Recipe.largestBlob) else {
                    throw FormatError("a recipe of another length")
                }
            }
        } catch { throw peer.strange("what \(error.reason)") }
        if let wanted, record.digest != wanted {
            throw peer.strange("'\(record.digest.digest)' in the place of '\(wanted.digest)'")
        }
        // Decompressed and compared; of a recipe only its own bytes.
        _ = try reader.open(record, content, "what came")
        count += 1
        if let recipe {
            if !isGroup(record, Array(content)) { try charge(recipe.length) }
            recipes.append((record, Array(content)))
            recipeBytes += content.count
            return (record, recipe)
        }
        if try !session.looking({ try session.keeps(record.digest) }), session.packs.claim(record.digest) {
            try session.packs.append(record, content)
        }
        return (record, nil)
    }

    /// A few bytes name any number of zeros, and a piece as often as they like: the work has to be in proportion to what
    /// came.
    private func charge(_ count: UInt64) throws {
        hashed = hashed.addingClamped(count)
        let (due, overflow) = peer.received.multipliedReportingOverflow(by: Self.forEachByte)
        guard !overflow, hashed > Self.freely.addingClamped(due) else { return }
        throw peer.strange("blobs of \(ByteSize(bytes: hashed)) in \(ByteSize(bytes: peer.received))")
    }

    /// Whether the recipes that wait take much memory.
    var isFull: Bool { recipeBytes >= 8 << 20 || recipes.count >= Wire.mostDigests }

    /// Compares the recipes with the bytes that they make, and takes them; call it when their pieces came.
    func settle() throws {
        guard !recipes.isEmpty else { return }
        let waiting = recipes
        recipes = []
        recipeBytes = 0
        try session.packs.finish()
        // Those of groups are named by their own bytes, and come before the recipes that have them.
        for (record, bytes) in waiting where isGroup(record, bytes) { try append(record, bytes) }
        try session.packs.finish()
        for (record, bytes) in waiting where !isGroup(record, bytes) {
            let recipe = try bytes.withUnsafeBytes { try Recipe($0) }
            guard try reader.digest(of: recipe) == record.digest else {
                throw peer.strange("a recipe of other bytes than '\(record.digest.digest)'")
            }
            try append(record, bytes)
        }
    }

    private func isGroup(_ record: PackRecord, _ bytes: [UInt8]) -> Bool {
        let hasher = BlobHasher()
        bytes.withUnsafeBytes { hasher.update($0) }
        return hasher.take() == record.digest
    }

    private func append(_ record: PackRecord, _ bytes: [UInt8]) throws {
        if try session.looking({ try session.keeps(record.digest) }) { return }
        guard session.packs.claim(record.digest) else { return }
        try bytes.withUnsafeBytes { try session.packs.append(record, $0) }
    }

    /// Takes a whole file, whose first frame came.
    ///
    /// - Parameter wanted: the digest that was asked for; nil takes any.
    func take(file head: UnsafeRawBufferPointer, wanted: BinaryDigest? = nil) throws {
        let size: UInt64
        let digest: BinaryDigest
        do throws(FormatError) {
            var reader = ByteReader(head)
            size = try reader.fixed(UInt64.self)
            digest = try reader.digest()
            guard reader.isAtEnd, size <= UInt64(Recipe.largestBlob) else {
                throw FormatError("a file of a wrong size")
            }
        } catch { throw peer.strange(error.reason) }
        if let wanted, digest != wanted {
            throw peer.strange("'\(digest.digest)' in the place of '\(wanted.digest)'")
        }
        let temporary = try session.bare.temporary()
        let hasher = BlobHasher()
        var offset: UInt64 = 0
        loop: while true {
            let (kind, bytes) = try peer.receive()
            var added = UInt64(bytes.count)
            switch kind {
            case .end: break loop
            case .error: throw Wire.error(bytes)
            case .bytes:
                guard added <= size - offset else { throw peer.strange("more bytes than it said") }
                hasher.update(bytes)
                try temporary.write(bytes, at: Int(offset))
            case .zeros:
                guard bytes.count == 8 else { throw peer.strange("a hole of no size") }
                added = UInt64(littleEndian: bytes.loadUnaligned(as: UInt64.self))
                guard added <= size - offset else { throw peer.strange("more bytes than it said") }
                try charge(added)
                Zeros.each(Int(added)) { hasher.update($0) }
            default: throw peer.strange("'\(kind)' within a file")
            }
            offset += added
        }
        guard offset == size, ftruncate(temporary.descriptor, off_t(size)) == 0, hasher.take() == digest
        else {
            throw peer.strange("other bytes than those of '\(digest.digest)'")
        }
        count += 1
        if try session.looking({ try session.keepsBare(digest) }) {
            try Files.remove(temporary.path)
        } else {
            try session.bare.add(digest, temporary.path, size: size)
        }
    }
}
