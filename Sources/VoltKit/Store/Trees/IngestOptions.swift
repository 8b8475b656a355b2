public import VoltCore

/// How a blob is kept.
public enum Representation: String, Sendable, CaseIterable {
    /// In compressed chunks: small.
    case packed
    /// As a whole file, ready to be mounted and linked.
    case bare
}

/// What of a directory becomes a tree, and how it is kept.
public struct IngestOptions: Sendable {
    /// How the files are kept, and the names with them.
    public var representation = Representation.packed
    /// Names and paths to leave out, as glob(7): one with a slash is seen from the root, one without anywhere.
    public var excludes: [String] = []
    /// Do not go into other file systems; their mount points become empty directories.
    public var staysOnFileSystem = false
    /// Whether the times of the last change are kept; without, they are all 0 and the tree has the same digest
    /// whenever its files were written.
    public var keepsTimes = true
    /// The owner of everything, instead of the real ones.
    public var owner: (user: UInt32, group: UInt32)?
    /// Whether the marks of overlayfs (opaque directories) are kept, for layers of images.
    public var keepsOverlayMarks = false
    /// Whether what was seen of this directory at the last ingest may tell which files are unchanged.
    public var usesCache = true
    /// Files are moved into the store instead of copied, and the directory is of no use afterwards. It has to be on
    /// the file system of the store, and only for `bare`.
    public var consumes = false
    /// Whether a name that cannot be read, or that a tree cannot have, is an error. Without, it is left out, and the tree
    /// is marked as incomplete.
    public var isStrict = true
    /// The mark of the incomplete tree that the directory was made of, which the new one has, too.
    public var mark: [UInt8]?
    /// Told of each file before it is opened, on the thread that reads it.
    var willRead: (@Sendable ([UInt8]) -> Void)?
    /// Threads that read and compress; 0 is one for each processor.
    public var threads = 0
    /// Told from time to time; on the thread of the caller.
    public var progress: (@Sendable (IngestProgress) -> Void)?

    /// All kept, packed.
    public init() {}
}

/// How far an ingest is.
public struct IngestProgress: Sendable {
    /// Names seen so far.
    public var entries = 0
    /// Bytes of the files seen so far.
    public var bytes: UInt64 = 0
}

/// What an ingest did.
public struct IngestResult: Sendable {
    /// The tree.
    public internal(set) var digest: Digest
    /// Names in the tree without the root.
    public let entries: Int
    /// Bytes of the files, each name counted.
    public let bytes: UInt64
    /// Files that were not read, since they had not changed.
    public let unchanged: Int
    /// Blobs that the store did not have.
    public let newBlobs: Int
    /// What they take in the store, in bytes.
    public let storedBytes: UInt64
    /// What was left out and is not a file of any kind that a tree has, such as `dev/x: …`.
    public let notes: [String]
    /// What could not be read or kept, the first 1000.
    public let leftOut: [LeftOut]
    /// How many could not; the tree is marked as incomplete when there are some.
    public let leftOutCount: Int
}
