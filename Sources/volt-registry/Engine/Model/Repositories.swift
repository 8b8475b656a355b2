internal import VoltCore
internal import VoltOCI
internal import VoltStore
internal import VoltSystem

/// What a registry has, wherever it is kept.
protocol Repositories: Sendable {
    /// Whether asking takes so long that no connection's thread may do it.
    var isRemote: Bool { get }

    /// Whether anything was ever put there.
    func exists(_ name: OCIRepositoryName) throws -> Bool
    /// The repositories in the order of ASCII.
    func repositories() throws -> [OCIRepositoryName]

    /// The blob of a repository, or nil when the repository does not have it.
    func blob(_ digest: OCIDigest, in name: OCIRepositoryName) throws -> Digest?
    /// Whether opening a blob may wait for a lock.
    func isDue(_ digest: OCIDigest, in name: OCIRepositoryName) -> Bool
    /// Calls the body while nobody pushes to a repository, where that needs a lock.
    func alone<Result>(_ name: OCIRepositoryName, _ body: () throws -> Result) throws -> Result
    /// The bytes of a blob that the repository has.
    func size(of digest: Digest, in name: OCIRepositoryName) throws -> UInt64
    /// Opens a blob that a client may rely on from now on; nil when it was collected a moment ago.
    func open(_ digest: Digest, in name: OCIRepositoryName) throws -> (descriptor: Int32, size: UInt64)?
    /// Takes a file in as a blob; it is durable afterwards, and the file is gone.
    func takeIn(_ file: String, as digest: Digest, alias: OCIDigest?, in name: OCIRepositoryName) throws
    /// Gives a repository a blob of another one; false when the other one does not have it.
    func mount(_ digest: OCIDigest, from source: OCIRepositoryName, to name: OCIRepositoryName) throws -> Bool
    /// Takes a blob from a repository; false when it was not there.
    func removeBlob(_ digest: OCIDigest, in name: OCIRepositoryName) throws -> Bool

    /// The manifest that a reference names, or nil.
    func manifest(_ reference: ManifestReference, in name: OCIRepositoryName) throws
        -> StoredManifest?
    /// Keeps a manifest, and gives it tags; gives what it is about.
    func put(
        _ bytes: [UInt8], _ document: OCIDocument, mediaType: String, digest: OCIDigest, tags: [OCITagName],
        in name: OCIRepositoryName, needsBlobs: Bool
    ) throws -> OCIDigest?
    /// Takes a manifest away with its tags; false when it was not there.
    func removeManifest(_ digest: OCIDigest, in name: OCIRepositoryName) throws -> Bool
    /// What a tag names, or nil.
    func tag(_ tag: OCITagName, in name: OCIRepositoryName) throws -> OCIDigest?
    /// The tags of a repository.
    func tags(in name: OCIRepositoryName) throws -> [OCITagName]
    /// Takes a tag away; false when it was not there.
    func removeTag(_ tag: OCITagName, in name: OCIRepositoryName) throws -> Bool
    /// The descriptors of the manifests that are about a digest, of one type or all, as many as a page takes.
    func referrers(to subject: OCIDigest, type: String?, after last: String?, in name: OCIRepositoryName)
        throws
        -> ReferrersPage

    /// The blobs of a repository and their bytes.
    func usage(of name: OCIRepositoryName) throws -> (blobs: Int, bytes: UInt64)
    /// When a tag was given last.
    func pushed(_ tag: OCITagName, in name: OCIRepositoryName) -> Timestamp
    /// Removes what the rules let go.
    func collect(_ rules: RetentionRules, now: Timestamp, dryRun: Bool) throws -> CollectionResult
}
