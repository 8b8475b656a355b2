public import VoltStore

/// What a registry keeps of what was pushed.
public struct RetentionRules: Sendable {
    /// The newest tags of a repository that stay; nil is all. Those that belong to a manifest, such as `sha256-HEX.sig`, are
    /// no names: they stay and go with it, whatever the rules.
    public var keepTags: Int?
    /// A manifest without a tag goes when it is so old; nil keeps it. What an index with a tag lists, and what is about a
    /// manifest that stays, stays.
    public var untagged: Duration?
    /// A blob that no manifest names stays so long: its manifest may be on the way.
    public var grace: Duration = .seconds(3600)
    /// What is kept of another registry goes when nobody asked for it for so long; nil keeps it. The rules above are not
    /// for it.
    public var upstreamKeep: Duration?
    /// What the blobs that are kept of other registries may have; more goes, what was not asked for the longest first.
    public var upstreamSize: UInt64?
    /// An upload that brought nothing for so long goes.
    public var uploads: Duration = .seconds(86_400)

    /// The rules above: nothing that was pushed whole goes.
    public init() {}
}

/// What a collection removed, or would remove.
public struct CollectionResult: Sendable, Codable {
    /// `REPOSITORY:TAG`.
    public var tags: [String] = []
    /// `REPOSITORY@DIGEST`.
    public var manifests: [String] = []
    /// Blobs that a repository does not have any more.
    public var blobs = 0
    /// Uploads that were given up.
    public var uploads = 0
    /// What went from the store, since no repository has it any more.
    public var store = GarbageResult()
}
