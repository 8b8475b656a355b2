public import VoltCore
public import VoltWorkload

/// A reference to a secret, resolved on this host. Nothing here is secret itself.
public struct Secret: Codable, Sendable, Equatable {
    /// The encrypted file in the source, for people.
    public var file: String
    /// Its absolute path on the host.
    public var path: String
    /// Its digest: another one is another secret.
    public var digest: Digest
    /// Where the content goes.
    public var use: SecretReference.Use

    /// - Parameters: see the properties.
    public init(file: String, path: String, digest: Digest, use: SecretReference.Use) {
        self.file = file
        self.path = path
        self.digest = digest
        self.use = use
    }
}
