public import VoltCore

/// A secret of a container: an encrypted file, and where its content goes. Nothing here is secret itself.
public struct Secret: Codable, Sendable, Equatable {
    /// Where the content goes.
    public enum Use: Codable, Sendable, Equatable {
        /// Each key of the file is a variable of the payload.
        case variables
        /// Variables of the payload by name, each with the key of its value: `database.url`.
        case chosen([String: String])
        /// A file in the container: the whole file, or the value of a key.
        case file(Placement)
    }

    /// A file in the container.
    public struct Placement: Codable, Sendable, Equatable {
        /// The key of the value, or nil for the whole file.
        public var key: String?
        /// An absolute path in the container.
        public var target: String
        /// The permissions.
        public var mode: UInt32
        /// The number of the owner in the container.
        public var uid: UInt32
        /// The number of the group in the container.
        public var gid: UInt32

        /// - Parameters: see the properties.
        public init(key: String?, target: String, mode: UInt32 = 0o444, uid: UInt32 = 0, gid: UInt32 = 0) {
            self.key = key
            self.target = target
            self.mode = mode
            self.uid = uid
            self.gid = gid
        }
    }

    /// The encrypted file in the source, for people.
    public var file: String
    /// Its absolute path on the host.
    public var path: String
    /// Its digest: another one is another secret.
    public var digest: Digest
    /// Where the content goes.
    public var use: Use

    /// - Parameters: see the properties.
    public init(file: String, path: String, digest: Digest, use: Use) {
        self.file = file
        self.path = path
        self.digest = digest
        self.use = use
    }
}
