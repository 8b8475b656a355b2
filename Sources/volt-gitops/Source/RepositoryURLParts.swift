internal import VoltCore

/// The grammar of repository URLs, without the policy.
struct RepositoryURLParts {
    var transport: RepositoryURL.Transport
    var user: String?
    var host: String
    var port: Int?
    var path: String
    var text: String

    /// The longest URL that is read, in bytes: what servers commonly take.
    static let longest = 2048

    var isLoopback: Bool { Self.isLoopback(host) }

    static func isLoopback(_ host: String) -> Bool {
        if host == "localhost" || host == "::1" { return true }
        let parts = host.split(separator: ".", omittingEmptySubsequences: false)
        return parts.count == 4 && parts[0] == "127" && parts.allSatisfy { UInt8($0) != nil }
    }

    init(_ source: String) throws(VoltError) {
        let bytes = Array(source.utf8)
        guard !bytes.isEmpty else { throw VoltError(.usage, "the URL of the repository is empty") }
        guard bytes.count <= Self.longest else {
            throw VoltError(.usage, "the URL of the repository is longer than \(Self.longest) bytes")
        }
        guard bytes.allSatisfy({ $0 > 32 && $0 != 127 }) else {
            throw VoltError(
                .usage, "the URL of the repository holds a space or a control character",
                hint: "write a space as %20")
        }
        guard bytes[0] != UInt8(ascii: "-") else {
            throw VoltError(.refused, "'\(Self.withoutSecret(source))' begins with '-'")
        }
        if source.hasPrefix("/") {
            self = try Self.local(path: source)
        } else if let scheme = Self.scheme(of: source) {
            self = try Self.withScheme(scheme, source)
        } else {
            self = try Self.secureCopyForm(source)
        }
        try checkPath()
    }

    private init(
        transport: RepositoryURL.Transport, user: String?, host: String, port: Int?, path: String,
        text: String
    ) {
        self.transport = transport
        self.user = user
        self.host = host
        self.port = port
        self.path = path
        self.text = text
    }

    /// The letters before `://`, in lower case.
    private static func scheme(of source: String) -> String? {
        let letters = source.prefix {
            $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "+" || $0 == "-" || $0 == ".")
        }
        guard !letters.isEmpty, source.dropFirst(letters.count).hasPrefix("://") else { return nil }
        return letters.lowercased()
    }

    private static func local(path: String) throws(VoltError) -> Self {
        Self(transport: .file, user: nil, host: "", port: nil, path: path, text: path)
    }

    private static func withScheme(_ scheme: String, _ source: String) throws(VoltError) -> Self {
        guard let transport = RepositoryURL.Transport(rawValue: scheme) else { throw refusal(of: scheme) }
        let rest = source.dropFirst(scheme.count + 3)
        let authority = rest.prefix { $0 != "/" }
        let path = String(rest.dropFirst(authority.count))
        // Before anything else is said about the URL: it may not be repeated when it holds a password.
        let (user, place) = try userAndPlace(authority, transport: transport)
        guard !rest.contains("?"), !rest.contains("#") else {
            throw VoltError(
                .refused, "'\(withoutSecret(source))' has a query or a fragment",
                hint: "leave out what begins with '?' or '#'")
        }
        guard !path.isEmpty, path.contains(where: { $0 != "/" }) else {
            throw VoltError(
                .usage, "'\(source)' has no path", hint: "a repository is written https://host/path")
        }
        if transport == .file {
            guard place.isEmpty || place == "localhost", user == nil else {
                throw VoltError(.refused, "'\(source)' names a host", hint: "write file:///path")
            }
            return Self(transport: .file, user: nil, host: "", port: nil, path: path, text: "file://\(path)")
        }
        let (host, port) = try hostAndPort(place, in: source)
        let shownHost = host.contains(":") ? "[\(host)]" : host
        let text =
            "\(scheme)://\(user.map { "\($0)@" } ?? "")\(shownHost)\(port.map { ":\($0)" } ?? "")\(path)"
        return Self(transport: transport, user: user, host: host, port: port, path: path, text: text)
    }

    private static func refusal(of scheme: String) -> VoltError {
        switch scheme {
        case "git":
            VoltError(
                .refused, "'git://' is refused: nothing tells whether the answer comes from the right server",
                hint: "use https:// or ssh://")
        case "svn+ssh":
            VoltError(
                .refused, "'svn+ssh://' is refused: svn makes a command line of the URL (CVE-2017-9800)",
                hint: "use svn:// or https://")
        default:
            VoltError(
                .refused, "'\(scheme)://' is not a transport of this tool",
                hint: "use https://, ssh:// or user@host:path, and svn:// for Subversion")
        }
    }

    /// `user@host:path`, which git(1) has from scp(1).
    private static func secureCopyForm(_ source: String) throws(VoltError) -> Self {
        let failure = VoltError(
            .usage, "'\(withoutSecret(source))' is not the URL of a repository",
            hint: "use https://host/path, ssh://user@host/path or user@host:path")
        let place: Substring
        let path: Substring
        if let at = source.firstIndex(of: "@"), source[source.index(after: at)...].hasPrefix("["),
            let end = source.firstIndex(of: "]"), source[source.index(after: end)...].hasPrefix(":")
        {
            place = source[...end]
            path = source[source.index(end, offsetBy: 2)...]
        } else {
            guard let colon = source.firstIndex(of: ":") else { throw failure }
            place = source[..<colon]
            path = source[source.index(after: colon)...]
        }
        guard !path.hasPrefix(":") else {
            throw VoltError(
                .refused, "'\(place)::' would run a helper program of git", hint: "use https:// or ssh://")
        }
        guard !place.contains("/"), !path.isEmpty, !source.contains("?"), !source.contains("#") else {
            throw failure
        }
        // `user:password@host/path` looks like this form with the host `user`.
        guard !path.contains("@") else {
            throw VoltError(
                .refused, "the URL of the repository holds a password",
                hint: "leave it out, and give it with --token-file")
        }
        guard !path.hasPrefix("-") else {
            throw VoltError(.refused, "the path in '\(source)' begins with '-'")
        }
        let (user, hostText) = try userAndPlace(place, transport: .ssh)
        let (host, port) = try hostAndPort(hostText, in: source)
        guard port == nil else { throw failure }
        return Self(transport: .ssh, user: user, host: host, port: nil, path: String(path), text: source)
    }

    private static func userAndPlace(_ authority: Substring, transport: RepositoryURL.Transport)
        throws(VoltError)
        -> (user: String?, place: Substring)
    {
        guard let at = authority.lastIndex(of: "@") else { return (nil, authority) }
        let user = authority[..<at]
        guard !user.contains(":"), !user.lowercased().contains("%3a"), !looksLikeToken(user) else {
            throw VoltError(
                .refused, "the URL of the repository holds a password",
                hint: "leave it out, and give it with --token-file")
        }
        let allowed = user.utf8.allSatisfy { isAlphanumeric($0) || "-._+~".utf8.contains($0) }
        guard allowed, !user.isEmpty, !user.hasPrefix("-"), user.utf8.count <= 64 else {
            throw VoltError(.refused, "the user name in the URL of the repository is not one")
        }
        return (String(user), authority[authority.index(after: at)...])
    }

    /// Providers take a token in the place of the user name, and then the URL is a secret.
    private static func looksLikeToken(_ user: Substring) -> Bool {
        let known = [
            "ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_", "glpat-", "gldt-", "ATBB", "ATCTT",
            "x-token-auth",
        ]
        return known.contains { user.hasPrefix($0) } || user.utf8.count >= 40
    }

    private static func hostAndPort(_ place: Substring, in source: String) throws(VoltError) -> (String, Int?)
    {
        let failure = VoltError(.usage, "'\(withoutSecret(source))' has no valid host")
        var host = place
        var portText: Substring?
        if place.hasPrefix("[") {
            guard let end = place.firstIndex(of: "]") else { throw failure }
            host = place[place.index(after: place.startIndex)..<end]
            let rest = place[place.index(after: end)...]
            guard rest.isEmpty || rest.hasPrefix(":") else { throw failure }
            portText = rest.isEmpty ? nil : rest.dropFirst()
            guard host.contains(":"), host.utf8.allSatisfy({ isHexDigit($0) || $0 == 58 || $0 == 46 }) else {
                throw failure
            }
        } else {
            if let colon = place.firstIndex(of: ":") {
                host = place[..<colon]
                portText = place[place.index(after: colon)...]
            }
            let labels = host.split(separator: ".", omittingEmptySubsequences: false)
            guard host.utf8.count <= 253,
                host.utf8.allSatisfy({ isAlphanumeric($0) || "-._".utf8.contains($0) }),
                labels.allSatisfy({ !$0.isEmpty && !$0.hasPrefix("-") && $0.utf8.count <= 63 })
            else { throw failure }
        }
        guard !host.isEmpty else { throw failure }
        guard let portText else { return (host.lowercased(), nil) }
        guard portText.utf8.allSatisfy({ (48...57).contains($0) }), let port = Int(portText),
            (1...65535).contains(port)
        else { throw VoltError(.usage, "'\(withoutSecret(source))' has no valid port") }
        return (host.lowercased(), port)
    }

    /// The path as a server gets it: no `..`, and nothing that a shell at the far end of SSH, an option
    /// parser or a log would take for something else.
    private func checkPath() throws(VoltError) {
        guard let decoded = Percent.decode(path), decoded.utf8.allSatisfy({ $0 >= 32 && $0 != 127 })
        else {
            throw VoltError(.refused, "the path in '\(text)' has a wrong '%' sequence or a control character")
        }
        let parts = decoded.split(separator: "/")
        guard !parts.contains(".."), !parts.contains(".") else {
            throw VoltError(.refused, "the path in '\(text)' has a '.' or '..' in it")
        }
        guard !parts.contains(where: { $0.hasPrefix("-") && parts.first == $0 }) else {
            throw VoltError(.refused, "the path in '\(text)' begins with '-'")
        }
        if transport == .file { return }
        let signs = Array("-._~/+,:=@%".utf8)
        guard path.utf8.allSatisfy({ $0 >= 128 || Self.isAlphanumeric($0) || signs.contains($0) }),
            transport != .ssh || decoded.utf8.allSatisfy({ !"'\"\\!`$;&|<>".utf8.contains($0) })
        else { throw VoltError(.refused, "the path in '\(text)' has characters that no repository needs") }
    }

    /// For messages: everything before the last `@` of the authority is left out.
    static func withoutSecret(_ source: String) -> String {
        guard let at = source.lastIndex(of: "@") else { return source }
        let scheme = scheme(of: source).map { "\($0)://" } ?? ""
        return scheme + "...@" + source[source.index(after: at)...]
    }

    private static func isAlphanumeric(_ byte: UInt8) -> Bool {
        (48...57).contains(byte) || (65...90).contains(byte) || (97...122).contains(byte)
    }

    private static func isHexDigit(_ byte: UInt8) -> Bool {
        (48...57).contains(byte) || (65...70).contains(byte) || (97...102).contains(byte)
    }
}
