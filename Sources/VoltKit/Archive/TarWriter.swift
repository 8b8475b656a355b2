internal import CArchive
internal import CVoltSystem
internal import Glibc
public import VoltCore
internal import VoltCrypto
internal import VoltSystem

/// Writes a tar archive in the pax format (POSIX.1-2001): the same entries are the same bytes, also when it is compressed.
public final class TarWriter {
    /// What an entry is.
    public enum Kind: Sendable, Equatable {
        case directory
        case file(size: UInt64)
        case link(target: [UInt8])
        /// Another name of a file that came before.
        case hardLink(target: [UInt8])
        case device(kind: UInt32, major: UInt32, minor: UInt32)
        case pipe
    }

    // libarchive writes names as UTF-8 from the locale's; the C locale has only ASCII. setlocale(3) runs once, and only for
    // the classes of characters.
    private static let locale: Bool = setlocale(LC_CTYPE, "C.UTF-8") != nil

    private let archive: OpaquePointer
    private let entry: OpaquePointer
    private let output: Output

    /// What libarchive writes to.
    private final class Output {
        let path: String
        let file: HashedFile
        let compressor: Compressor?
        /// Of the archive before its compression.
        let hasher = SHA256Box()

        init(_ path: String, _ compression: LayerCompression) throws(VoltError) {
            self.path = path
            file = try HashedFile(path)
            compressor = compression == .none ? nil : try Compressor(compression, to: file)
        }

        func write(_ bytes: UnsafeRawBufferPointer) -> Bool {
            guard let compressor else { return file.write(bytes) }
            hasher.update(bytes)
            return compressor.write(bytes)
        }
    }

    /// - Parameters:
    ///   - path: the file, made or emptied.
    ///   - compression: how it is compressed.
    public init(path: String, compression: LayerCompression = .none) throws(VoltError) {
        _ = Self.locale
        output = try Output(path, compression)
        guard let archive = archive_write_new(), let entry = archive_entry_new() else {
            throw VoltError(.failed, "cannot write '\(path)': out of memory")
        }
        self.archive = archive
        self.entry = entry
        // Not the restricted form, which leaves out parts of a second.
        archive_write_set_format_pax(archive)
        archive_write_set_bytes_in_last_block(archive, 1)
        let result = archive_write_open(
            archive, Unmanaged.passUnretained(output).toOpaque(), nil,
            { _, client, buffer, count in
                guard let client, let buffer else { return -1 }
                let output = Unmanaged<Output>.fromOpaque(client).takeUnretainedValue()
                return output.write(UnsafeRawBufferPointer(start: buffer, count: count)) ? count : -1
            }, nil)
        guard result == ARCHIVE_OK else { throw failure() }
    }

    deinit {
        archive_entry_free(entry)
        archive_write_free(archive)
    }

    /// Adds an entry.
    ///
    /// - Parameters:
    ///   - path: below the root, without a slash in front; `.` is the root.
    ///   - content: of a file: calls its argument with all bytes in order.
    public func add(
        _ path: [UInt8], _ kind: Kind, _ attributes: FileAttributes,
        content: ((UnsafeRawBufferPointer) throws -> Void) throws -> Void = { _ in }
    ) throws {
        archive_entry_clear(entry)
        withCString(path) { archive_entry_set_pathname(entry, $0) }
        archive_entry_set_uid(entry, la_int64_t(attributes.user))
        archive_entry_set_gid(entry, la_int64_t(attributes.group))
        if let modified = attributes.modified {
            archive_entry_set_mtime(entry, time_t(modified.seconds), Int(modified.nanoseconds))
        }
        var size: UInt64 = 0
        switch kind {
        case .directory: archive_entry_set_filetype(entry, S_IFDIR)
        case .file(let count):
            size = count
            archive_entry_set_filetype(entry, S_IFREG)
        case .link(let target):
            archive_entry_set_filetype(entry, S_IFLNK)
            withCString(target) { archive_entry_set_symlink(entry, $0) }
        case .hardLink(let target):
            archive_entry_set_filetype(entry, S_IFREG)
            withCString(target) { archive_entry_set_hardlink(entry, $0) }
        case .device(let kind, let major, let minor):
            archive_entry_set_filetype(entry, kind)
            archive_entry_set_rdevmajor(entry, dev_t(major))
            archive_entry_set_rdevminor(entry, dev_t(minor))
        case .pipe: archive_entry_set_filetype(entry, S_IFIFO)
        }
        archive_entry_set_perm(entry, mode_t(attributes.mode))
        try add(attributes.extended, path)
        archive_entry_set_size(entry, la_int64_t(size))
        // A name that is not UTF-8 is written as it is, with a warning.
        let result = archive_write_header(archive, entry)
        guard result == ARCHIVE_OK || result == ARCHIVE_WARN else { throw failure() }
        var written: UInt64 = 0
        try content { bytes in
            guard archive_write_data(archive, bytes.baseAddress, bytes.count) == bytes.count else {
                throw failure()
            }
            written += UInt64(bytes.count)
        }
        guard written == size else {
            throw VoltError(
                .failed, "'\(String(shown: path))' has \(written) bytes and not \(size)")
        }
    }

    /// Behind the permissions, of which a list has a part.
    private func add(_ extended: [[UInt8]: [UInt8]], _ path: [UInt8]) throws {
        // libarchive writes each twice, and reads a header of 1 MiB at most.
        let count = extended.reduce(0) { $0 + 8 * $1.key.count + 3 * $1.value.count }
        guard count < 1 << 20 else {
            throw VoltError(
                .refused,
                "'\(String(shown: path))' has more extended attributes than a tar archive may have for a file",
                hint: "take some from it with 'setfattr -x'")
        }
        for (name, value) in extended.sorted(by: { $0.key.lexicographicallyPrecedes($1.key) })
        where !AccessLists.add(name, value, to: entry) {
            withCString(name) { archive_entry_xattr_add_entry(entry, $0, value, value.count) }
        }
    }

    /// Ends the archive.
    ///
    /// - Returns: the digest and the bytes of the file, and the digest without compression: the `diffID` of OCI.
    public func finish() throws(VoltError) -> (digest: Digest, size: UInt64, plain: Digest) {
        guard archive_write_close(archive) == ARCHIVE_OK, output.compressor?.finish() ?? true else {
            throw failure()
        }
        let digest = output.file.finish()
        return (digest, output.file.count, output.compressor == nil ? digest : output.hasher.finish())
    }

    private func failure() -> VoltError {
        let reason = archive_error_string(archive).map { String(cString: $0) } ?? "the disk is full"
        return VoltError(
            .failed, "cannot write '\(output.path)': \(reason.prefix(1).lowercased() + reason.dropFirst())")
    }
}
