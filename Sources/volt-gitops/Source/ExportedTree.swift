internal import Glibc
public import VoltCore
internal import VoltSystem

/// What an export left on disk, counted and checked.
public struct ExportedTree: Sendable, Equatable {
    /// Bounds, for the same reasons as those of a Git tree.
    public struct Limits: Sendable {
        /// Files, links and directories.
        public var entries = 200_000
        /// Directories within directories.
        public var depth = 100
        /// Bytes of all files.
        public var bytes = 2 << 30

        /// The limits of a source repository.
        public init() {}
    }

    /// Files and links.
    public private(set) var files = 0
    /// Bytes of all files.
    public private(set) var bytes = 0
    private var entries = 0

    /// Walks a directory.
    ///
    /// - Throws: `VoltError` with code `refused` for too much, and for what is no file, link or directory.
    public init(_ directory: String, limits: Limits = Limits()) throws(VoltError) {
        try add(directory, depth: 0, limits: limits)
    }

    private mutating func add(_ directory: String, depth: Int, limits: Limits) throws(VoltError) {
        guard depth < limits.depth else {
            throw Self.refusal("has more than \(limits.depth) directories within each other")
        }
        for name in try Files.list(directory) {
            let path = "\(directory)/\(name)"
            var information = stat()
            guard lstat(path, &information) == 0 else {
                throw SystemError.current.during("cannot read '\(path)'")
            }
            entries += 1
            guard entries <= limits.entries else {
                throw Self.refusal("has more than \(limits.entries) files")
            }
            switch information.st_mode & S_IFMT {
            case S_IFDIR: try add(path, depth: depth + 1, limits: limits)
            case S_IFLNK: files += 1
            case S_IFREG:
                files += 1
                bytes = bytes.addingClamped(Int(information.st_size))
                guard bytes <= limits.bytes else {
                    throw Self.refusal("is larger than \(ByteSize(bytes: UInt64(limits.bytes)))")
                }
            default: throw Self.refusal("has '\(name)', which is no file, link or directory")
            }
        }
    }

    private static func refusal(_ what: String) -> VoltError {
        VoltError(.refused, "the tree of the revision is refused: it \(what)")
    }
}
