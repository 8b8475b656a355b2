internal import VoltCore

/// Where a record is: 64 bytes in a segment of the index.
///
///     32 bytes digest, u64 pack, u64 offset of the record, u64 length, u32 stored, u8 kind, u8 coding, u16 zero
struct IndexEntry: Equatable, Sendable {
    static let count = 64

    var digest: BinaryDigest
    var pack: UInt64
    var offset: UInt64
    var length: UInt64
    var stored: UInt32
    var kind: RecordKind
    var coding: RecordCoding

    init(_ record: PackRecord, pack: UInt64, offset: UInt64) {
        digest = record.digest
        self.pack = pack
        self.offset = offset
        length = record.length
        stored = record.stored
        kind = record.kind
        coding = record.coding
    }

    func write(to writer: inout ByteWriter) {
        writer.digest(digest)
        writer.fixed(pack)
        writer.fixed(offset)
        writer.fixed(length)
        writer.fixed(stored)
        writer.byte(kind.rawValue)
        writer.byte(coding.rawValue)
        writer.fixed(UInt16(0))
    }

    init(_ bytes: UnsafeRawBufferPointer) throws(FormatError) {
        var reader = ByteReader(bytes)
        digest = try reader.digest()
        pack = try reader.fixed(UInt64.self)
        offset = try reader.fixed(UInt64.self)
        length = try reader.fixed(UInt64.self)
        stored = try reader.fixed(UInt32.self)
        guard let kind = RecordKind(rawValue: try reader.byte()),
            let coding = RecordCoding(rawValue: try reader.byte()), try reader.fixed(UInt16.self) == 0,
            stored <= Recipe.largestStored, kind == .recipe || length <= UInt64(Recipe.largestPiece),
            length <= UInt64(Int64.max), offset <= UInt64(Int64.max)
        else { throw FormatError("has an entry that cannot be") }
        self.kind = kind
        self.coding = coding
    }

    var record: PackRecord {
        PackRecord(kind: kind, coding: coding, length: length, stored: stored, digest: digest)
    }
}

/// The head of a segment of the index, a file of sorted entries that is never changed:
///
///     "VOLTINDX", u32 version, u32 bits, u64 count, 32 bytes SHA-256 of the entries, 8 bytes zero
///     2^bits times u32: how many entries have a digest whose first bits are at most this number
///     count entries
struct IndexHeader: Equatable, Sendable {
    static let magic = Array("VOLTINDX".utf8)
    static let version: UInt32 = 1
    static let byteCount = 64

    var bits: Int
    var count: Int
    var check: BinaryDigest

    /// Bits for about 16 entries a bucket.
    static func bits(for count: Int) -> Int {
        var bits = 8
        while bits < 24, count >> bits > 16 { bits += 1 }
        return bits
    }

    var entriesOffset: Int { Self.byteCount + (4 << bits) }
    var fileCount: Int { entriesOffset + count * IndexEntry.count }

    init(bits: Int, count: Int, check: BinaryDigest) {
        self.bits = bits
        self.count = count
        self.check = check
    }

    var bytes: [UInt8] {
        var writer = ByteWriter(capacity: Self.byteCount)
        writer.raw(Self.magic)
        writer.fixed(Self.version)
        writer.fixed(UInt32(bits))
        writer.fixed(UInt64(count))
        writer.digest(check)
        writer.fixed(UInt64(0))
        return writer.bytes
    }

    init(_ bytes: UnsafeRawBufferPointer) throws(FormatError) {
        var reader = ByteReader(bytes)
        guard try reader.raw(Self.magic.count).elementsEqual(Self.magic) else {
            throw FormatError("is not an index")
        }
        let version = try reader.fixed(UInt32.self)
        guard version == Self.version else { throw FormatError("is an index of version \(version)") }
        let bits = try reader.fixed(UInt32.self)
        let count = try reader.fixed(UInt64.self)
        guard (8...24).contains(bits), count <= UInt64(UInt32.max) else {
            throw FormatError("has a size that cannot be")
        }
        self.bits = Int(bits)
        self.count = Int(count)
        check = try reader.digest()
        guard try reader.fixed(UInt64.self) == 0 else { throw FormatError("is not an index of this version") }
    }
}
