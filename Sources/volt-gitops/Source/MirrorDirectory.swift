public import VoltCore
public import VoltSystem

/// The directory in which a worker keeps what it has of a repository.
///
/// | name | what |
/// |---|---|
/// | `git` | the bare repository |
/// | `modules` | the bare repositories of its submodules |
/// | `lfs` | the files of Git LFS, by their digests |
/// | `home` | the only place where libgit2 and svn look for configuration |
/// | `lock` | held by the one worker that writes |
/// | `branch-…` | a Subversion branch that was found below its URL |
/// | `strict` | of Subversion: a branch that is not there never means the URL itself |
public struct MirrorDirectory: Sendable {
    /// The absolute path.
    public let path: String
    /// The bare repository.
    public var repository: String { "\(path)/git" }
    /// The bare repositories of submodules.
    public var modules: String { "\(path)/modules" }
    /// The files of Git LFS.
    public var largeFiles: String { "\(path)/lfs" }
    /// The home of the libraries.
    public var home: String { "\(path)/home" }

    /// The file that says that a branch of Subversion is taken at its word.
    public var strict: String { "\(path)/strict" }

    /// - Parameter path: an absolute path; made when it is not there, for the owner alone.
    public init(_ path: String) throws(VoltError) {
        guard path.hasPrefix("/") else { throw VoltError(.usage, "'\(path)' is not an absolute path") }
        self.path = path
        try Files.makeDirectory(path, mode: 0o700)
    }

    /// Waits for the worker that writes, if there is one. It is killed by its parent in the end.
    public func lock() throws(VoltError) -> FileLock { try FileLock.wait(for: "\(path)/lock") }

    /// A file that remembers something about a text, such as a URL and a branch.
    public func mark(of kind: String, _ text: String) -> String {
        "\(path)/\(kind)-\(StableHash.text(of: text))"
    }

    /// What comes between the point and the random part in the names of unfinished snapshots: another
    /// mirror's worker may be at work in the same directory of snapshots.
    var mark: String { StableHash.text(of: path) }
}

/// The directory that gets the tree of a commit. It is filled under another name and renamed when all of
/// it is on disk, so that a snapshot that exists is whole.
public struct SnapshotDirectory: Sendable {
    /// Where the snapshot will be.
    public let path: String
    /// Where it is filled.
    public let staging: String

    /// Removes what killed workers left of this mirror; the caller holds the mirror's lock.
    ///
    /// - Parameter path: the absolute path of the snapshot.
    public init(_ path: String, mirror: MirrorDirectory) throws(VoltError) {
        guard path.hasPrefix("/") else { throw VoltError(.usage, "'\(path)' is not an absolute path") }
        let parent = Files.parent(of: path)
        let prefix = ".unfinished-\(mirror.mark)-"
        self.path = path
        staging = "\(parent)/\(prefix)\(UInt32.random(in: 0...UInt32.max))"
        for name in try Files.list(parent) where name.hasPrefix(prefix) {
            try Files.removeTree("\(parent)/\(name)")
        }
    }

    /// Whether the snapshot is there.
    public var exists: Bool { Files.isDirectory(path) }

    /// A snapshot that exists answers a request for its commit. For the tip it cannot: nothing in it says
    /// which commit it is of.
    ///
    /// - Parameter commit: the commit that was asked for, or nil for the tip.
    /// - Throws: `VoltError` with code `conflict`.
    public func requireAbsent(unlessNamed commit: String?) throws(VoltError) {
        guard commit == nil, exists else { return }
        throw VoltError(
            .conflict, "'\(path)' exists already",
            hint: "name the commit it is of, or another directory for the tip")
    }

    /// Fills the snapshot: `body` gets an empty directory, which is removed when it throws.
    public func fill(_ body: (String) throws -> Void) throws {
        try Files.makeDirectory(Files.parent(of: path))
        try Files.makeDirectory(staging)
        do {
            try body(staging)
            // One call for all files. Without it, a power loss after the rename could leave empty files
            // in a directory that looks whole.
            try Files.syncFileSystem(of: staging)
            try Files.move(staging, path)
        } catch {
            try? Files.removeTree(staging)
            throw error
        }
        try Files.syncDirectory(Files.parent(of: path))
    }
}
