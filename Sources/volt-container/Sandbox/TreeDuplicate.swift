internal import CVoltSystem
internal import Glibc
public import VoltCore
internal import VoltSystem

/// Copies what is in a directory into another one, as it is: owners, permissions, times, extended attributes, hard
/// links, links by their targets. No link is followed, on either side.
///
/// What the destination has already stays: files, and all of what is mounted in it.
///
/// `TreeCopy` of VoltArchive does the same for images in a store, and needs libarchive, which process 1 and the helpers do
/// not link.
public struct TreeDuplicate {
    /// The most that a copy may be.
    public struct Limits: Sendable {
        /// Files, directories and links.
        public var entries: Int
        /// The bytes of files.
        public var bytes: UInt64
        /// Directories in each other.
        public var depth = 256

        /// - Parameters: see the properties.
        public init(entries: Int, bytes: UInt64) {
            self.entries = entries
            self.bytes = bytes
        }
    }

    private struct Inode: Hashable {
        let device: dev_t
        let number: ino_t
    }

    private let root: Int32
    private let device: dev_t
    private let name: String
    private let most: Limits
    private var limits: Limits
    private var links: [Inode: [CChar]] = [:]
    private var buffer = [UInt8](repeating: 0, count: 1 << 17)

    /// - Parameters:
    ///   - root: the open directory to copy to; it stays open, and the caller's.
    ///   - name: what is copied, for errors.
    public init(to root: Int32, named name: String, limits: Limits) throws(VoltError) {
        self.root = root
        self.name = name
        self.limits = limits
        most = limits
        var information = stat()
        guard fstat(root, &information) == 0 else {
            throw SystemError.current.during("cannot copy '\(name)'")
        }
        device = information.st_dev
    }

    /// Copies what is in an open directory, and the attributes of that itself.
    public mutating func copy(contentsOf source: Int32) throws(VoltError) {
        try directory(source, root, [], limits.depth)
    }

    private mutating func directory(_ source: Int32, _ target: Int32, _ path: [CChar], _ depth: Int)
        throws(VoltError)
    {
        guard depth > 0 else { throw tooMuch("\(most.depth) directories in each other") }
        for entry in try names(in: source, path) {
            try self.entry(entry, source, target, path.isEmpty ? entry : path + [47] + entry, depth)
        }
        var information = stat()
        guard fstat(source, &information) == 0 else { throw failure(path) }
        try setAttributes(source, target, information, path)
    }

    private mutating func entry(
        _ entry: [CChar], _ source: Int32, _ target: Int32, _ path: [CChar], _ depth: Int
    ) throws(VoltError) {
        guard limits.entries > 0 else { throw tooMuch("\(most.entries) files") }
        limits.entries -= 1
        let name = entry + [0]
        var information = stat()
        guard fstatat(source, name, &information, AT_SYMLINK_NOFOLLOW) == 0 else { throw failure(path) }
        let kind = information.st_mode & S_IFMT
        if kind == S_IFDIR { return try subdirectory(name, source, target, path, depth) }
        if information.st_nlink > 1 {
            let inode = Inode(device: information.st_dev, number: information.st_ino)
            if let first = links[inode] {
                guard linkat(root, first + [0], target, name, 0) == 0 || errno == EEXIST else {
                    throw failure(path)
                }
                return
            }
            links[inode] = path
        }
        switch kind {
        case S_IFREG: return try file(name, source, target, path)
        case S_IFLNK:
            var text = [CChar](repeating: 0, count: 4097)
            guard readlinkat(source, name, &text, 4096) >= 0 else { throw failure(path) }
            guard symlinkat(text, target, name) == 0 else { return try unlessThere(path) }
        case S_IFIFO, S_IFCHR, S_IFBLK:
            guard mknodat(target, name, kind | 0o600, information.st_rdev) == 0 else {
                return try unlessThere(path)
            }
        // A socket without the process that listens is of no use.
        default: return
        }
        guard fchownat(target, name, information.st_uid, information.st_gid, AT_SYMLINK_NOFOLLOW) == 0,
            kind == S_IFLNK || fchmodat(target, name, information.st_mode & 0o7777, 0) == 0,
            utimensat(target, name, [information.st_mtim, information.st_mtim], AT_SYMLINK_NOFOLLOW) == 0
        else { throw failure(path) }
    }

    private mutating func subdirectory(
        _ name: [CChar], _ source: Int32, _ target: Int32, _ path: [CChar], _ depth: Int
    ) throws(VoltError) {
        guard mkdirat(target, name, 0o700) == 0 || errno == EEXIST else { throw failure(path) }
        let flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW
        let from = volt_openat(source, name, flags, 0)
        guard from >= 0 else { throw failure(path) }
        defer { close(from) }
        let to = volt_openat(target, name, flags, 0)
        guard to >= 0 else {
            // Something else has the name.
            if errno == ENOTDIR || errno == ELOOP { return }
            throw failure(path)
        }
        defer { close(to) }
        var information = stat()
        var system = statvfs()
        guard fstat(to, &information) == 0, fstatvfs(to, &system) == 0 else { throw failure(path) }
        // Something is mounted there.
        if information.st_dev != device || system.f_flag & UInt(ST_RDONLY) != 0 { return }
        try directory(from, to, path, depth - 1)
    }

    private mutating func file(_ name: [CChar], _ source: Int32, _ target: Int32, _ path: [CChar])
        throws(VoltError)
    {
        let from = volt_openat(source, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK, 0)
        guard from >= 0 else { throw failure(path) }
        defer { close(from) }
        var information = stat()
        guard fstat(from, &information) == 0, information.st_mode & S_IFMT == S_IFREG else {
            throw failure(path)
        }
        guard UInt64(clamping: information.st_size) <= limits.bytes else {
            throw tooMuch("\(ByteSize(bytes: most.bytes))")
        }
        let to = volt_openat(target, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600)
        guard to >= 0 else { return try unlessThere(path) }
        defer { close(to) }
        let isSparse = information.st_blocks * 512 < information.st_size
        var size: off_t = 0
        while true {
            let count = read(from, &buffer, buffer.count)
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw failure(path) }
            if count == 0 { break }
            guard limits.bytes >= UInt64(count) else { throw tooMuch("\(ByteSize(bytes: most.bytes))") }
            limits.bytes -= UInt64(count)
            size += off_t(count)
            // Holes stay holes.
            if isSparse, buffer[..<count].allSatisfy({ $0 == 0 }) {
                lseek(to, off_t(count), SEEK_CUR)
            } else {
                try Files.write(Array(buffer[..<count]), to: to, named: Self.text(path))
            }
        }
        guard ftruncate(to, size) == 0 else { throw failure(path) }
        try setAttributes(from, to, information, path)
    }

    private func setAttributes(_ source: Int32, _ target: Int32, _ information: stat, _ path: [CChar])
        throws(VoltError)
    {
        // The order matters: a new owner clears setuid and capabilities.
        guard fchown(target, information.st_uid, information.st_gid) == 0,
            fchmod(target, information.st_mode & 0o7777) == 0
        else { throw failure(path) }
        var names = [CChar](repeating: 0, count: 1 << 16)
        let count = volt_flistxattr(source, &names, names.count)
        guard count >= 0 || errno == ENOTSUP else { throw failure(path) }
        for name in names[..<max(0, count)].split(separator: 0) {
            let name = Array(name) + [0]
            // Others are the host's, such as labels of a security module.
            let text = Self.text(name.dropLast())
            guard
                text.hasPrefix("user.") || text == "security.capability"
                    || text.hasPrefix("system.posix_acl_")
            else { continue }
            var value = [UInt8](repeating: 0, count: 1 << 16)
            let size = volt_fgetxattr(source, name, &value, value.count)
            guard size >= 0 else { throw failure(path) }
            guard volt_fsetxattr(target, name, value, size) == 0 || errno == ENOTSUP else {
                throw failure(path)
            }
        }
        guard futimens(target, [information.st_mtim, information.st_mtim]) == 0 else { throw failure(path) }
    }

    private func names(in directory: Int32, _ path: [CChar]) throws(VoltError) -> [[CChar]] {
        // The stream closes its descriptor.
        let descriptor = volt_openat(directory, ".", O_RDONLY | O_DIRECTORY, 0)
        guard descriptor >= 0 else { throw failure(path) }
        guard let stream = fdopendir(descriptor) else {
            let error = failure(path)
            close(descriptor)
            throw error
        }
        defer { closedir(stream) }
        var names: [[CChar]] = []
        while let entry = readdir(stream) {
            let name = withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
                bytes.prefix { $0 != 0 }.map { CChar(bitPattern: $0) }
            }
            if name == [46] || name == [46, 46] { continue }
            guard names.count <= limits.entries else { throw tooMuch("\(most.entries) files") }
            names.append(name)
        }
        return names
    }

    /// What is there already stays as it is.
    private func unlessThere(_ path: [CChar]) throws(VoltError) {
        if errno != EEXIST { throw failure(path) }
    }

    private func tooMuch(_ what: String) -> VoltError {
        VoltError(.refused, "the image has more than \(what) below '\(name)'")
    }

    private func failure(_ path: [CChar]) -> VoltError {
        let place = path.isEmpty ? name : "\(name)/\(Self.text(path))"
        return SystemError.current.during("cannot copy '\(place)' of the image")
    }

    private static func text(_ bytes: some Sequence<CChar>) -> String {
        String(decoding: bytes.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}
