/// What the helper says on its standard output, one JSON object a line, but for `fetch`.
public enum RegistryReport: Codable, Sendable {
    /// How many bytes are done, of how many.
    case progress(done: UInt64, total: UInt64)
    /// `look`: the digest of what was asked for, of a list that of the list, and that of the image's own manifest; nil
    /// when it is the known one.
    case found(digest: String, image: String?)
    /// `push`: all is there.
    case pushed(PushTotals)
    /// `push`: nothing was moved, since some blobs are at none of the places that they could come from. Why, by the digest
    /// of the blob.
    case missing([String: String])
}

/// What a push moved.
public struct PushTotals: Codable, Sendable {
    /// Blobs that were sent.
    public var blobs = 0
    /// Their bytes.
    public var bytes: UInt64 = 0
    /// Blobs that were there, or were mounted from another repository.
    public var kept = 0
    /// Whether the tag had this manifest before.
    public var isUnchanged = false

    /// Nothing yet.
    public init() {}
}
