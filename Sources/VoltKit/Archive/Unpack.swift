internal import CArchive
internal import CVoltSystem
internal import Glibc
public import VoltCore
internal import VoltSystem

/// What an archive may cost.
public struct ArchiveLimits: Sendable {
    /// Entries.
    public var entries = 2_000_000
    /// Bytes of the archive without compression, and of the files in it together.
    public var bytes: UInt64 = 64 << 30
    /// Directories in each other.
    public var depth = 256

    /// 2 million entries, 64 GiB, 256 levels.
    public init() {}
}

/// What unpacking an archive gave.
public struct UnpackResult: Sendable {
    /// The digest of the archive as it came.
    public let compressedDigest: Digest
    /// The digest without compression: the `diffID` of OCI.
    public let digest: Digest
    /// The bytes of the archive as it came.
    public let compressedCount: UInt64
    /// The entries written.
    public let entries: Int
    /// The bytes of the files.
    public let bytes: UInt64
    /// The entries left out, such as `dev/sda: a device node`, the first few.
    public let skippedExamples: [String]
    /// How many entries were left out.
    public let skipped: Int
}

/// What becomes of entries that mean something only in some places.
public struct UnpackOptions: Sendable {
    /// Whether device nodes are made; without, they are left out.
    public var makesDevices = false
    /// Whether the archive is the layer of an image: `.wh.` names take something away, in the form of overlayfs.
    public var isLayer = true
    /// Whether the caller compares all bytes with a digest. Then what builders of images write is taken, too: names with
    /// a slash in front, which is the root of the tree, and a last block that is not filled up.
    public var isVerified = false
    /// The owner of everything, instead of those of the archive.
    public var owner: (user: UInt32, group: UInt32)?

    /// For the layer of an image.
    public init() {}
}

/// An archive that is a part of what comes from a descriptor, such as one of several that come one after the other.
public struct ArchivePart {
    /// Its bytes; none behind them are read.
    public let count: UInt64
    /// Asked five times a second and for each piece that comes; true gives up.
    public let isStopped: () -> Bool
    /// Told how many bytes came.
    public let progress: (Int) -> Void

    /// - Parameters: see the properties.
    public init(count: UInt64, isStopped: @escaping () -> Bool, progress: @escaping (Int) -> Void) {
        self.count = count
        self.isStopped = isStopped
        self.progress = progress
    }
}

/// Unpacks tar archives of any origin.
public enum Tar {
    /// Whether a file is a tar archive, compressed or not; an empty one does not count.
    ///
    /// - Parameter path: below `directory`, reached through no link.
    public static func isArchive(_ path: TreePath, beneath directory: String) throws(VoltError) -> Bool {
        let descriptor = try open(path, beneath: directory)
        defer { close(descriptor) }
        let source = DescriptorStream(descriptor: descriptor, name: path.text)
        guard let stream = try? DecompressedStream(source, name: path.text, limit: 1 << 30),
            let reader = try? LibarchiveReader(stream, as: .tar, name: path.text)
        else { return false }
        return (try? reader.nextEntry()) != nil
    }

    /// Opens a file below a directory for reading.
    public static func open(_ path: TreePath, beneath directory: String) throws(VoltError) -> Int32 {
        let root = volt_open(directory, O_RDONLY | O_DIRECTORY, 0)
        guard root >= 0 else { throw SystemError.current.during("cannot open '\(directory)'") }
        defer { close(root) }
        let descriptor = withCString(path.bytes) { volt_open_beneath(root, $0, O_RDONLY | O_NONBLOCK, 0) }
        guard descriptor >= 0 else {
            throw SystemError.current.during("cannot open '\(path.text)' in '\(directory)'")
        }
        return descriptor
    }

    /// Unpacks a tar archive in any compression below a directory. Nothing outside of it is touched, whatever
    /// the archive says.
    ///
    /// - Parameters:
    ///   - descriptor: where the archive is read from, to its end.
    ///   - name: its name for errors.
    ///   - directory: an existing, empty directory.
    ///   - part: what of the descriptor is the archive; nil is all.
    /// - Throws: `VoltError`; code `refused` when the archive is hostile or too large.
    public static func unpack(
        descriptor: Int32, name: String, into directory: String, limits: ArchiveLimits = ArchiveLimits(),
        options: UnpackOptions = UnpackOptions(), part: ArchivePart? = nil
    ) throws(VoltError) -> UnpackResult {
        let source = DescriptorStream(descriptor: descriptor, name: name, part: part)
        let stream = try DecompressedStream(source, name: name, limit: limits.bytes)
        let reader = try LibarchiveReader(stream, as: .tar, name: name, fillsEnd: options.isVerified)
        let unpacker = Unpacker(
            reader: reader, writer: try TreeWriter(root: directory), limits: limits, options: options,
            name: name)
        try unpacker.run()
        let digests = try stream.finish()
        return UnpackResult(
            compressedDigest: digests.compressed, digest: digests.plain,
            compressedCount: digests.compressedCount,
            entries: unpacker.entries, bytes: unpacker.bytes, skippedExamples: unpacker.examples,
            skipped: unpacker.skipped)
    }
}

private final class Unpacker {
    private let reader: LibarchiveReader
    private let writer: TreeWriter
    private let limits: ArchiveLimits
    private let options: UnpackOptions
    private let name: String
    private(set) var entries = 0
    private(set) var bytes: UInt64 = 0
    private(set) var skipped = 0
    private(set) var examples: [String] = []

    init(
        reader: LibarchiveReader, writer: TreeWriter, limits: ArchiveLimits, options: UnpackOptions,
        name: String
    ) {
        self.reader = reader
        self.writer = writer
        self.limits = limits
        self.options = options
        self.name = name
    }

    func run() throws(VoltError) {
        if !options.isLayer {
            // What the archive does not name is the same whenever it is unpacked.
            let owner = options.owner ?? (0, 0)
            let plain = FileAttributes(mode: 0o755, user: owner.user, group: owner.group, modified: (0, 0))
            writer.attributesOfMissingDirectory = { _ in plain }
            try writer.directory(.root, plain)
        }
        while let entry = try reader.nextEntry() {
            entries += 1
            guard entries <= limits.entries else {
                throw VoltError(.refused, "'\(name)' has more than \(limits.entries) entries")
            }
            do throws(VoltError) { try write(entry) } catch {
                throw VoltError(error.code, "cannot unpack '\(name)': \(error.message)", hint: error.hint)
            }
        }
        try writer.finish()
    }

    private func path(_ text: UnsafePointer<CChar>) throws(VoltError) -> TreePath {
        var bytes = UnsafeBufferPointer(start: text, count: strlen(text)).map { UInt8(bitPattern: $0) }[...]
        if options.isVerified, bytes.first == 47 {
            bytes = bytes.drop { $0 == 47 }
            if bytes.isEmpty { return .root }
        }
        return try TreePath(Array(bytes))
    }

    private func write(_ entry: OpaquePointer) throws(VoltError) {
        guard let pathname = archive_entry_pathname(entry) else {
            throw VoltError(.refused, "an entry has no name")
        }
        let path = try self.path(pathname)
        guard path.names.count <= limits.depth else {
            throw VoltError(
                .refused, "'\(path.text.prefix(60))…' is nested deeper than \(limits.depth) directories")
        }
        if options.isLayer, try whiteout(path) { return }
        if let target = archive_entry_hardlink(entry) {
            return try writer.hardLink(path, to: try self.path(target))
        }
        let attributes = try attributes(entry, path)
        switch archive_entry_filetype(entry) {
        case S_IFDIR: try writer.directory(path, attributes)
        case S_IFREG: try file(entry, path, attributes)
        case S_IFLNK:
            guard let target = archive_entry_symlink(entry) else {
                throw VoltError(.refused, "link '\(path.text)' has no target")
            }
            let bytes = UnsafeBufferPointer(start: target, count: strlen(target)).map {
                UInt8(bitPattern: $0)
            }
            try writer.link(path, to: bytes, attributes)
        case S_IFIFO: try writer.pipe(path, attributes)
        case S_IFCHR, S_IFBLK: try device(entry, path, attributes)
        default: skip(path, "neither a file, a directory nor a link")
        }
    }

    private func device(_ entry: OpaquePointer, _ path: TreePath, _ attributes: FileAttributes)
        throws(VoltError)
    {
        let kind = archive_entry_filetype(entry)
        let major = UInt32(truncatingIfNeeded: archive_entry_rdevmajor(entry))
        let minor = UInt32(truncatingIfNeeded: archive_entry_rdevminor(entry))
        if options.makesDevices {
            try writer.device(path, kind: kind, major: major, minor: minor, attributes)
        } else if options.isLayer, kind == S_IFCHR, major == 0, minor == 0 {
            try writer.whiteout(path)
        } else if options.isLayer {
            skip(path, "a device node; the container gets its own /dev")
        } else {
            skip(path, "a device node, which only root can make")
        }
    }

    private func skip(_ path: TreePath, _ reason: String) {
        skipped += 1
        if examples.count < 5 { examples.append("\(path.text): \(reason)") }
    }

    /// Handles `.wh.name` and `.wh..wh..opq` (OCI Image Specification, "Whiteouts").
    private func whiteout(_ path: TreePath) throws(VoltError) -> Bool {
        let prefix = Array(".wh.".utf8)
        guard let last = path.names.last, last.starts(with: prefix) else { return false }
        let rest = Array(last.dropFirst(prefix.count))
        if rest == Array(".wh..opq".utf8) {
            try writer.opaque(path.parent)
        } else if !rest.starts(with: prefix) {
            guard !rest.isEmpty, rest != [UInt8(ascii: ".")], rest != Array("..".utf8) else {
                throw VoltError(.refused, "'\(path.text)' removes nothing that has a name")
            }
            try writer.whiteout(path.parent.appending(rest))
        }
        return true
    }

    private func attributes(_ entry: OpaquePointer, _ path: TreePath) throws(VoltError) -> FileAttributes {
        guard let user = UInt32(exactly: archive_entry_uid(entry)),
            let group = UInt32(exactly: archive_entry_gid(entry)),
            user != .max, group != .max
        else { throw VoltError(.refused, "'\(path.text)' has an owner out of range") }
        var attributes = FileAttributes(
            mode: UInt32(archive_entry_perm(entry)), user: options.owner?.user ?? user,
            group: options.owner?.group ?? group)
        if archive_entry_mtime_is_set(entry) != 0 {
            attributes.modified = (
                Int64(archive_entry_mtime(entry)),
                Int64(min(max(archive_entry_mtime_nsec(entry), 0), 999_999_999))
            )
        }
        var found: [(name: [UInt8], value: [UInt8])] = []
        archive_entry_xattr_reset(entry)
        var key: UnsafePointer<CChar>?
        var value: UnsafeRawPointer?
        var count = 0
        while archive_entry_xattr_next(entry, &key, &value, &count) == ARCHIVE_OK {
            guard let key else { continue }
            let name = UnsafeBufferPointer(start: key, count: strlen(key)).map { UInt8(bitPattern: $0) }
            guard FileAttributes.isKept(name) else { continue }
            // More than the kernel takes.
            guard count <= 65536 else {
                throw VoltError(
                    .refused, "'\(path.text)' has an extended attribute of more than 65536 bytes")
            }
            found.append((name, Array(UnsafeRawBufferPointer(start: value, count: count))))
        }
        attributes.extended = AttributeNames.decoded(found)
        if let lists = AccessLists.attributes(of: entry) {
            attributes.extended.merge(lists) { $1 }
        } else if examples.count < 5 {
            examples.append("\(path.text): its access control list, which has no numbers of users")
        }
        return attributes
    }

    private func file(_ entry: OpaquePointer, _ path: TreePath, _ attributes: FileAttributes)
        throws(VoltError)
    {
        let size = archive_entry_size(entry)
        guard size >= 0, bytes <= limits.bytes, UInt64(size) <= limits.bytes - bytes else {
            throw VoltError(.refused, "its files are larger than \(ByteSize(bytes: limits.bytes))")
        }
        bytes += UInt64(size)
        try writer.file(path, attributes) { descriptor throws(VoltError) in
            // Holes first: what no block covers reads as zero and takes no space.
            guard ftruncate(descriptor, off_t(size)) == 0 else {
                throw SystemError.current.during("cannot write '\(path.text)'")
            }
            while let block = try self.reader.nextBlock() {
                guard block.offset >= 0, block.offset <= size, Int64(block.bytes.count) <= size - block.offset
                else {
                    throw VoltError(.refused, "'\(path.text)' has more bytes than its header says")
                }
                try Self.write(block.bytes, at: block.offset, to: descriptor, path)
            }
        }
    }

    private static func write(
        _ bytes: UnsafeRawBufferPointer, at offset: Int64, to descriptor: Int32, _ path: TreePath
    ) throws(VoltError) {
        var done = 0
        while done < bytes.count {
            let count = pwrite(
                descriptor, bytes.baseAddress?.advanced(by: done), bytes.count - done,
                off_t(offset) + off_t(done))
            if count < 0 {
                if errno == EINTR { continue }
                throw SystemError.current.during("cannot write '\(path.text)'")
            }
            done += count
        }
    }
}
