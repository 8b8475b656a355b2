internal import CArchive
internal import Glibc
internal import VoltCore

/// A reader of libarchive over a stream.
final class LibarchiveReader {
    /// What the bytes are.
    enum Format {
        /// Anything, compressed or not: gives the bytes without the compression.
        case compressed
        /// A tar archive, not compressed.
        case tar
    }

    private let archive: OpaquePointer
    private let stream: any ByteStream
    private let name: String
    private var failure: VoltError?
    /// Whether zeros follow the last byte, once.
    private var fillsEnd: Bool

    private static let endCount = 4 << 10
    /// Never written to after this, which is why every thread may read it.
    nonisolated(unsafe) private static let end: UnsafeMutableRawPointer = {
        let zeros = UnsafeMutableRawPointer.allocate(byteCount: endCount, alignment: 16)
        memset(zeros, 0, endCount)
        return zeros
    }()

    // libarchive converts the UTF-8 names of pax headers to the locale's. To UTF-8 that composes letters and accents
    // (NFC), so that two names of an archive become one; to ASCII it is not possible, and then names stay as they are.
    // Never changed nor freed after this, which is why every thread may use it.
    nonisolated(unsafe) private static let plain = newlocale(1 << LC_CTYPE, "C", nil)

    init(_ stream: any ByteStream, as format: Format, name: String, fillsEnd: Bool = false) throws(VoltError)
    {
        guard let archive = archive_read_new() else {
            throw VoltError(.failed, "cannot read '\(name)': out of memory")
        }
        self.archive = archive
        self.stream = stream
        self.name = name
        self.fillsEnd = fillsEnd
        switch format {
        case .compressed:
            // No filter that would start a program.
            archive_read_support_filter_gzip(archive)
            archive_read_support_filter_bzip2(archive)
            archive_read_support_filter_xz(archive)
            archive_read_support_filter_lzma(archive)
            archive_read_support_filter_zstd(archive)
            archive_read_support_filter_lz4(archive)
            archive_read_support_filter_lzip(archive)
            archive_read_support_filter_compress(archive)
            archive_read_support_format_raw(archive)
            archive_read_support_format_empty(archive)
        case .tar:
            archive_read_support_format_tar(archive)
            archive_read_support_format_empty(archive)
        }
        let result = archive_read_open(
            archive, Unmanaged.passUnretained(self).toOpaque(), nil,
            { _, client, buffer in
                guard let client, let buffer else { return -1 }
                return Unmanaged<LibarchiveReader>.fromOpaque(client).takeUnretainedValue().fill(buffer)
            }, nil)
        guard result == ARCHIVE_OK else { throw error() }
    }

    deinit { archive_read_free(archive) }

    private func fill(_ buffer: UnsafeMutablePointer<UnsafeRawPointer?>) -> Int {
        do throws(VoltError) {
            let bytes = try stream.next()
            if bytes.isEmpty, fillsEnd {
                // The rest of a block, and the two blocks at the end of an archive (pax(1)).
                fillsEnd = false
                buffer.pointee = UnsafeRawPointer(Self.end)
                return Self.endCount
            }
            buffer.pointee = bytes.baseAddress
            return bytes.count
        } catch {
            failure = error
            return -1
        }
    }

    /// The next entry, or nil at the end. It is valid until the next call.
    func nextEntry() throws(VoltError) -> OpaquePointer? {
        let locale = uselocale(Self.plain)
        defer { uselocale(locale) }
        var entry: OpaquePointer?
        let result = archive_read_next_header(archive, &entry)
        if result == ARCHIVE_EOF { return nil }
        guard result == ARCHIVE_OK || result == ARCHIVE_WARN else { throw error() }
        return entry
    }

    /// The next bytes of the entry and where in the file they belong; nil at the end.
    func nextBlock() throws(VoltError) -> (bytes: UnsafeRawBufferPointer, offset: Int64)? {
        var start: UnsafeRawPointer?
        var count = 0
        var offset: la_int64_t = 0
        let result = archive_read_data_block(archive, &start, &count, &offset)
        if result == ARCHIVE_EOF { return nil }
        guard result == ARCHIVE_OK || result == ARCHIVE_WARN else { throw error() }
        return (UnsafeRawBufferPointer(start: start, count: count), offset)
    }

    private func error() -> VoltError {
        if let failure { return failure }
        let reason = archive_error_string(archive).map { String(cString: $0) } ?? "it is damaged"
        return VoltError(
            .failed, "cannot read '\(name)': \(reason.prefix(1).lowercased() + reason.dropFirst())")
    }
}
