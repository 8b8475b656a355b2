internal import CVoltSystem
internal import Glibc
internal import VoltCore

/// The readers of the store's formats over bytes at hand, for those who look for bytes that they mistake.
package enum ForeignBytes {
    /// Reads a tree and writes it again.
    ///
    /// - Returns: nil when it is none.
    package static func rewrittenTree(_ bytes: [UInt8], inPartsOf count: Int) -> [UInt8]? {
        var decoder = TreeDecoder()
        var writer = ByteWriter()
        var scratch = ByteWriter()
        TreeFormat.begin(&writer)
        do throws(FormatError) {
            for start in stride(from: 0, to: bytes.count, by: count) {
                Array(bytes[start..<min(start + count, bytes.count)]).withUnsafeBytes { decoder.feed($0) }
                while let event = try decoder.next() {
                    switch event {
                    case .entry(let entry): try TreeFormat.write(entry, to: &writer, scratch: &scratch)
                    case .up: TreeFormat.end(&writer)
                    }
                }
            }
        } catch { return nil }
        return decoder.isComplete ? writer.bytes : nil
    }

    /// Reads a pack, a segment of the index and a recipe, whichever the bytes are.
    ///
    /// - Returns: how many records, entries and pieces they have.
    package static func count(_ bytes: [UInt8]) -> Int {
        bytes.withUnsafeBytes { bytes in
            (try? records(bytes)) ?? (try? entries(bytes)) ?? (try? Recipe(bytes).pieces.count) ?? 0
        }
    }

    private static func part(_ bytes: UnsafeRawBufferPointer, _ start: Int, _ count: Int) throws(FormatError)
        -> UnsafeRawBufferPointer
    {
        guard start >= 0, count >= 0, bytes.count - start >= count else {
            throw FormatError("ends too early")
        }
        return UnsafeRawBufferPointer(rebasing: bytes[start..<start + count])
    }

    private static func records(_ bytes: UnsafeRawBufferPointer) throws(FormatError) -> Int {
        try PackRecord.checkFileHeader(try part(bytes, 0, PackRecord.fileHeaderCount))
        var offset = PackRecord.fileHeaderCount
        var count = 0
        while offset < bytes.count {
            let record = try PackRecord(try part(bytes, offset, PackRecord.headerCount))
            let content = try part(bytes, offset + PackRecord.headerCount, Int(record.stored))
            if record.kind == .recipe { _ = try Recipe(content) }
            offset += PackRecord.headerCount + content.count
            count += 1
        }
        return count
    }

    private static func entries(_ bytes: UnsafeRawBufferPointer) throws(FormatError) -> Int {
        let header = try IndexHeader(try part(bytes, 0, IndexHeader.byteCount))
        guard bytes.count == header.fileCount else { throw FormatError("has another length than it says") }
        for index in 0..<header.count {
            _ = try IndexEntry(
                try part(bytes, header.entriesOffset + index * IndexEntry.count, IndexEntry.count))
        }
        return header.count
    }

    /// Answers what another store would have said, in a store of a directory.
    ///
    /// - Returns: whether the store is sound afterwards.
    package static func serve(_ bytes: [UInt8], storeIn directory: String) throws -> Bool {
        let store = try ContentStore.create(directory)
        var pair: [Int32] = [-1, -1]
        guard bytes.count < 1 << 16, volt_stream_pair(&pair) == 0 else { return true }
        let output = volt_open("/dev/null", O_WRONLY, 0)
        _ = bytes.withUnsafeBytes { write(pair[0], $0.baseAddress, $0.count) }
        shutdown(pair[0], Int32(SHUT_WR))
        let access: ServeAccess =
            bytes.count % 8 == 7 ? .reading : bytes.count % 8 == 6 ? .appending : .writing
        try? StoreServer(store, Peer(input: pair[1], output: output, name: "bytes"), access).run()
        close(pair[0])
        return try bytes.count % 64 != 0 || store.verify(VerifyOptions()).isSound
    }
}
