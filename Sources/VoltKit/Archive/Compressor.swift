internal import CArchive
internal import CVoltSystem
internal import Glibc
internal import VoltCore
internal import VoltSystem

/// How the layers of an image are compressed.
public enum LayerCompression: String, Sendable, Codable, CaseIterable {
    case gzip
    case zstd
    case none
}

/// A file that is hashed while it is written.
final class HashedFile {
    private let descriptor: Int32
    private let hasher = SHA256Box()
    private(set) var count: UInt64 = 0

    init(_ path: String) throws(VoltError) {
        descriptor = volt_open(path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, 0o644)
        guard descriptor >= 0 else { throw SystemError.current.during("cannot write '\(path)'") }
    }

    deinit { close(descriptor) }

    /// False with `errno` when it cannot be written.
    func write(_ bytes: UnsafeRawBufferPointer) -> Bool {
        var done = 0
        while done < bytes.count {
            let written = Glibc.write(
                descriptor, bytes.baseAddress?.advanced(by: done), bytes.count - done)
            if written < 0, errno == EINTR { continue }
            guard written > 0 else { return false }
            done += written
        }
        hasher.update(bytes)
        count += UInt64(bytes.count)
        return true
    }

    func finish() -> Digest { hasher.finish() }
}

/// Compresses bytes into a file: the same bytes are the same file, since neither a time nor a name is kept.
final class Compressor {
    private let archive: OpaquePointer
    private let entry: OpaquePointer
    private let file: HashedFile

    init(_ compression: LayerCompression, to file: HashedFile) throws(VoltError) {
        guard let archive = archive_write_new(), let entry = archive_entry_new() else {
            throw VoltError(.failed, "cannot compress a layer: out of memory")
        }
        self.archive = archive
        self.entry = entry
        self.file = file
        // Bytes as they are, with nothing around them but the compression.
        archive_write_set_format_raw(archive)
        archive_write_set_bytes_in_last_block(archive, 1)
        if compression == .gzip {
            archive_write_add_filter_gzip(archive)
            archive_write_set_filter_option(archive, "gzip", "timestamp", nil)
        } else {
            archive_write_add_filter_zstd(archive)
        }
        let result = archive_write_open(
            archive, Unmanaged.passUnretained(file).toOpaque(), nil,
            { _, client, buffer, count in
                guard let client, let buffer else { return -1 }
                let file = Unmanaged<HashedFile>.fromOpaque(client).takeUnretainedValue()
                return file.write(UnsafeRawBufferPointer(start: buffer, count: count)) ? count : -1
            }, nil)
        archive_entry_set_filetype(entry, S_IFREG)
        guard result == ARCHIVE_OK, archive_write_header(archive, entry) == ARCHIVE_OK else {
            throw VoltError(.failed, "this libarchive cannot compress with \(compression.rawValue)")
        }
    }

    deinit {
        archive_entry_free(entry)
        archive_write_free(archive)
    }

    func write(_ bytes: UnsafeRawBufferPointer) -> Bool {
        archive_write_data(archive, bytes.baseAddress, bytes.count) == bytes.count
    }

    func finish() -> Bool { archive_write_close(archive) == ARCHIVE_OK }
}
