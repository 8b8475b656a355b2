public import VoltOCI

/// What `volt-container` asks of `volt-container--registry`, which speaks with registries so that the tool itself need
/// not load libcurl: JSON on its standard input.
public struct RegistryRequest: Codable, Sendable {
    /// The longest one, in bytes.
    public static let longest = 16 << 20

    /// What is to be done.
    public enum Task: Codable, Sendable {
        /// Finds the image and fetches its manifest and configuration into an OCI image layout, which is made. Nothing is
        /// fetched when the digest is the known one, or when it lacks the signatures that are wanted.
        case look(known: String?, directory: String, wanted: WantedSignatures?)
        /// Gives the bytes of blobs on standard output, one after the other with nothing between them.
        case fetch([OCIDescriptor])
        /// Puts blobs and then their manifest, which is in the layout, to the registry.
        case push(manifest: String, blobs: [PushedBlob], directory: String)
    }

    /// `HOST/REPOSITORY:TAG` or with a digest.
    public var reference: String
    /// How the registry is reached.
    public var access: RegistryAccess
    /// The file with logins; nil for Docker's.
    public var authFile: String?
    /// What is to be done.
    public var task: Task

    /// - Parameters: see the properties.
    public init(reference: String, access: RegistryAccess, authFile: String?, task: Task) {
        self.reference = reference
        self.access = access
        self.authFile = authFile
        self.task = task
    }
}

/// The signatures that an image must have.
public struct WantedSignatures: Codable, Sendable {
    /// A public key.
    public struct Key: Codable, Sendable {
        /// For messages.
        public var name: String
        /// As PEM.
        public var pem: String

        /// - Parameters: see the properties.
        public init(name: String, pem: String) {
            self.name = name
            self.pem = pem
        }
    }

    /// One of them must have signed it.
    public var keys: [Key]
    /// The name that must have been signed; nil for any.
    public var identity: String?

    /// - Parameters: see the properties.
    public init(keys: [Key], identity: String?) {
        self.keys = keys
        self.identity = identity
    }
}

/// How a registry is reached.
public struct RegistryAccess: Codable, Sendable, Hashable {
    /// Whether plain HTTP is spoken with hosts other than this one.
    public var isPlain = false
    /// A PEM file with authorities to trust; nil for those of the system.
    public var caFile: String?

    /// HTTPS, and the authorities of the system.
    public init() {}
}

/// A repository that had a blob.
public struct BlobSource: Codable, Sendable, Hashable {
    /// `HOST/REPOSITORY`.
    public var repository: String
    /// How it was reached.
    public var access: RegistryAccess

    /// - Parameters: see the properties.
    public init(repository: String, access: RegistryAccess) {
        self.repository = repository
        self.access = access
    }
}

/// A blob that is pushed: it is in the layout, or at the destination, or in one of its sources.
public struct PushedBlob: Codable, Sendable {
    /// How the manifest names it.
    public var descriptor: OCIDescriptor
    /// Where it was.
    public var sources: [BlobSource]

    /// - Parameters: see the properties.
    public init(descriptor: OCIDescriptor, sources: [BlobSource] = []) {
        self.descriptor = descriptor
        self.sources = sources
    }
}
