/// What the helper says on its standard output, one JSON object a line, but for `fetch`.
public enum RegistryReport: Codable, Sendable {
    /// How many bytes are done, of how many.
    case progress(done: UInt64, total: UInt64)
    /// `look`: the digest of what was asked for, of a list that of the list, and that of the image's own manifest; nil
    /// when it is the known one. The signatures are those that are as wanted, nil when none were asked for; the problem
    /// is what was found when none is.
    case found(digest: String, image: String?, signatures: [GoodSignature]?, problem: String?)
    /// `push`: all is there.
    case pushed(PushTotals)
    /// `push`: nothing was moved, since some blobs are at none of the places that they could come from. Why, by the digest
    /// of the blob.
    case missing([String: String])
}

/// A signature that was verified.
public struct GoodSignature: Codable, Sendable {
    /// The digest of the key.
    public var fingerprint: String
    /// The name that was signed.
    public var identity: String

    /// - Parameters: see the properties.
    public init(fingerprint: String, identity: String) {
        self.fingerprint = fingerprint
        self.identity = identity
    }
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
