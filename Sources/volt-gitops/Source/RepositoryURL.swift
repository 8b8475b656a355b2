public import VoltCore

/// Where a repository is, parsed and checked before any library sees it.
///
/// libgit2 and svn accept more than a pipeline should: local paths, `git://`, options in the place of a
/// host, passwords in the URL. What is not in the list of `Transport` is refused here, with the reason.
public struct RepositoryURL: Sendable, Hashable, CustomStringConvertible {
    /// How the repository is reached.
    public enum Transport: String, Sendable, CaseIterable {
        /// TLS.
        case https
        /// Unencrypted; needs the opt-in, except for this host.
        case http
        /// `ssh://user@host/path` or `user@host:path`.
        case ssh
        /// A directory of this host; needs the opt-in.
        case file
        /// svnserve(8).
        case svn

        /// The port that needs not be written; nil for `file`.
        public var defaultPort: Int? {
            switch self {
            case .https: 443
            case .http: 80
            case .ssh: 22
            case .svn: 3690
            case .file: nil
            }
        }
    }

    /// What a caller allows besides the encrypted transports.
    public struct Policy: Sendable, Equatable {
        /// `http://` to other hosts than this one.
        public var allowsHTTP: Bool
        /// `file://` and local paths.
        public var allowsFile: Bool

        /// - Parameters: see the properties.
        public init(allowsHTTP: Bool = false, allowsFile: Bool = false) {
            self.allowsHTTP = allowsHTTP
            self.allowsFile = allowsFile
        }
    }

    /// How the repository is reached.
    public let transport: Transport
    /// The user before the `@`, or nil.
    public let user: String?
    /// The host in lower case, an IPv6 address without its brackets; empty for `file`.
    public let host: String
    /// The port, or nil when it is the transport's default.
    public let port: Int?
    /// The path as it was written, beginning with `/`; in the form `user@host:path` it may begin with
    /// anything and is then relative to the user's home.
    public let path: String
    /// The whole URL, without credentials: what the library gets and what may be shown.
    public let text: String

    /// The same as `text`: a URL that holds a secret does not become a value of this type.
    public var description: String { text }

    /// Parses a URL.
    ///
    /// - Parameters:
    ///   - source: what the user wrote.
    ///   - system: Git or Subversion, which differ in their schemes.
    ///   - policy: what is allowed besides the encrypted transports.
    /// - Throws: `VoltError` with code `usage` for what is no URL, `refused` for what is not allowed. A
    ///   URL with a password is not repeated in the message.
    public init(_ source: String, system: RepositoryAccess.System, policy: Policy = Policy())
        throws(VoltError)
    {
        let parts = try RepositoryURLParts(source)
        switch (parts.transport, system) {
        case (.ssh, .svn):
            throw VoltError(
                .refused, "'\(parts.text)' is reached over SSH, which this tool does not do for Subversion",
                hint: "use svn:// or https://")
        case (.svn, .git):
            throw VoltError(
                .usage, "'\(parts.text)' is a Subversion repository", hint: "use --provider svn for it")
        case (.http, _) where !policy.allowsHTTP && !parts.isLoopback:
            throw VoltError(
                .refused, "'\(parts.text)' is not encrypted",
                hint: "use https://, or allow it with --allow-http")
        case (.file, _) where !policy.allowsFile:
            throw VoltError(
                .refused, "'\(parts.text)' is a path of this host", hint: "allow it with --allow-file")
        default: break
        }
        transport = parts.transport
        user = parts.user
        host = parts.host
        port = parts.port == parts.transport.defaultPort ? nil : parts.port
        path = parts.path
        text = parts.text
    }

    /// Whether the host is this one: `localhost`, 127.0.0.0/8 or ::1.
    public var isLoopback: Bool { RepositoryURLParts.isLoopback(host) }

    /// Host, port when it is not the default, and path in a form that is the same for the URLs of one
    /// repository: `git@github.com:Org/Site.git` and `https://github.com/org/site/` both give
    /// `github.com/org/site`.
    ///
    /// The path is in lower case as well, since the large providers do not tell case apart. A payload
    /// that matches too much costs a fetch of the pipeline's own URL and nothing else.
    public var normalised: String {
        Self.normalise(host: host, port: port, path: path, transport: transport)
    }

    /// `normalised` of a URL in a webhook's payload, or nil when it is no URL.
    ///
    /// Such a URL is compared and never fetched, so that nothing but its form is checked.
    public static func normalised(payloadURL text: String) -> String? {
        guard let parts = try? RepositoryURLParts(text) else { return nil }
        let port = parts.port == parts.transport.defaultPort ? nil : parts.port
        return normalise(host: parts.host, port: port, path: parts.path, transport: parts.transport)
    }

    /// Where providers take SSH at the port of HTTPS, for networks that let nothing else out.
    private static let sshOverHTTPS = [
        "ssh.github.com": "github.com", "altssh.bitbucket.org": "bitbucket.org",
        "altssh.gitlab.com": "gitlab.com",
    ]

    private static func normalise(host: String, port: Int?, path: String, transport: Transport) -> String {
        if transport == .ssh, port == 443, let usual = sshOverHTTPS[host] {
            return normalise(host: usual, port: nil, path: path, transport: transport)
        }
        var parts = (Percent.decode(path) ?? path).split(separator: "/").map(String.init)
        // Bitbucket Data Center serves HTTP below /scm and SSH without it.
        if transport == .https || transport == .http, parts.count > 2, parts.first == "scm" {
            parts.removeFirst()
        }
        if let last = parts.last, last.lowercased().hasSuffix(".git"), last.utf8.count > 4 {
            parts[parts.count - 1] = String(last.dropLast(4))
        }
        let place = port.map { "\(host):\($0)" } ?? host
        return ([place] + parts).joined(separator: "/").lowercased()
    }
}
