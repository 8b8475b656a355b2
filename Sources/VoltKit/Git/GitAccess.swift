public import VoltCore

/// A key that an SSH server showed.
public struct GitHostKey: Sendable, Equatable {
    /// The host as it was asked for.
    public let host: String
    /// The key as SSH sends it: a type and its numbers (RFC 4253, section 6.6).
    public let bytes: [UInt8]
}

/// What a server may be given to let us in. Nothing is sent unless `mayBeSent` allows the URL.
public enum GitCredential: Sendable {
    /// Nothing: the repository is public.
    case none
    /// A user name and a token or password, over HTTP.
    case token(username: String, token: String)
    /// The path of a private key without a passphrase, and whether it is one of RSA.
    case sshKey(path: String, isRSA: Bool = false)
}

/// A remote repository and the rules for talking to it.
public struct GitAccess: Sendable {
    /// The URL, without credentials.
    public var url: String
    /// The user name for SSH.
    public var user: String
    /// What may be given to the server.
    public var credential: GitCredential
    /// Whether the server at a URL, which after a redirect is not `url`, may have the credential.
    public var mayBeSent: @Sendable (String) -> Bool
    /// Refuses a host key by throwing, with the reason.
    public var checkHostKey: @Sendable (GitHostKey) throws(VoltError) -> Void
    /// An HTTP proxy, for http and https; nil for none, whatever the environment says.
    public var proxy: String?
    /// Called while objects arrive: received, in all, bytes.
    public var progress: @Sendable (Int, Int, Int) -> Void

    /// - Parameters: see the properties.
    public init(
        url: String, user: String, credential: GitCredential, mayBeSent: @escaping @Sendable (String) -> Bool,
        checkHostKey: @escaping @Sendable (GitHostKey) throws(VoltError) -> Void,
        progress: @escaping @Sendable (Int, Int, Int) -> Void
    ) {
        self.url = url
        self.user = user
        self.credential = credential
        self.mayBeSent = mayBeSent
        self.checkHostKey = checkHostKey
        self.progress = progress
    }
}
