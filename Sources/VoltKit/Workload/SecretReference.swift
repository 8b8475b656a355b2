/// An encrypted file of the source, and where its content goes. Nothing here is secret itself.
public struct SecretReference: Codable, Sendable, Equatable {
    /// Where the content goes.
    public enum Use: Codable, Sendable, Equatable {
        /// Each key of the file is a variable of the payload.
        case variables
        /// Variables of the payload by name, each with the key of its value: `database.url`.
        case chosen([String: String])
        /// A file that the payload sees: the whole file, or the value of a key.
        case file(Placement)
    }

    /// A file that the payload sees.
    public struct Placement: Codable, Sendable, Equatable {
        /// The key of the value, or nil for the whole file.
        public var key: String?
        /// An absolute path in the workload.
        public var target: String
        /// The permissions.
        public var mode: UInt32
        /// The number of the owner.
        public var uid: UInt32
        /// The number of the group.
        public var gid: UInt32

        /// - Parameters: see the properties.
        public init(
            key: String? = nil, target: String, mode: UInt32 = 0o444, uid: UInt32 = 0, gid: UInt32 = 0
        ) {
            self.key = key
            self.target = target
            self.mode = mode
            self.uid = uid
            self.gid = gid
        }
    }

    /// The encrypted file, relative to the root of the source.
    public var file: String
    /// Where the content goes.
    public var use: Use

    /// - Parameters: see the properties.
    public init(file: String, use: Use) {
        self.file = file
        self.use = use
    }
}
