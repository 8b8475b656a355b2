internal import CVoltSystem
internal import Glibc
public import VoltCore
internal import VoltCrypto
internal import VoltSystem

/// How a tree is read.
public struct TreeCopyOptions {
    /// Owner and group for everything, in place of the source's.
    public var owner: (user: UInt32, group: UInt32)?
    /// Permissions for every file and directory, in place of the source's.
    public var mode: UInt32?
    /// Whether an entry is left out, by its path in the source's root; of a directory, everything in it is,
    /// unless `descends` wants to look into it.
    public var excludes: (TreePath) -> Bool = { _ in false }
    /// Whether to look into a directory that is left out, for entries that are not.
    public var descends: (TreePath) -> Bool = { _ in false }
    /// Called with the destination of every directory before it is written; throwing refuses it.
    public var willWriteDirectory: (TreePath) throws(VoltError) -> Void = { _ throws(VoltError) in }
    /// What it may cost.
    public var limits = ArchiveLimits()

    /// Everything as it is in the source.
    public init() {}
}

/// Reads a tree of files in a fixed order, hashes it, and copies it when there is a place to copy to.
///
/// The digest covers names, kinds, permissions, owners, bytes, link targets, hard links and the kept extended
/// attributes; not the times, because a fresh checkout of the same commit has others.
public final class TreeCopy {
    private let source: Int32
    private let sourceName: String
    private let writer: TreeWriter?
    private let options: TreeCopyOptions
    private let hasher = SHA256Box()
    private var links: [Inode: TreePath] = [:]
    private var buffer = [UInt8](repeating: 0, count: 1 << 17)
    private var device: dev_t = 0
    /// The bytes of the files read.
    public private(set) var bytes: UInt64 = 0
    /// The entries read.
    public private(set) var entries = 0
    /// Entries left out because they cannot be copied, such as `dev/sda: a device node`, the first few.
    public private(set) var skippedExamples: [String] = []
    /// How many were left out.
    public private(set) var skipped = 0

    private struct Inode: Hashable {
        let device: dev_t
        let number: ino_t
    }

    /// - Parameters:
    ///   - source: a directory; nothing outside of it is read and no link in it is followed.
    ///   - writer: where to copy to, or nil to hash only.
    public init(source: String, writer: TreeWriter?, options: TreeCopyOptions = TreeCopyOptions())
        throws(VoltError)
    {
        sourceName = source
        self.writer = writer
        self.options = options
        self.source = volt_open(source, O_RDONLY | O_DIRECTORY, 0)
        guard self.source >= 0 else { throw SystemError.current.during("cannot open '\(source)'") }
        var information = stat()
        guard fstat(self.source, &information) == 0 else { throw failure(.root) }
        device = information.st_dev
    }

    deinit { close(source) }

    /// The digest of everything added.
    public func finish() -> Digest { hasher.finish() }

    /// Adds a text to what is hashed.
    public func mark(_ text: String) { put(Array(text.utf8)) }

    /// Whether a file or a directory is at a path, and not a link, a device or nothing.
    public func isFileOrDirectory(_ path: TreePath) throws(VoltError) -> Bool {
        guard let kind = try information(path).map({ $0.st_mode & S_IFMT }) else { return false }
        return kind == S_IFREG || kind == S_IFDIR
    }

    /// Whether there is a directory at a path of the source, or nil when there is nothing.
    public func isDirectory(_ path: TreePath) throws(VoltError) -> Bool? {
        guard let information = try information(path) else { return nil }
        return information.st_mode & S_IFMT == S_IFDIR
    }

    /// The names in a directory of the source, sorted by their bytes.
    public func names(in path: TreePath) throws(VoltError) -> [[UInt8]] {
        let descriptor = open(path, O_RDONLY | O_DIRECTORY)
        guard descriptor >= 0 else { throw failure(path) }
        guard let directory = fdopendir(descriptor) else {
            close(descriptor)
            throw failure(path)
        }
        defer { closedir(directory) }
        var names: [[UInt8]] = []
        while let entry = readdir(directory) {
            let name = withUnsafeBytes(of: &entry.pointee.d_name) { Array($0.prefix { $0 != 0 }) }
            if name != [UInt8(ascii: ".")], name != Array("..".utf8) { names.append(name) }
        }
        return names.sorted { $0.lexicographicallyPrecedes($1) }
    }

    /// Adds what is at a path of the source, under a path of the destination.
    public func add(_ path: TreePath, as destination: TreePath) throws(VoltError) {
        guard let information = try information(path) else {
            throw VoltError(.notFound, "'\(path.text)' is not in '\(sourceName)'")
        }
        try add(path, information, destination)
    }

    /// Adds what is in a directory of the source to a directory of the destination, but not the directory itself.
    public func addContents(of path: TreePath, to destination: TreePath) throws(VoltError) {
        guard path.names.count <= options.limits.depth else {
            throw VoltError(
                .refused,
                "'\(path.text.prefix(60))…' is nested deeper than \(options.limits.depth) directories")
        }
        for name in try names(in: path) {
            let child = path.appending(name)
            guard let information = try information(child) else { continue }
            try add(child, information, destination.appending(name))
        }
    }

    /// Sets the times of the directories written.
    public func finishWriting() throws(VoltError) { try writer?.finish() }

    private func add(_ path: TreePath, _ information: stat, _ destination: TreePath) throws(VoltError) {
        let kind = information.st_mode & S_IFMT
        if !path.names.isEmpty, options.excludes(path) {
            if kind == S_IFDIR, options.descends(path) { try addContents(of: path, to: destination) }
            return
        }
        entries += 1
        guard entries <= options.limits.entries else {
            throw VoltError(.refused, "'\(sourceName)' has more than \(options.limits.entries) entries")
        }
        if kind != S_IFDIR, information.st_nlink > 1 {
            let inode = Inode(device: information.st_dev, number: information.st_ino)
            if let first = links[inode] {
                header("h", destination, nil)
                put(first.bytes)
                try writer?.hardLink(destination, to: first)
                return
            }
            links[inode] = destination
        }
        var attributes = FileAttributes(
            mode: options.mode ?? UInt32(information.st_mode),
            user: options.owner?.user ?? information.st_uid,
            group: options.owner?.group ?? information.st_gid,
            modified: (Int64(information.st_mtim.tv_sec), Int64(information.st_mtim.tv_nsec)))
        switch kind {
        case S_IFDIR: try directory(path, information, destination, &attributes)
        case S_IFREG: try file(path, destination, &attributes)
        case S_IFLNK:
            let target = try self.target(path)
            attributes.mode = 0o777
            header("l", destination, attributes)
            put(target)
            try writer?.link(destination, to: target, attributes)
        case S_IFIFO:
            header("p", destination, attributes)
            try writer?.pipe(destination, attributes)
        case S_IFCHR, S_IFBLK: skip(path, "a device node; the container gets its own /dev")
        default: skip(path, "a socket")
        }
    }

    private func skip(_ path: TreePath, _ reason: String) {
        skipped += 1
        if skippedExamples.count < 5 { skippedExamples.append("\(path.text): \(reason)") }
    }

    private func directory(
        _ path: TreePath, _ information: stat, _ destination: TreePath, _ attributes: inout FileAttributes
    ) throws(VoltError) {
        let descriptor = open(path, O_RDONLY | O_DIRECTORY)
        guard descriptor >= 0 else { throw failure(path) }
        defer { close(descriptor) }
        attributes.extended = try ExtendedAttributes.kept(of: descriptor, path.text)
        header("d", destination, attributes)
        if let writer {
            try options.willWriteDirectory(destination)
            try writer.directory(destination, attributes)
        }
        // What is mounted in a tree is not a part of it; the empty directory is where it can be mounted again.
        if information.st_dev == device { try addContents(of: path, to: destination) }
    }

    private func file(_ path: TreePath, _ destination: TreePath, _ attributes: inout FileAttributes)
        throws(VoltError)
    {
        let descriptor = open(path, O_RDONLY | O_NONBLOCK)
        guard descriptor >= 0 else { throw failure(path) }
        defer { close(descriptor) }
        var information = stat()
        guard fstat(descriptor, &information) == 0, information.st_mode & S_IFMT == S_IFREG else {
            throw VoltError(
                .failed, "'\(path.text)' changed while it was read", hint: "run the command again")
        }
        attributes.extended = try ExtendedAttributes.kept(of: descriptor, path.text)
        header("f", destination, attributes)
        let content = SHA256Box()
        let isSparse = information.st_blocks * 512 < information.st_size
        if let writer {
            try writer.file(destination, attributes) { output throws(VoltError) in
                let size = try self.read(descriptor, path, content) { bytes, offset in
                    // Holes stay holes: what is not written reads as zero.
                    if isSparse, bytes.allSatisfy({ $0 == 0 }) { return true }
                    return Self.write(bytes, at: offset, to: output)
                }
                guard ftruncate(output, off_t(size)) == 0 else { throw self.failure(path) }
            }
        } else {
            _ = try read(descriptor, path, content) { _, _ in true }
        }
        put(Array(content.finish().hex.utf8))
    }

    private func read(
        _ descriptor: Int32, _ path: TreePath, _ content: SHA256Box,
        _ body: (UnsafeRawBufferPointer, Int) -> Bool
    ) throws(VoltError) -> Int {
        var offset = 0
        while true {
            let count = Glibc.read(descriptor, &buffer, buffer.count)
            if count < 0 {
                if errno == EINTR { continue }
                throw failure(path)
            }
            if count == 0 { break }
            bytes += UInt64(count)
            guard bytes <= options.limits.bytes else {
                throw VoltError(
                    .refused,
                    "the files of '\(sourceName)' are larger than \(ByteSize(bytes: options.limits.bytes))")
            }
            let written = buffer.withUnsafeBytes { whole in
                let part = UnsafeRawBufferPointer(rebasing: whole[..<count])
                content.update(part)
                return body(part, offset)
            }
            guard written else { throw SystemError.current.during("cannot write '\(path.text)'") }
            offset += count
        }
        return offset
    }

    private static func write(_ bytes: UnsafeRawBufferPointer, at offset: Int, to descriptor: Int32) -> Bool {
        var done = 0
        while done < bytes.count {
            let count = pwrite(
                descriptor, bytes.baseAddress?.advanced(by: done), bytes.count - done, off_t(offset + done))
            if count < 0, errno == EINTR { continue }
            if count <= 0 { return false }
            done += count
        }
        return true
    }

    // MARK: - Hashing: every field with its length, so that no two trees have the same bytes

    private func header(_ kind: String, _ path: TreePath, _ attributes: FileAttributes?) {
        put(Array(kind.utf8))
        put(path.bytes)
        guard let attributes else { return }
        put(Array("\(attributes.mode) \(attributes.user) \(attributes.group)".utf8))
        for (name, value) in attributes.extended.sorted(by: { $0.key.lexicographicallyPrecedes($1.key) }) {
            put(name)
            put(value)
        }
    }

    private func put(_ bytes: [UInt8]) {
        withUnsafeBytes(of: UInt64(bytes.count).littleEndian) { hasher.update($0) }
        bytes.withUnsafeBytes { hasher.update($0) }
    }

    // MARK: - Reading beneath the source

    private func open(_ path: TreePath, _ flags: Int32) -> Int32 {
        withCString(path.bytes) { volt_open_beneath(source, $0, flags, 0) }
    }

    private func information(_ path: TreePath) throws(VoltError) -> stat? {
        guard let name = path.names.last else {
            var information = stat()
            guard fstat(source, &information) == 0 else { throw failure(path) }
            return information
        }
        let parent = open(path.parent, O_RDONLY | O_DIRECTORY)
        guard parent >= 0 else {
            if errno == ENOENT || errno == ENOTDIR { return nil }
            throw failure(path)
        }
        defer { close(parent) }
        var information = stat()
        if withCString(name, { fstatat(parent, $0, &information, AT_SYMLINK_NOFOLLOW) }) == 0 {
            return information
        }
        if errno == ENOENT { return nil }
        throw failure(path)
    }

    private func target(_ path: TreePath) throws(VoltError) -> [UInt8] {
        let parent = open(path.parent, O_RDONLY | O_DIRECTORY)
        guard parent >= 0 else { throw failure(path) }
        defer { close(parent) }
        var target = [CChar](repeating: 0, count: 4097)
        let count = withCString(path.names.last ?? []) { readlinkat(parent, $0, &target, 4096) }
        guard count > 0 else { throw failure(path) }
        return target[..<count].map { UInt8(bitPattern: $0) }
    }

    private func failure(_ path: TreePath) -> VoltError {
        let error = SystemError.current
        if error.number == ELOOP || error.number == EXDEV {
            return VoltError(
                .refused, "'\(path.text)' passes a link, or leads out of '\(sourceName)'",
                hint: "name the file itself")
        }
        return error.during("cannot read '\(path.text)' in '\(sourceName)'")
    }
}

/// Digests of files and trees.
public enum TreeDigest {
    /// The digest of a file or directory tree by its content, without times.
    ///
    /// - Parameters:
    ///   - path: below `directory`; reached through no link.
    public static func of(_ path: TreePath, beneath directory: String) throws(VoltError) -> Digest {
        let copy = try TreeCopy(source: directory, writer: nil)
        try copy.add(path, as: .root)
        return copy.finish()
    }
}
