/// The libraries that the worker reads Git repositories with: what `volt-gitops--worker --libraries` prints.
public struct SourceLibraries: Codable, Sendable, Equatable {
    /// The version of libgit2.
    public var git: String
    /// The version of libssh2, or nil where libgit2 speaks SSH another way.
    public var ssh: String?
    /// The version of OpenSSL.
    public var openSSL: String
    /// Whether RSA keys are used with SHA-2; servers since OpenSSH 8.8 refuse SHA-1.
    public var signsRSAWithSHA2: Bool

    /// - Parameters: see the properties.
    public init(git: String, ssh: String?, openSSL: String, signsRSAWithSHA2: Bool) {
        self.git = git
        self.ssh = ssh
        self.openSSL = openSSL
        self.signsRSAWithSHA2 = signsRSAWithSHA2
    }
}
