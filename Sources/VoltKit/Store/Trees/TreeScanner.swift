internal import CVoltSystem
internal import Glibc
internal import VoltCore
internal import VoltSystem

/// Walks a directory in the order of a tree and says what is there; it reads no file.
final class TreeScanner {
    private let root: Int32
    private let rootPath: String
    private let options: IngestOptions
    private var device: dev_t = 0
    private var path: [UInt8] = []
    private var firstNames: [InodeKey: [UInt8]] = [:]
    private(set) var notes: [String] = []

    private struct InodeKey: Hashable {
        let device: UInt64
        let inode: UInt64
    }

    init(_ directory: String, _ options: IngestOptions) throws {
        rootPath = directory
        self.options = options
        root = volt_open(directory, O_RDONLY | O_DIRECTORY, 0)
        guard root >= 0 else { throw SystemError.current.during("cannot open '\(directory)'") }
    }

    deinit { close(root) }

    /// The open directory that the paths are seen from.
    var descriptor: Int32 { root }

    /// Gives every name, each directory before what is in it, and the end of each directory.
    func run(_ body: (IngestBatch.Item) throws -> Void) throws {
        var information = stat()
        guard fstat(root, &information) == 0 else {
            throw SystemError.current.during("cannot read '\(rootPath)'")
        }
        device = information.st_dev
        try directory(root, [], information, body)
    }

    private func directory(
        _ descriptor: Int32, _ name: [UInt8], _ information: stat, _ body: (IngestBatch.Item) throws -> Void
    ) throws {
        var entry = entry(name, .directory, information)
        entry.extended = try Attributes.read(descriptor, overlay: options.keepsOverlayMarks, path)
        try body(.init(event: .entry(entry)))
        if options.staysOnFileSystem, information.st_dev != device { return try body(.init(event: .up)) }
        let names = try NameList(descriptor, path)
        let length = path.count
        for index in 0..<names.count {
            let name = names[index]
            if length > 0 { path.append(UInt8(ascii: "/")) }
            path.append(contentsOf: name.dropLast())
            defer { path.removeLast(path.count - length) }
            if isExcluded(name) { continue }
            try add(name, in: descriptor, body)
        }
        try body(.init(event: .up))
    }

    private func add(_ name: [UInt8], in parent: Int32, _ body: (IngestBatch.Item) throws -> Void) throws {
        guard path.count <= 4095 else {
            throw VoltError(.refused, "a path in '\(rootPath)' is longer than 4095 bytes")
        }
        var information = stat()
        guard withCharacters(name, { fstatat(parent, $0, &information, AT_SYMLINK_NOFOLLOW) }) == 0 else {
            // It was removed since the directory was listed.
            if errno == ENOENT { return }
            throw failure("cannot read")
        }
        let plain = Array(name.dropLast())
        switch information.st_mode & S_IFMT {
        case S_IFDIR:
            let descriptor = withCharacters(name) {
                volt_openat(parent, $0, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0)
            }
            guard descriptor >= 0 else { throw failure("cannot open") }
            defer { close(descriptor) }
            try directory(descriptor, plain, information, body)
        case S_IFREG:
            if information.st_nlink > 1 {
                let key = InodeKey(device: UInt64(information.st_dev), inode: UInt64(information.st_ino))
                if let first = firstNames[key] {
                    return try body(.init(event: .entry(TreeEntry(name: plain, kind: .hardLink(first)))))
                }
                firstNames[key] = path
            }
            let entry = entry(plain, .file(size: UInt64(information.st_size), digest: .zero), information)
            try body(.init(event: .entry(entry), path: path + [0], stamp: FileStamp(information)))
        case S_IFLNK:
            let target = try linkTarget(parent, name)
            try body(.init(event: .entry(entry(plain, .link(target), information))))
        case S_IFCHR, S_IFBLK:
            let number = UInt64(information.st_rdev)
            let (major, minor) = (volt_major(number), volt_minor(number))
            guard major <= 0xfff, minor <= 0xfffff else {
                return note("is a device with a number that is too large")
            }
            let kind: TreeEntry.Kind =
                information.st_mode & S_IFMT == S_IFCHR
                ? .characterDevice(major: major, minor: minor) : .blockDevice(major: major, minor: minor)
            try body(.init(event: .entry(entry(plain, kind, information))))
        case S_IFIFO: try body(.init(event: .entry(entry(plain, .pipe, information))))
        case S_IFSOCK: try body(.init(event: .entry(entry(plain, .socket, information))))
        default: note("is no file of a known kind")
        }
    }

    private func entry(_ name: [UInt8], _ kind: TreeEntry.Kind, _ information: stat) -> TreeEntry {
        var entry = TreeEntry(name: name, kind: kind)
        entry.take(information, options)
        return entry
    }

    private func linkTarget(_ parent: Int32, _ name: [UInt8]) throws -> [UInt8] {
        var buffer = [UInt8](repeating: 0, count: 4096)
        let count = withCharacters(name) { name in
            buffer.withUnsafeMutableBytes { bytes in
                guard let base = bytes.baseAddress else { return 0 }
                return readlinkat(parent, name, base.assumingMemoryBound(to: CChar.self), bytes.count)
            }
        }
        guard count > 0 else { throw failure("cannot read") }
        return Array(buffer[..<count])
    }

    private func isExcluded(_ name: [UInt8]) -> Bool {
        guard !options.excludes.isEmpty else { return false }
        let whole = path + [0]
        return options.excludes.contains { pattern in
            if pattern.contains("/") {
                let anchored = pattern.hasPrefix("/") ? String(pattern.dropFirst()) : pattern
                return withCharacters(whole) { fnmatch(anchored, $0, FNM_PATHNAME) } == 0
            }
            return withCharacters(name) { fnmatch(pattern, $0, 0) } == 0
        }
    }

    private func note(_ what: String) {
        if notes.count < 100 { notes.append("\(String(decoding: path, as: UTF8.self)) \(what)") }
    }

    private func failure(_ what: String) -> VoltError {
        SystemError.current.during("\(what) '\(rootPath)/\(String(decoding: path, as: UTF8.self))'")
    }
}

extension TreeEntry {
    /// Takes the attributes of a file.
    mutating func take(_ information: stat, _ options: IngestOptions) {
        mode = UInt32(information.st_mode & 0o7777)
        user = options.owner?.user ?? UInt32(information.st_uid)
        group = options.owner?.group ?? UInt32(information.st_gid)
        guard options.keepsTimes else { return }
        seconds = Int64(information.st_mtim.tv_sec)
        nanoseconds = UInt32(information.st_mtim.tv_nsec)
    }
}

/// Calls the body with bytes that end in a zero as a C string.
func withCharacters<Result>(_ bytes: [UInt8], _ body: (UnsafePointer<CChar>) -> Result) -> Result {
    bytes.withUnsafeBytes { raw in
        guard let base = raw.baseAddress else { fatalError("a name has its zero at least") }
        return body(base.assumingMemoryBound(to: CChar.self))
    }
}

/// Extended attributes that belong to a tree.
enum Attributes {
    /// `trusted.*` and the labels of security modules belong to a host; these are what a tree needs.
    static func isKept(_ name: some StringProtocol, overlay: Bool) -> Bool {
        name.hasPrefix("user.") || name == "security.capability" || name == "system.posix_acl_access"
            || name == "system.posix_acl_default" || (overlay && name == "trusted.overlay.opaque")
    }

    /// Takes all attributes from a file.
    static func removeAll(_ descriptor: Int32) -> Bool {
        let size = volt_flistxattr(descriptor, nil, 0)
        guard size > 0 else { return size == 0 || errno == ENOTSUP }
        var buffer = [CChar](repeating: 0, count: size + 1024)
        let count = volt_flistxattr(descriptor, &buffer, buffer.count)
        guard count >= 0 else { return false }
        for part in buffer[..<count].split(separator: 0) {
            guard volt_fremovexattr(descriptor, Array(part) + [0]) == 0 || errno == ENODATA else {
                return false
            }
        }
        return true
    }

    /// The attributes of an open file or directory, sorted.
    static func read(_ descriptor: Int32, overlay: Bool, _ path: [UInt8]) throws -> [TreeEntry.Attribute] {
        let size = volt_flistxattr(descriptor, nil, 0)
        guard size > 0 else { return [] }
        var buffer = [CChar](repeating: 0, count: size + 1024)
        let count = volt_flistxattr(descriptor, &buffer, buffer.count)
        guard count > 0 else { return [] }
        var attributes: [TreeEntry.Attribute] = []
        for part in buffer[..<count].split(separator: 0) {
            let name = part.map { UInt8(bitPattern: $0) }
            guard isKept(String(decoding: name, as: UTF8.self), overlay: overlay) else { continue }
            var value = [UInt8](repeating: 0, count: 65536)
            let length = withCharacters(name + [0]) { volt_fgetxattr(descriptor, $0, &value, value.count) }
            if length < 0, errno == ENODATA { continue }
            guard length >= 0 else {
                throw SystemError.current.during(
                    "cannot read the attributes of '\(String(decoding: path, as: UTF8.self))'")
            }
            attributes.append(.init(name: name, value: Array(value[..<length])))
        }
        return attributes.sorted { $0.name.lexicographicallyPrecedes($1.name) }
    }
}
