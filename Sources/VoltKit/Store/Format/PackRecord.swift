internal import VoltCore

/// What a record of a pack holds.
enum RecordKind: UInt8, Sendable {
    /// The bytes of a blob, or of a piece of one.
    case data = 0
    /// How a blob is put together of others: see `Recipe`.
    case recipe = 1
}

/// How the bytes of a record are written.
enum RecordCoding: UInt8, Sendable {
    case plain = 0
    /// One frame of Zstandard (RFC 8878).
    case zstd = 1
}

/// A pack is a file of records, one after the other, that is never changed:
///
///     "VOLTPACK" u32 version, u32 zero
///     record: u32 "REC1", u8 kind, u8 coding, u16 zero, u64 length, u32 stored, u32 check, 32 bytes digest,
///             then the stored bytes
struct PackRecord: Equatable, Sendable {
    static let magic = Array("VOLTPACK".utf8)
    static let version: UInt32 = 1
    static let fileHeaderCount = 16
    static let headerCount = 56
    private static let marker: UInt32 = 0x3143_4552

    var kind: RecordKind
    var coding: RecordCoding
    /// The bytes of the blob: of the data, or of what the recipe makes.
    var length: UInt64
    /// The bytes in the pack behind the header.
    var stored: UInt32
    /// Of a recipe the first four bytes of the SHA-256 of the stored bytes, little-endian; else zero.
    var check: UInt32 = 0
    var digest: BinaryDigest

    static var fileHeader: [UInt8] {
        var writer = ByteWriter()
        writer.raw(magic)
        writer.fixed(version)
        writer.fixed(UInt32(0))
        return writer.bytes
    }

    static func checkFileHeader(_ bytes: UnsafeRawBufferPointer) throws(FormatError) {
        var reader = ByteReader(bytes)
        guard try reader.raw(magic.count).elementsEqual(magic) else { throw FormatError("is not a pack") }
        let version = try reader.fixed(UInt32.self)
        guard version == Self.version else { throw FormatError("is a pack of version \(version)") }
        guard try reader.fixed(UInt32.self) == 0 else { throw FormatError("is not a pack of this version") }
    }

    func write(to writer: inout ByteWriter) {
        writer.fixed(Self.marker)
        writer.byte(kind.rawValue)
        writer.byte(coding.rawValue)
        writer.fixed(UInt16(0))
        writer.fixed(length)
        writer.fixed(stored)
        writer.fixed(check)
        writer.digest(digest)
    }

    init(
        kind: RecordKind, coding: RecordCoding, length: UInt64, stored: UInt32, check: UInt32 = 0,
        digest: BinaryDigest
    ) {
        self.check = check
        self.kind = kind
        self.coding = coding
        self.length = length
        self.stored = stored
        self.digest = digest
    }

    init(_ bytes: UnsafeRawBufferPointer) throws(FormatError) {
        var reader = ByteReader(bytes)
        guard try reader.fixed(UInt32.self) == Self.marker else {
            throw FormatError("has no record where one begins")
        }
        guard let kind = RecordKind(rawValue: try reader.byte()),
            let coding = RecordCoding(rawValue: try reader.byte()), try reader.fixed(UInt16.self) == 0
        else { throw FormatError("has a record of a kind that is not known") }
        self.kind = kind
        self.coding = coding
        length = try reader.fixed(UInt64.self)
        stored = try reader.fixed(UInt32.self)
        check = try reader.fixed(UInt32.self)
        digest = try reader.digest()
        guard kind == .recipe || length <= UInt64(Recipe.largestPiece), length <= UInt64(Int64.max),
            stored <= Recipe.largestStored
        else {
            throw FormatError("has a record that is too large")
        }
    }
}

/// How a blob is put together, as the bytes of a record: pieces of 48 bytes, in their order.
///
///     u64 kind (0 data, 1 zeros, 2 recipe), u64 length, 32 bytes digest (zeros: 32 zero bytes)
struct Recipe: Equatable, Sendable {
    enum PieceKind: UInt64, Sendable {
        case data = 0
        /// Bytes that are all zero, and become a hole in a file.
        case zeros = 1
        /// A part of the recipe that is a record itself: a blob of many pieces has them in groups.
        case recipe = 2
    }

    struct Piece: Equatable, Sendable {
        var kind: PieceKind
        var length: UInt64
        var digest: BinaryDigest
    }

    /// The longest blob: 16 TiB. Nothing but its hash takes time with a blob of zeros, and that without an end.
    static let largestBlob = 1 << 44

    /// - Throws: `VoltError` for a blob that is larger than any may be, whatever it is made of.
    static func checkLength(_ length: UInt64, _ digest: BinaryDigest) throws(VoltError) {
        guard length <= UInt64(largestBlob) else {
            throw VoltError(
                .refused, "blob '\(digest.digest)' is larger than \(ByteSize(bytes: UInt64(largestBlob)))",
                hint: "no blob is, see \"Limits\" of docs/design/store.md: remove what names it")
        }
    }

    static let pieceCount = 48
    /// Pieces in one record: 1.5 MiB.
    static let mostPieces = 32_768
    /// The longest piece of data.
    static let largestPiece = 16 << 20
    /// The longest record as it is stored: a piece that does not compress is not compressed.
    static let largestStored: UInt32 = 17 << 20

    var pieces: [Piece] = []

    var bytes: [UInt8] {
        var writer = ByteWriter(capacity: pieces.count * Self.pieceCount)
        for piece in pieces {
            writer.fixed(piece.kind.rawValue)
            writer.fixed(piece.length)
            writer.digest(piece.digest)
        }
        return writer.bytes
    }

    var length: UInt64 { pieces.reduce(0) { $0 + $1.length } }

    init() {}

    init(_ bytes: UnsafeRawBufferPointer) throws(FormatError) {
        guard bytes.count % Self.pieceCount == 0, bytes.count / Self.pieceCount <= Self.mostPieces else {
            throw FormatError("has a recipe of a wrong length")
        }
        var reader = ByteReader(bytes)
        pieces.reserveCapacity(bytes.count / Self.pieceCount)
        var total: UInt64 = 0
        while !reader.isAtEnd {
            guard let kind = PieceKind(rawValue: try reader.fixed(UInt64.self)) else {
                throw FormatError("has a recipe with a piece of no known kind")
            }
            let length = try reader.fixed(UInt64.self)
            let (sum, overflow) = total.addingReportingOverflow(length)
            guard !overflow, sum <= UInt64(Int64.max), kind != .data || length <= UInt64(Self.largestPiece)
            else {
                throw FormatError("has a recipe of something too large")
            }
            total = sum
            pieces.append(Piece(kind: kind, length: length, digest: try reader.digest()))
        }
    }
}
