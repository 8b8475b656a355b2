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
    /// What could not be had on this file system or by this user, such as devices, and what was left since something is
    /// mounted there; the first few.
    public let notes: [String]
}
