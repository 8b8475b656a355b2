internal import CVoltSystem
internal import Glibc
public import VoltCore

extension Files {
    /// Removes a file or a whole directory, links themselves and not what they point to, and nothing that is mounted there
    /// or below, be it of the same file system.
    ///
    /// - Throws: `VoltError`; code `conflict` when something is mounted there or below. What comes before it in the
    ///   directories is removed then.
    public static func removeTree(_ path: String) throws(VoltError) {
        let name = lastComponent(of: path)
        guard !name.isEmpty, name != ".", name != ".." else {
            throw VoltError(.refused, "cannot remove '\(path)': the path names no entry of a directory")
        }
        let parent = volt_open(Files.parent(of: path), volt_o_path | O_DIRECTORY, 0)
        guard parent >= 0 else {
            if errno == ENOENT { return }
            throw SystemError.current.during("cannot remove '\(path)'")
        }
        defer { close(parent) }
        try removeTree(Array(name.utf8), in: parent, named: path)
    }

    /// The same for a name, any bytes, in an open directory.
    ///
    /// - Parameters:
    ///   - path: for errors.
    ///   - mounted: called with what is mounted, which then stays with the directories it is in; nil refuses it.
    public static func removeTree(
        _ name: [UInt8], in directory: Int32, named path: String, mounted: ((String) -> Void)? = nil
    ) throws(VoltError) {
        var removal = TreeRemoval(mounted: mounted)
        try removal.remove((name + [0]).map { CChar(bitPattern: $0) }, directory, path)
    }
}

/// By descriptors and bytes: a name need not be UTF-8, a path may be longer than the kernel takes, and no directory that
/// becomes a link meanwhile is followed. The open directories are in a list: calls within calls would need more stack than
/// a thread has.
private struct TreeRemoval {
    private struct Open {
        let descriptor: Int32
        let name: [CChar]
        let path: String
        var names: [[CChar]] = []
        var next = 0
        /// Whether something in it stays.
        var isKept = false
    }

    let mounted: ((String) -> Void)?
    private var open: [Open] = []

    init(mounted: ((String) -> Void)?) { self.mounted = mounted }

    mutating func remove(_ name: [CChar], _ parent: Int32, _ path: String) throws(VoltError) {
        defer { for directory in open { close(directory.descriptor) } }
        try removeOrOpen(name, parent, path)
        while let last = open.last {
            if last.next < last.names.count {
                open[open.count - 1].next += 1
                let name = last.names[last.next]
                let shown = String(shown: name.dropLast().map { UInt8(bitPattern: $0) })
                try removeOrOpen(name, last.descriptor, "\(last.path)/\(shown)")
                continue
            }
            open.removeLast()
            close(last.descriptor)
            if last.isKept {
                keepParent()
            } else if unlinkat(open.last?.descriptor ?? parent, last.name, AT_REMOVEDIR) != 0, errno != ENOENT
            {
                guard errno == EBUSY else { throw failure(last.path) }
                try keep(last.path)
            }
        }
    }

    /// Removes what is not a directory.
    private mutating func removeOrOpen(_ name: [CChar], _ parent: Int32, _ path: String) throws(VoltError) {
        if unlinkat(parent, name, 0) == 0 || errno == ENOENT { return }
        if errno == EBUSY { return try keep(path) }
        // EPERM is of file systems other than those of Linux.
        guard errno == EISDIR || errno == EPERM else { throw failure(path) }
        let descriptor = volt_open_on_mount(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0)
        if descriptor < 0 {
            if errno == ENOENT { return }
            if errno == EXDEV { return try keep(path) }
            // A file that may not be removed, such as one that is immutable.
            if errno == ENOTDIR { throw SystemError(number: EPERM).during("cannot remove '\(path)'") }
            throw failure(path)
        }
        open.append(Open(descriptor: descriptor, name: name, path: path))
        open[open.count - 1].names = try names(descriptor, path)
    }

    private func names(_ descriptor: Int32, _ path: String) throws(VoltError) -> [[CChar]] {
        let copy = volt_openat(descriptor, ".", O_RDONLY | O_DIRECTORY, 0)
        guard copy >= 0, let directory = fdopendir(copy) else {
            let error = SystemError.current
            if copy >= 0 { close(copy) }
            throw error.during("cannot list '\(path)'")
        }
        defer { closedir(directory) }
        var names: [[CChar]] = []
        while let entry = readdir(directory) {
            let name = withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
                bytes.prefix { $0 != 0 }.map { CChar(bitPattern: $0) }
            }
            if name != [46], name != [46, 46] { names.append(name + [0]) }
        }
        return names
    }

    private mutating func keep(_ path: String) throws(VoltError) {
        guard let mounted else {
            throw VoltError(
                .conflict, "cannot remove '\(path)': it is a mount point",
                hint: "unmount it first: umount \(path)")
        }
        mounted(path)
        keepParent()
    }

    private mutating func keepParent() { if !open.isEmpty { open[open.count - 1].isKept = true } }

    private func failure(_ path: String) -> VoltError {
        SystemError.current.during("cannot remove '\(path)'")
    }
}
