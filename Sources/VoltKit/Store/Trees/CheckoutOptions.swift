/// How the files of a checkout get their bytes.
public enum CheckoutMethod: String, Sendable, CaseIterable {
    /// Copies, or files that share their blocks with the store where the file system can.
    case copy
    /// Second names of the store's files: for reading only. Owners, times and attributes stay those of the store,
    /// and of the permissions only whether a file can be run.
    case link
}

/// How a tree is written to a directory.
public struct CheckoutOptions: Sendable {
    /// Where the bytes of files come from.
    public var method = CheckoutMethod.copy
    /// Whether the directory may have files already; those of the tree replace them.
    public var merges = false
    /// With `merges`: remove what the tree does not have, but nothing that is mounted.
    public var deletes = false
    /// With `merges`: go into what is mounted below the directory.
    public var crossesMounts = false
    /// Whether owners are set, which only root may.
    public var setsOwners = true
    /// Whether an owner, permissions, a time or an attribute that cannot be set, or a device that cannot be made, is an
    /// error. Without, the rest is written and the result says what is lost.
    public var isStrict = true
    /// Threads that write; 0 is one for each processor.
    public var threads = 0
    /// Told from time to time, with the names written so far.
    public var progress: (@Sendable (IngestProgress) -> Void)?

    /// Copies, into an empty directory, with owners.
    public init() {}
}

/// What a checkout wrote.
public struct CheckoutResult: Sendable {
    /// Names without the root.
    public let entries: Int
    /// Bytes of the files.
    public let bytes: UInt64
    /// What was left since something is mounted there; the first few.
    public let notes: [String]
    /// What could not be set or made on this file system or by this user, the first few.
    public let losses: [String]
    /// How many could not.
    public let lossCount: Int
    /// The names that the tree itself lacks, the first of them; nil when it is complete.
    public let leftOut: [String]?
}
