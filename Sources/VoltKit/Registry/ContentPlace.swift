public import VoltCore
public import VoltOCI

/// Where images and artifacts are: a repository of a registry, or an OCI image layout. A value belongs to one thread.
public protocol ContentPlace: AnyObject {
    /// For messages, such as `registry.example/team/web`.
    var name: String { get }
    /// A manifest by tag or digest, verified.
    func manifest(_ reference: String) throws(VoltError) -> FetchedManifest
    /// The digest of a tag or digest, or nil.
    func resolve(_ reference: String) throws(VoltError) -> OCIDigest?
    /// Keeps a manifest under its digest and, when there is one, a tag.
    func put(_ manifest: FetchedManifest, tag: OCITagName?) throws(VoltError)
    /// Whether a blob is there.
    func hasBlob(_ digest: OCIDigest) throws(VoltError) -> Bool
    /// Gives the bytes of a blob, verified at the end.
    func read(_ blob: OCIDescriptor, _ sink: @escaping (UnsafeRawBufferPointer) throws(VoltError) -> Void)
        throws(VoltError)
    /// Keeps a blob that an open file has.
    func write(_ digest: OCIDigest, from descriptor: Int32, size: UInt64) throws(VoltError)
    /// What is about a manifest.
    func referrers(to digest: OCIDigest) throws(VoltError) -> [OCIDescriptor]
    /// The tags.
    func tags() throws(VoltError) -> [String]
    /// Takes a blob over from another place without moving it; false when it has to be moved.
    func take(_ digest: OCIDigest, from other: any ContentPlace) throws(VoltError) -> Bool
    /// The same place for another thread.
    func another() throws(VoltError) -> any ContentPlace
}

/// A repository of a registry.
public final class RepositoryPlace: ContentPlace {
    let client: RegistryClient
    /// The repository.
    public let repository: OCIRepositoryName

    /// - Parameters:
    ///   - client: of the registry.
    ///   - repository: of that registry.
    public init(_ client: RegistryClient, _ repository: OCIRepositoryName) {
        self.client = client
        self.repository = repository
    }

    /// For messages.
    public var name: String { "\(client.endpoint.host)/\(repository)" }

    /// A manifest by tag or digest, verified.
    public func manifest(_ reference: String) throws(VoltError) -> FetchedManifest {
        try client.manifest(reference, in: repository)
    }

    /// The digest of a tag or digest, or nil.
    public func resolve(_ reference: String) throws(VoltError) -> OCIDigest? {
        try client.resolve(reference, in: repository)
    }

    /// Keeps a manifest under its digest and, when there is one, a tag.
    public func put(_ manifest: FetchedManifest, tag: OCITagName?) throws(VoltError) {
        if let tag {
            try client.put(manifest.bytes, mediaType: manifest.mediaType, as: tag.description, in: repository)
            // A registry knows what it is about by its digest; older ones by the tag of the list.
            if manifest.document.subject != nil { try client.putReferrer(manifest, in: repository) }
        } else if manifest.document.subject != nil {
            try client.putReferrer(manifest, in: repository)
        } else {
            try client.put(
                manifest.bytes, mediaType: manifest.mediaType, as: manifest.digest.description, in: repository
            )
        }
    }

    /// Whether a blob is there.
    public func hasBlob(_ digest: OCIDigest) throws(VoltError) -> Bool {
        try client.hasBlob(digest, in: repository)
    }

    /// Gives the bytes of a blob, verified at the end.
    public func read(
        _ blob: OCIDescriptor, _ sink: @escaping (UnsafeRawBufferPointer) throws(VoltError) -> Void
    ) throws(VoltError) {
        try client.blob(try blob.digest(at: self), size: blob.size, in: repository, sink)
    }

    /// Keeps a blob that an open file has.
    public func write(_ digest: OCIDigest, from descriptor: Int32, size: UInt64) throws(VoltError) {
        try client.push(digest, from: descriptor, size: size, to: repository)
    }

    /// What is about a manifest.
    public func referrers(to digest: OCIDigest) throws(VoltError) -> [OCIDescriptor] {
        try client.referrers(to: digest, in: repository)
    }

    /// The tags.
    public func tags() throws(VoltError) -> [String] { try client.tags(of: repository) }

    /// Takes a blob over without moving it; false when it has to be moved.
    public func take(_ digest: OCIDigest, from other: any ContentPlace) throws(VoltError) -> Bool {
        guard let other = other as? RepositoryPlace, other.client.endpoint.host == client.endpoint.host,
            other.repository != repository
        else { return false }
        return try client.mount(digest, from: other.repository, to: repository)
    }

    /// The same place for another thread.
    public func another() throws(VoltError) -> any ContentPlace {
        let next = try RegistryClient(client.endpoint)
        next.stop = client.stop
        return RepositoryPlace(next, repository)
    }
}
