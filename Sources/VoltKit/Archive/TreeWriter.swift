internal import CVoltSystem
internal import Glibc
public import VoltCore
internal import VoltSystem

/// What a file has besides its bytes.
public struct FileAttributes: Sendable, Equatable {
    /// Permissions, setuid, setgid and sticky (07777).
    public var mode: UInt32
    /// The owner.
    public var user: UInt32
    /// The group.
    public var group: UInt32
    /// Seconds and nanoseconds of the last change; nil leaves the time of writing.
    public var modified: (seconds: Int64, nanoseconds: Int64)?
    /// Extended attributes by name, any bytes; only `user.*`, `security.capability` and access control
    /// lists are written.
    public var extended: [[UInt8]: [UInt8]]

    /// - Parameters: see the properties.
    public init(
        mode: UInt32, user: UInt32 = 0, group: UInt32 = 0,
        modified: (seconds: Int64, nanoseconds: Int64)? = nil,
        extended: [[UInt8]: [UInt8]] = [:]
    ) {
        self.mode = mode & 0o7777
        self.user = user
        self.group = group
        self.modified = modified
        self.extended = extended
    }

    /// By all properties.
    public static func == (left: FileAttributes, right: FileAttributes) -> Bool {
        left.mode == right.mode && left.user == right.user && left.group == right.group
            && left.extended == right.extended
            && left.modified?.seconds == right.modified?.seconds
            && left.modified?.nanoseconds == right.modified?.nanoseconds
    }

    /// `trusted.*` would steer overlayfs, and labels of a security module belong to the host.
    public static func isKept(_ name: [UInt8]) -> Bool {
        name.starts(with: "user.".utf8) || name.elementsEqual("security.capability".utf8)
            || isAccessList(name)
    }

    /// Whether an attribute is an access control list: its users are those of a host.
    static func isAccessList(_ name: [UInt8]) -> Bool {
        name == AccessLists.access || name == AccessLists.standard
    }
}

/// Writes files below a directory and nowhere else: no name passes a link, whatever the order in which
/// the entries of a hostile archive come.
public final class TreeWriter {
    private let root: Int32
    private let rootPath: String
    private var parent: (path: TreePath, descriptor: Int32)?
    private var directoryTimes: [(path: TreePath, modified: (seconds: Int64, nanoseconds: Int64))] = []

    /// Gives the attributes of directories that are made because something below them is written.
    public var attributesOfMissingDirectory: (TreePath) -> FileAttributes = { _ in FileAttributes(mode: 0o755)
    }

    /// - Parameter root: an existing directory.
    public init(root: String) throws(VoltError) {
        rootPath = root
        self.root = volt_open(root, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0)
        guard self.root >= 0 else { throw SystemError.current.during("cannot open '\(root)'") }
    }

    deinit {
        if let parent { close(parent.descriptor) }
        close(root)
    }

    /// Sets the times of the directories, which every later write in them would change.
    public func finish() throws(VoltError) {
        for (path, modified) in directoryTimes {
            let descriptor = open(path, O_RDONLY | O_DIRECTORY)
            guard descriptor >= 0 else { continue }
            defer { close(descriptor) }
            try setTime(descriptor, modified, path)
        }
        directoryTimes = []
    }

    /// Makes a directory, or gives one that is there new attributes.
    public func directory(_ path: TreePath, _ attributes: FileAttributes) throws(VoltError) {
        if let name = path.names.last {
            let parent = try directoryDescriptor(path.parent)
            if withCString(name, { mkdirat(parent, $0, 0o700) }) != 0 {
                guard errno == EEXIST else { throw failure(path) }
                if try kind(parent, name, path) != S_IFDIR {
                    try unlink(parent, name, path)
                    guard withCString(name, { mkdirat(parent, $0, 0o700) }) == 0 else { throw failure(path) }
                }
            }
        }
        let descriptor = open(path, O_RDONLY | O_DIRECTORY)
        guard descriptor >= 0 else { throw failure(path) }
        defer { close(descriptor) }
        try set(attributes, on: descriptor, path)
        if let modified = attributes.modified { directoryTimes.append((path, modified)) }
    }

    /// Makes a file; what was there under its name is replaced.
    ///
    /// - Parameter write: gets an open descriptor and writes the bytes.
    public func file(_ path: TreePath, _ attributes: FileAttributes, write: (Int32) throws(VoltError) -> Void)
        throws(VoltError)
    {
        let (parent, name) = try place(path)
        let descriptor = withCString(name) {
            volt_openat(parent, $0, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600)
        }
        guard descriptor >= 0 else { throw failure(path) }
        defer { close(descriptor) }
        try write(descriptor)
        try set(attributes, on: descriptor, path)
        if let modified = attributes.modified { try setTime(descriptor, modified, path) }
    }

    /// Makes a symbolic link with any target: it is only followed in the container, whose root it cannot leave.
    public func link(_ path: TreePath, to target: [UInt8], _ attributes: FileAttributes) throws(VoltError) {
        let (parent, name) = try place(path)
        guard !target.isEmpty, target.count <= 4095, !target.contains(0) else {
            throw VoltError(.refused, "link '\(path.text)' has no target")
        }
        guard withCString(name, { name in withCString(target) { symlinkat($0, parent, name) } }) == 0 else {
            throw failure(path)
        }
        try setWithoutFollowing(attributes, parent, name, path)
    }

    /// Makes a second name for a file that was written before.
    public func hardLink(_ path: TreePath, to target: TreePath) throws(VoltError) {
        guard let targetName = target.names.last else {
            throw VoltError(.refused, "'\(path.text)' is a hard link to the root")
        }
        if path == target { return }
        let targetParent = open(target.parent, O_RDONLY | O_DIRECTORY)
        guard targetParent >= 0 else {
            throw VoltError(
                .refused,
                "hard link '\(path.text)' points to '\(target.text)', which is not in the archive before it")
        }
        defer { close(targetParent) }
        var information = stat()
        guard withCString(targetName, { fstatat(targetParent, $0, &information, AT_SYMLINK_NOFOLLOW) }) == 0,
            information.st_mode & S_IFMT != S_IFDIR
        else {
            throw VoltError(
                .refused,
                "hard link '\(path.text)' points to '\(target.text)', which is not a file in the archive before it"
            )
        }
        let (parent, name) = try place(path)
        let result = withCString(targetName) { old in
            withCString(name) { linkat(targetParent, old, parent, $0, 0) }
        }
        guard result == 0 else { throw failure(path) }
    }

    /// Makes a named pipe.
    public func pipe(_ path: TreePath, _ attributes: FileAttributes) throws(VoltError) {
        let (parent, name) = try place(path)
        guard withCString(name, { mkfifoat(parent, $0, 0o600) }) == 0 else { throw failure(path) }
        try setWithoutFollowing(attributes, parent, name, path)
        try setMode(attributes, parent, name, path)
    }

    /// The permissions and the access control list of what is not opened for its bytes.
    private func setMode(_ attributes: FileAttributes, _ parent: Int32, _ name: [UInt8], _ path: TreePath)
        throws(VoltError)
    {
        let node = withCString(name) { volt_openat(parent, $0, volt_o_path | O_NOFOLLOW, 0) }
        guard node >= 0 else { throw failure(path) }
        defer { close(node) }
        guard volt_path_mode(node, attributes.mode) == 0 else { throw failure(path) }
        guard let list = attributes.extended[AccessLists.access] else { return }
        let result = withCString(AccessLists.access) { volt_path_attribute(node, $0, list, list.count) }
        guard result == 0 || errno == EOPNOTSUPP else { throw failure(path) }
    }

    /// Makes a device node; it needs root.
    ///
    /// - Parameter kind: `S_IFCHR` or `S_IFBLK`.
    public func device(
        _ path: TreePath, kind: UInt32, major: UInt32, minor: UInt32, _ attributes: FileAttributes
    ) throws(VoltError) {
        let (parent, name) = try place(path)
        let device = dev_t(volt_device(major, minor))
        guard withCString(name, { mknodat(parent, $0, kind | 0o600, device) }) == 0 else {
            throw failure(path)
        }
        try setWithoutFollowing(attributes, parent, name, path)
        try setMode(attributes, parent, name, path)
    }

    /// Marks a name as removed from the layers below, unless this layer has it.
    public func whiteout(_ path: TreePath) throws(VoltError) {
        guard let name = path.names.last else { throw VoltError(.refused, "a layer removes its own root") }
        let parent = try directoryDescriptor(path.parent)
        if withCString(name, { volt_whiteout(parent, $0) }) != 0, errno != EEXIST { throw failure(path) }
    }

    /// Marks a directory so that nothing of the layers below shows through.
    public func opaque(_ path: TreePath) throws(VoltError) {
        let descriptor = try directoryDescriptor(path)
        let value: [UInt8] = [UInt8(ascii: "y")]
        guard volt_fsetxattr(descriptor, "trusted.overlay.opaque", value, value.count) == 0 else {
            throw failure(path)
        }
    }

    // MARK: - Places

    private func open(_ path: TreePath, _ flags: Int32) -> Int32 {
        withCString(path.bytes) { volt_open_beneath(root, $0, flags, 0) }
    }

    /// The directory and the free name in it for a new file.
    private func place(_ path: TreePath) throws(VoltError) -> (parent: Int32, name: [UInt8]) {
        guard let name = path.names.last else {
            throw VoltError(.refused, "the root of a tree is a directory")
        }
        let parent = try directoryDescriptor(path.parent)
        var information = stat()
        if withCString(name, { fstatat(parent, $0, &information, AT_SYMLINK_NOFOLLOW) }) == 0 {
            try unlink(parent, name, path)
        }
        return (parent, name)
    }

    private func kind(_ parent: Int32, _ name: [UInt8], _ path: TreePath) throws(VoltError) -> mode_t {
        var information = stat()
        guard withCString(name, { fstatat(parent, $0, &information, AT_SYMLINK_NOFOLLOW) }) == 0 else {
            throw failure(path)
        }
        return information.st_mode & S_IFMT
    }

    private func unlink(_ parent: Int32, _ name: [UInt8], _ path: TreePath) throws(VoltError) {
        let isDirectory = try kind(parent, name, path) == S_IFDIR
        if withCString(name, { unlinkat(parent, $0, isDirectory ? AT_REMOVEDIR : 0) }) != 0 {
            if errno == ENOTEMPTY || errno == EEXIST {
                throw VoltError(.refused, "'\(path.text)' would replace a directory that is not empty")
            }
            throw failure(path)
        }
    }

    /// A descriptor of a directory, which is made with its parents when it is not there. It stays open until
    /// the next call.
    private func directoryDescriptor(_ path: TreePath) throws(VoltError) -> Int32 {
        if let parent, parent.path == path { return parent.descriptor }
        var descriptor = open(path, O_RDONLY | O_DIRECTORY)
        if descriptor < 0, errno == ENOENT, !path.names.isEmpty {
            try directory(path, attributesOfMissingDirectory(path))
            descriptor = open(path, O_RDONLY | O_DIRECTORY)
        }
        guard descriptor >= 0 else { throw failure(path) }
        if let parent { close(parent.descriptor) }
        parent = (path, descriptor)
        return descriptor
    }

    // MARK: - Attributes

    private func set(_ attributes: FileAttributes, on descriptor: Int32, _ path: TreePath) throws(VoltError) {
        // The order matters: chown clears setuid and capabilities.
        guard fchown(descriptor, attributes.user, attributes.group) == 0,
            fchmod(descriptor, attributes.mode) == 0
        else {
            throw failure(path)
        }
        for (name, value) in attributes.extended where FileAttributes.isKept(name) {
            let result = withCString(name) { volt_fsetxattr(descriptor, $0, value, value.count) }
            guard result == 0 || errno == EOPNOTSUPP else { throw failure(path) }
        }
    }

    private func setTime(
        _ descriptor: Int32, _ modified: (seconds: Int64, nanoseconds: Int64), _ path: TreePath
    ) throws(VoltError) {
        let time = timespec(tv_sec: Int(modified.seconds), tv_nsec: Int(modified.nanoseconds))
        guard futimens(descriptor, [time, time]) == 0 else { throw failure(path) }
    }

    private func setWithoutFollowing(
        _ attributes: FileAttributes, _ parent: Int32, _ name: [UInt8], _ path: TreePath
    ) throws(VoltError) {
        guard
            withCString(
                name, { fchownat(parent, $0, attributes.user, attributes.group, AT_SYMLINK_NOFOLLOW) }) == 0
        else {
            throw failure(path)
        }
        guard let modified = attributes.modified else { return }
        let time = timespec(tv_sec: Int(modified.seconds), tv_nsec: Int(modified.nanoseconds))
        guard withCString(name, { utimensat(parent, $0, [time, time], AT_SYMLINK_NOFOLLOW) }) == 0 else {
            throw failure(path)
        }
    }

    private func failure(_ path: TreePath) -> VoltError {
        let error = SystemError.current
        if error.number == ELOOP || error.number == ENOTDIR || error.number == EXDEV {
            return VoltError(.refused, "'\(path.text)' would be written through a link or a file")
        }
        return error.during("cannot write '\(path.text)' in '\(rootPath)'")
    }
}
