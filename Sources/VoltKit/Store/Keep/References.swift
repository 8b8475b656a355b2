internal import CVoltSystem
internal import Glibc
internal import Synchronization
public import VoltCore
internal import VoltSystem

/// What an owner, such as a registry, keeps in a store: directories of its own below `references/`, in which each file
/// named `sha256:HEX` keeps the blob of that name. What else is in the directories, and in the files, is the owner's.
extension ContentStore {
    /// The directory below which owners have theirs.
    public var references: String { layout.references }

    /// Takes a file in as a bare blob, unless the blob is there already, and refers to it: both, or neither, when the
    /// power fails.
    ///
    /// - Parameters:
    ///   - file: on the file system of the store; its bytes are synced and have this digest, and nobody writes to it
    ///     any more. It is gone afterwards.
    ///   - directory: the owner's, below `references`; it is there.
    ///   - note: the bytes of the reference.
    public func takeIn(file: String, as digest: Digest, reference directory: String, note: [UInt8]) throws {
        let name = layout.object(BinaryDigest(digest))
        let share = try FileLock.share(layout.sweepLock)
        if Self.isSameSize(file, name) {
            try Files.remove(file)
        } else {
            // Also in place of one that is damaged for all to see.
            chmod(file, 0o444)
            let parent = Files.parent(of: name)
            if rename(file, name) != 0 {
                guard errno == ENOENT else { throw SystemError.current.during("cannot write '\(name)'") }
                try Files.makeDirectory(parent, mode: 0o700)
                try Files.syncDirectory(layout.objects)
                try Files.move(file, name)
            }
            try Files.syncDirectory(parent)
        }
        try refer(digest, in: directory, note)
        share.keep()
    }

    private static func isSameSize(_ file: String, _ other: String) -> Bool {
        var (one, two) = (stat(), stat())
        return lstat(file, &one) == 0 && lstat(other, &two) == 0 && one.st_size == two.st_size
    }

    /// Refers to a blob that is there.
    ///
    /// - Parameters: as of `takeIn`.
    /// - Returns: false when the blob is not in the store.
    public func addReference(_ directory: String, to digest: Digest, note: [UInt8]) throws -> Bool {
        let share = try FileLock.share(layout.sweepLock)
        guard try has(digest) else { return false }
        try refer(digest, in: directory, note)
        share.keep()
        return true
    }

    /// Call it with a share of the lock that `gc` takes to remove something.
    private func refer(_ digest: Digest, in directory: String, _ note: [UInt8]) throws {
        try upgradeForReferences()
        try Files.replace("\(layout.references)/\(directory)/\(digest)", with: note, mode: 0o600)
        // A collection that looked for references before this one was there keeps what is younger than itself.
        if utimensat(AT_FDCWD, layout.object(BinaryDigest(digest)), nil, AT_SYMLINK_NOFOLLOW) == 0 { return }
        guard let entry = try index.entry(BinaryDigest(digest)) else {
            throw Self.missing(BinaryDigest(digest))
        }
        _ = utimensat(AT_FDCWD, layout.pack(entry.pack), nil, AT_SYMLINK_NOFOLLOW)
    }

    /// Opens a blob as a file.
    ///
    /// - Returns: a descriptor that the caller closes, and the bytes; nil when the blob is not there as a whole file.
    public func open(bare digest: Digest) throws -> (descriptor: Int32, size: UInt64)? {
        let path = layout.object(BinaryDigest(digest))
        let descriptor = volt_open(path, O_RDONLY | O_NOFOLLOW, 0)
        if descriptor < 0, errno == ENOENT { return nil }
        guard descriptor >= 0 else { throw SystemError.current.during("cannot open '\(path)'") }
        var information = stat()
        guard fstat(descriptor, &information) == 0 else {
            close(descriptor)
            throw SystemError.current.during("cannot read '\(path)'")
        }
        return (descriptor, UInt64(information.st_size))
    }

    /// Gives every blob that is referred to, some more than once.
    func eachReference(_ body: (_ path: String, Digest) throws -> Void) throws {
        try Self.eachReference(in: layout.references, depth: 0, body)
    }

    private static func eachReference(
        in directory: String, depth: Int, _ body: (_ path: String, Digest) throws -> Void
    ) throws {
        // Names of repositories have 128 parts at most.
        guard depth < 200 else { throw VoltError(.failed, "'\(directory)' is nested too deep") }
        guard let stream = opendir(directory) else {
            // Removed since its name was read.
            if errno == ENOENT { return }
            throw SystemError.current.during("cannot read directory '\(directory)'")
        }
        defer { closedir(stream) }
        var deeper: [String] = []
        while let entry = readdir(stream) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if name == "." || name == ".." { continue }
            var isDirectory = Int32(entry.pointee.d_type) == Int32(DT_DIR)
            if Int32(entry.pointee.d_type) == Int32(DT_UNKNOWN) {
                isDirectory = Files.isDirectory("\(directory)/\(name)")
            }
            if isDirectory {
                deeper.append(name)
            } else if name.hasPrefix("sha256:"), let digest = try? Digest(name) {
                try body("\(directory)/\(name)", digest)
            }
        }
        for name in deeper { try eachReference(in: "\(directory)/\(name)", depth: depth + 1, body) }
    }

    /// A tool that does not know of references would remove what they keep: it must not open the store any more.
    private func upgradeForReferences() throws {
        if hasReferences.load(ordering: .relaxed) { return }
        if !(try Files.read(layout.format, limit: 256).starts(with: Self.formatLine.utf8)) {
            try Files.replace(layout.format, with: Self.formatLine.utf8, mode: 0o644)
        }
        hasReferences.store(true, ordering: .relaxed)
    }

    static let formatLine = "stellarium \(StoreLayout.version)\n"
}
