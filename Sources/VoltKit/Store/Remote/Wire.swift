internal import VoltCore

/// What two stores say to each other, in frames: `u32` length of what follows, `u8` kind, then the rest.
///
///     hello     "VOLTWIRE" u8 version                     both, first
///     has       digests                                   -> presence: a byte for each, 1 when it is there
///     get       digests                                   -> for each: record, or file … end, or missing
///     getBytes  one digest                                -> file … end, or missing
///     record    the record of a pack: header, stored bytes
///     file      u64 size, digest; then `bytes`, and `zeros` (u64 count), until `end`
///     missing   digest
///     commit                                              -> done, when all that was put is durable
///     setTag    u8 kind, digest, name                     -> done
///     tags      name, or nothing for all                  -> tag: u8 kind, digest, name; then done
///     error     u8 exit code, message, zero, hint         the last frame
///
/// Numbers are little-endian. `record` and `file` also put something into the store of the other side, which
/// compares all of it with its digest.
enum Wire {
    static let magic = Array("VOLTWIRE".utf8)
    static let version: UInt8 = 1
    /// The longest frame: a record, whose stored bytes are bounded, with some room.
    static let longest = Int(Recipe.largestStored) + PackRecord.headerCount + 64
    /// Digests in one question.
    static let mostDigests = 4096
    /// Bytes of a file in one frame.
    static let part = 1 << 20

    enum Kind: UInt8, Sendable, CaseIterable {
        case hello = 1
        case has = 2
        case presence = 3
        case get = 4
        case getBytes = 5
        case record = 6
        case file = 7
        case bytes = 8
        case zeros = 9
        case end = 10
        case missing = 11
        case commit = 12
        case done = 13
        case setTag = 14
        case tags = 15
        case tag = 16
        case error = 17
    }

    static func digests(_ bytes: UnsafeRawBufferPointer) throws(FormatError) -> [BinaryDigest] {
        guard bytes.count % BinaryDigest.count == 0, bytes.count / BinaryDigest.count <= mostDigests else {
            throw FormatError("has a question of a wrong length")
        }
        var reader = ByteReader(bytes)
        var digests: [BinaryDigest] = []
        while !reader.isAtEnd { digests.append(try reader.digest()) }
        return digests
    }

    static func write(_ tag: TagKind, _ digest: BinaryDigest, _ name: String) -> [UInt8] {
        var writer = ByteWriter()
        writer.byte(tag == .tree ? 1 : 0)
        writer.digest(digest)
        writer.raw(name.utf8)
        return writer.bytes
    }

    static func tag(_ bytes: UnsafeRawBufferPointer) throws(FormatError) -> (TagKind, BinaryDigest, String) {
        var reader = ByteReader(bytes)
        let kind = try reader.byte()
        guard kind <= 1 else { throw FormatError("has a tag of kind \(kind)") }
        let digest = try reader.digest()
        guard reader.left <= ContentStore.longestTag else { throw FormatError("has a tag that is too long") }
        return (
            kind == 1 ? .tree : .blob, digest, String(decoding: try reader.raw(reader.left), as: UTF8.self)
        )
    }

    static func error(_ error: VoltError) -> [UInt8] {
        [UInt8(truncatingIfNeeded: error.code.rawValue)] + Array(error.message.utf8.prefix(4096)) + [0]
            + Array((error.hint ?? "").utf8.prefix(4096))
    }

    /// The error that the other side had.
    static func error(_ bytes: UnsafeRawBufferPointer) -> VoltError {
        let texts = bytes.dropFirst().split(separator: 0, maxSplits: 1, omittingEmptySubsequences: false).map
        {
            String(
                String(decoding: $0, as: UTF8.self).unicodeScalars.filter {
                    !$0.properties.isNoncharacterCodePoint && $0.value >= 32
                })
        }
        // An error is no success, whatever the other side says.
        let said = ExitCode(rawValue: Int32(bytes.first ?? 1)) ?? .failed
        let code = said == .ok ? .failed : said
        let hint = texts.count > 1 && !texts[1].isEmpty ? texts[1] : nil
        return VoltError(code, "the other store says: \(texts.first ?? "")", hint: hint)
    }
}
