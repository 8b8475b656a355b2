internal import CVoltSystem
internal import Glibc
internal import VoltCore
internal import VoltSystem

/// Walks a directory in the order of a tree and says what is there; it reads no file.
final class TreeScanner {
    private let root: Int32
    private let rootPath: String
    private let options: IngestOptions
    /// Patterns with a zero at their end, and whether each is one of whole paths.
    private let excludes: [(pattern: [UInt8], isPath: Bool)]
    private var device: dev_t = 0
    private var path: [UInt8] = []
    private var open: [Open] = []
    private var firstNames: [InodeKey: [UInt8]] = [:]
    private(set) var notes: [String] = []
    private let leftOut: LeftOutNames

    private struct InodeKey: Hashable {
        let device: UInt64
        let inode: UInt64
    }

    init(_ directory: String, _ options: IngestOptions, _ leftOut: LeftOutNames) throws {
        self.leftOut = leftOut
        rootPath = directory
        self.options = options
        excludes = options.excludes.map { pattern in
            let bytes = pattern.shownBytes
            let isPath = bytes.contains(UInt8(ascii: "/"))
            return (Array(bytes.drop { isPath && $0 == UInt8(ascii: "/") }) + [0], isPath)
        }
        root = volt_open(directory, O_RDONLY | O_DIRECTORY, 0)
        guard root >= 0 else { throw SystemError.current.during("cannot open '\(directory)'") }
    }

    deinit { close(root) }

    /// The open directory that the paths are seen from.
    var descriptor: Int32 { root }

    /// A directory that is open.
    private struct Open {
        let descriptor: Int32
        let names: NameList
        var next = 0
        /// How long the path was before its name.
        let length: Int
    }

    /// Gives every name, each directory before what is in it, and the end of each directory.
    ///
    /// The open directories are in a list: calls within calls would need more stack than a thread has.
    func run(_ body: (IngestBatch.Item) throws -> Void) throws {
        var information = stat()
        guard fstat(root, &information) == 0 else {
            throw SystemError.current.during("cannot read '\(rootPath)'")
        }
        device = information.st_dev
        defer {
            for directory in open.dropFirst() { close(directory.descriptor) }
            open = []
        }
        _ = try enter(root, [], 0, information, body)
        while let last = open.last {
            guard last.next < last.names.count else {
                open.removeLast()
                path.removeLast(path.count - last.length)
                if !open.isEmpty { close(last.descriptor) }
                try body(.init(event: .up))
                continue
            }
            open[open.count - 1].next += 1
            let name = last.names[last.next]
            let length = path.count
            if length > 0 { path.append(UInt8(ascii: "/")) }
            path.append(contentsOf: name.dropLast())
            if isExcluded(name) {
                path.removeLast(path.count - length)
            } else if try !add(name, in: last.descriptor, length, body) {
                path.removeLast(path.count - length)
            }
        }
    }

    /// - Returns: false when it was left at once, since it is another file system or cannot be listed.
    private func enter(
        _ descriptor: Int32, _ name: [UInt8], _ length: Int, _ information: stat,
        _ body: (IngestBatch.Item) throws -> Void
    ) throws -> Bool {
        var entry = entry(name, .directory, information)
        var item = IngestBatch.Item(event: .up)
        do {
            entry.extended = try Attributes.read(
                .open(descriptor), overlay: options.keepsOverlayMarks, path, &item.dropped)
        } catch let error as VoltError { try leftOut.add(path, error, attributesOnly: true) }
        item.event = .entry(entry)
        item.place = path
        try body(item)
        if options.staysOnFileSystem, information.st_dev != device {
            try body(.init(event: .up))
            return false
        }
        do throws(SystemError) {
            open.append(Open(descriptor: descriptor, names: try NameList(descriptor), length: length))
        } catch {
            try leaveOut("cannot list", error)
            try body(.init(event: .up))
            return false
        }
        return true
    }

    /// Leaves out what is at the path.
    ///
    /// - Throws: the error, when nothing may be left out or the host lacks something.
    private func leaveOut(_ what: String, _ error: SystemError = .current) throws {
        let words = error.during("\(what) '\(rootPath)/\(String(shown: path))'")
        if error.isShortage { throw words }
        try leftOut.add(path, words)
    }

    /// - Returns: whether it is a directory that is open now.
    private func add(
        _ name: [UInt8], in parent: Int32, _ length: Int, _ body: (IngestBatch.Item) throws -> Void
    ) throws -> Bool {
        guard path.count <= TreeFormat.longestPath else {
            let reason = "has a path of more than \(TreeFormat.longestPath) bytes"
            try leftOut.add(path, Self.refused(path, reason))
            return false
        }
        var information = stat()
        guard withCharacters(name, { fstatat(parent, $0, &information, AT_SYMLINK_NOFOLLOW) }) == 0 else {
            // It was removed since the directory was listed.
            if errno != ENOENT { try leaveOut("cannot read") }
            return false
        }
        let plain = Array(name.dropLast())
        switch information.st_mode & S_IFMT {
        case S_IFDIR: return try addDirectory(name, in: parent, length, information, body)
        case S_IFREG: try addFile(plain, information, body)
        case S_IFLNK:
            guard let target = linkTarget(parent, name) else {
                try leaveOut("cannot read")
                return false
            }
            noteSecondName(information)
            try body(.init(event: .entry(entry(plain, .link(target), information))))
        case S_IFCHR, S_IFBLK:
            guard let kind = Self.device(information) else {
                note("is a device with a number that is too large")
                return false
            }
            try addSpecial(entry(plain, kind, information), in: parent, information, body)
        case S_IFIFO: try addSpecial(entry(plain, .pipe, information), in: parent, information, body)
        case S_IFSOCK: try addSpecial(entry(plain, .socket, information), in: parent, information, body)
        default: note("is no file of a known kind")
        }
        return false
    }

    /// - Returns: whether it is open now.
    private func addDirectory(
        _ name: [UInt8], in parent: Int32, _ length: Int, _ seen: stat,
        _ body: (IngestBatch.Item) throws -> Void
    ) throws -> Bool {
        var information = seen
        let plain = Array(name.dropLast())
        guard open.count < TreeFormat.depth else {
            let reason = "is in more than \(TreeFormat.depth - 1) directories in each other"
            try leftOut.add(path, Self.refused(path, reason))
            return false
        }
        let descriptor = withCharacters(name) {
            volt_openat(parent, $0, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0)
        }
        guard descriptor >= 0 else {
            let error = SystemError.current
            try leaveOut("cannot open", error)
            guard ![ENOENT, ENOTDIR, ELOOP].contains(error.number) else { return false }
            // What is known of it is kept: only what is in it is not.
            try body(.init(event: .entry(entry(plain, .directory, information))))
            try body(.init(event: .up))
            return false
        }
        var isOpen = false
        defer { if !isOpen { close(descriptor) } }
        // It may be another one than was looked at.
        guard fstat(descriptor, &information) == 0 else {
            try leaveOut("cannot read")
            return false
        }
        isOpen = try enter(descriptor, plain, length, information, body)
        return isOpen
    }

    private func addFile(
        _ name: [UInt8], _ information: stat, _ body: (IngestBatch.Item) throws -> Void
    ) throws {
        let file = entry(name, .file(size: UInt64(information.st_size), digest: .zero), information)
        if information.st_nlink > 1 {
            let key = InodeKey(device: UInt64(information.st_dev), inode: UInt64(information.st_ino))
            if let first = firstNames[key] {
                let link = TreeEntry(name: name, kind: .hardLink(first))
                try body(
                    .init(
                        event: .entry(link), stamp: FileStamp(information), file: file, filePath: path + [0]))
                return
            }
            firstNames[key] = path
        }
        try body(.init(event: .entry(file), path: path + [0], stamp: FileStamp(information)))
    }

    /// The device that a node is; nil when its number is too large for the format.
    private static func device(_ information: stat) -> TreeEntry.Kind? {
        let number = UInt64(information.st_rdev)
        let (major, minor) = (volt_major(number), volt_minor(number))
        guard major <= TreeFormat.largestMajor, minor <= TreeFormat.largestMinor else { return nil }
        return information.st_mode & S_IFMT == S_IFCHR
            ? .characterDevice(major: major, minor: minor) : .blockDevice(major: major, minor: minor)
    }

    /// A device, pipe or socket, with its access control list.
    private func addSpecial(
        _ entry: TreeEntry, in parent: Int32, _ information: stat, _ body: (IngestBatch.Item) throws -> Void
    ) throws {
        noteSecondName(information)
        var entry = entry
        var item = IngestBatch.Item(event: .up)
        do {
            entry.extended = try Attributes.read(
                .named(entry.name, in: parent), overlay: options.keepsOverlayMarks, path, &item.dropped)
        } catch let error as VoltError { try leftOut.add(path, error, attributesOnly: true) }
        item.event = .entry(entry)
        item.place = path
        try body(item)
    }

    /// Only files have second names in a tree.
    private func noteSecondName(_ information: stat) {
        guard information.st_nlink > 1 else { return }
        let key = InodeKey(device: UInt64(information.st_dev), inode: UInt64(information.st_ino))
        guard let first = firstNames[key] else { return firstNames[key] = path }
        note("is another name of \(String(shown: first)), and becomes one of its own")
    }

    private func entry(_ name: [UInt8], _ kind: TreeEntry.Kind, _ information: stat) -> TreeEntry {
        var entry = TreeEntry(name: name, kind: kind)
        entry.take(information, options)
        return entry
    }

    private func linkTarget(_ parent: Int32, _ name: [UInt8]) -> [UInt8]? {
        var buffer = [UInt8](repeating: 0, count: 4096)
        let count = withCharacters(name) { name in
            buffer.withUnsafeMutableBytes { bytes in
                guard let base = bytes.baseAddress else { return 0 }
                return readlinkat(parent, name, base.assumingMemoryBound(to: CChar.self), bytes.count)
            }
        }
        return count > 0 ? Array(buffer[..<count]) : nil
    }

    private func isExcluded(_ name: [UInt8]) -> Bool {
        guard !excludes.isEmpty else { return false }
        let whole = path + [0]
        return excludes.contains { pattern, isPath in
            withCharacters(pattern) { pattern in
                withCharacters(isPath ? whole : name) { fnmatch(pattern, $0, isPath ? FNM_PATHNAME : 0) }
            } == 0
        }
    }

    private func note(_ what: String) {
        if notes.count < 100 { notes.append("\(String(shown: path)) \(what)") }
    }

    /// The error for a name that a tree cannot have.
    static func refused(_ path: [UInt8], _ reason: String) -> VoltError {
        let shown = String(shown: path.prefix(300))
        return VoltError(
            .refused, "'\(shown)\(path.count > 300 ? "…" : "")' cannot be in a tree: it \(reason)",
            hint: "see \"Limits\" of docs/design/store.md, or leave it out with --exclude")
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
    static func isKept(_ name: [UInt8], overlay: Bool) -> Bool {
        name.starts(with: "user.".utf8) || kept.contains(name) || (overlay && name == opaque)
    }

    private static let kept = [
        "security.capability", "system.posix_acl_access", "system.posix_acl_default",
    ].map { Array($0.utf8) }
    private static let opaque = Array("trusted.overlay.opaque".utf8)

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

    /// What has attributes.
    enum Source {
        case open(Int32)
        /// What is not opened, since that may do something: a device, a pipe or a socket.
        case named([UInt8], in: Int32)

        private func withPath<Result>(
            _ parent: Int32, _ name: [UInt8], _ body: (UnsafePointer<CChar>) -> Result
        )
            -> Result
        {
            withCharacters(Array("/proc/self/fd/\(parent)/".utf8) + name + [0], body)
        }

        func list(_ buffer: UnsafeMutablePointer<CChar>?, _ count: Int) -> Int {
            switch self {
            case .open(let descriptor): volt_flistxattr(descriptor, buffer, count)
            case .named(let name, let parent): withPath(parent, name) { volt_llistxattr($0, buffer, count) }
            }
        }

        func value(_ name: [UInt8], _ buffer: UnsafeMutablePointer<UInt8>, _ count: Int) -> Int {
            withCharacters(name + [0]) { attribute in
                switch self {
                case .open(let descriptor): volt_fgetxattr(descriptor, attribute, buffer, count)
                case .named(let name, let parent):
                    withPath(parent, name) { volt_lgetxattr($0, attribute, buffer, count) }
                }
            }
        }
    }

    /// The attributes of a file or directory, sorted.
    ///
    /// - Parameter dropped: gets the names of `trusted.*` that a tree does not have.
    static func read(_ source: Source, overlay: Bool, _ path: [UInt8], _ dropped: inout [[UInt8]]) throws
        -> [TreeEntry.Attribute]
    {
        let size = source.list(nil, 0)
        // Removed meanwhile, or something that has none.
        if case .named = source, size < 0, errno == ENOENT { return [] }
        if size == 0 || (size < 0 && errno == ENOTSUP) { return [] }
        var buffer = [CChar](repeating: 0, count: max(0, size) + 1024)
        let count = size < 0 ? size : source.list(&buffer, buffer.count)
        // The kernel does not list names of more than 64 KiB together: without them the tree would be another one.
        if count < 0, errno == E2BIG {
            throw TreeScanner.refused(path, "has extended attributes with names of more than 64 KiB together")
        }
        guard count >= 0 else {
            throw SystemError.current.during("cannot read the attributes of '\(String(shown: path))'")
        }
        var attributes: [TreeEntry.Attribute] = []
        for part in buffer[..<count].split(separator: 0) {
            let name = part.map { UInt8(bitPattern: $0) }
            guard isKept(name, overlay: overlay) else {
                if name.starts(with: "trusted.".utf8) { dropped.append(name) }
                continue
            }
            var value = [UInt8](repeating: 0, count: 65536)
            let length = source.value(name, &value, value.count)
            if length < 0, errno == ENODATA { continue }
            guard length >= 0 else {
                throw SystemError.current.during("cannot read the attributes of '\(String(shown: path))'")
            }
            attributes.append(.init(name: name, value: Array(value[..<length])))
        }
        return attributes.sorted { $0.name.lexicographicallyPrecedes($1.name) }
    }
}
