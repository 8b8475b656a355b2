public import VoltCore
public import VoltWorkload

/// The input of the helper that decrypts.
public struct DecryptRequest: Sendable, Equatable {
    /// The file with the keys.
    public var identity: String
    /// The secrets, each as JSON.
    public var secrets: [String]

    /// - Parameters: see the properties.
    public init(identity: String, secrets: [String]) {
        self.identity = identity
        self.secrets = secrets
    }

    /// Parses encoded settings.
    public init(decoding bytes: [UInt8]) throws(VoltError) {
        let settings = try Settings(decoding: bytes)
        self.init(identity: try settings.text("identity"), secrets: settings.all("secret"))
    }

    /// The bytes of the settings.
    public func encoded() throws(VoltError) -> [UInt8] {
        var settings = Settings()
        settings.add("identity", identity)
        settings.add("secret", all: secrets)
        return try settings.encoded()
    }
}

/// The secrets in the clear, as the helper that decrypts tells them through a pipe.
public struct DecryptAnswer: Sendable, Equatable {
    /// The largest encoded size, in bytes.
    public static let limit = Settings.limit

    /// A file of the container.
    public struct File: Sendable, Equatable {
        /// The permissions.
        public var mode: UInt32
        /// The number of the owner.
        public var owner: UInt32
        /// The number of the group.
        public var group: UInt32
        /// The content.
        public var bytes: [UInt8]

        /// - Parameters: see the properties.
        public init(mode: UInt32, owner: UInt32, group: UInt32, bytes: [UInt8]) {
            self.mode = mode
            self.owner = owner
            self.group = group
            self.bytes = bytes
        }
    }

    /// `NAME=value`.
    public var variables: [String] = []
    /// The files, in the order of the secrets that they are of.
    public var files: [File] = []

    /// Nothing.
    public init() {}

    /// Parses encoded settings.
    public init(decoding bytes: [UInt8]) throws(VoltError) {
        let settings = try Settings(decoding: bytes)
        variables = settings.all("env")
        for text in settings.all("file") {
            let words = text.split(separator: " ", omittingEmptySubsequences: false)
            guard words.count == 4, let mode = UInt32(words[0]), let owner = UInt32(words[1]),
                let group = UInt32(words[2]), let bytes = Hex.decode(String(words[3]))
            else { throw VoltError(.runtimeFailed, "the helper that decrypts is of another version") }
            files.append(File(mode: mode, owner: owner, group: group, bytes: bytes))
        }
    }

    /// The bytes of the settings.
    public func encoded() throws(VoltError) -> [UInt8] {
        var settings = Settings()
        settings.add("env", all: variables)
        settings.add(
            "file", all: files.map { "\($0.mode) \($0.owner) \($0.group) \(Hex.encode($0.bytes))" })
        return try settings.encoded()
    }
}
