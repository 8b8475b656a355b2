public import VoltCore

/// The command lines of svn(1) that read a repository. No secret is in them.
public struct SubversionCommand: Sendable {
    /// What comes after `svn` and a verb: no questions, nothing cached, no configuration of the user.
    public let options: [String]

    /// - Parameters:
    ///   - configuration: an own directory in the place of `~/.subversion`.
    ///   - username: the account, or nil.
    ///   - readsPassword: whether the password comes on stdin.
    ///   - caFile: certificates to trust, or nil.
    ///   - proxy: for http and https, or nil.
    public init(
        configuration: String, username: String?, readsPassword: Bool, caFile: String?,
        proxy: ProxyAddress? = nil
    ) {
        var options = [
            "--non-interactive", "--no-auth-cache", "--config-dir", configuration,
            // A server could redirect to svn+ssh://, whose command line is made of the URL.
            "--config-option", "config:tunnels:ssh=/bin/false",
        ]
        if let username { options += ["--username", username] }
        if readsPassword { options.append("--password-from-stdin") }
        if let caFile { options += ["--config-option", "servers:global:ssl-authority-files=\(caFile)"] }
        if let proxy {
            options += ["--config-option", "servers:global:http-proxy-host=\(proxy.host)"]
            options += ["--config-option", "servers:global:http-proxy-port=\(proxy.port)"]
        }
        self.options = options
    }

    /// Prints what a URL names as XML: the repository, and the revision in which something below the URL changed
    /// last.
    public func info(_ url: String) -> [String] {
        ["info"] + options + ["--xml", "--", Self.pegged(url, "HEAD")]
    }

    /// Prints the author and message of a revision as XML.
    public func log(_ url: String, revision: Int) -> [String] {
        ["log"] + options + ["--xml", "--limit", "1", "-r", String(revision), "--", Self.pegged(url, "HEAD")]
    }

    /// Writes the tree of a revision into a directory.
    ///
    /// - Parameter peg: the revision in which the URL names what is meant: a number or `HEAD`.
    public func export(_ url: String, revision: Int, peg: String, into directory: String) -> [String] {
        ["export"] + options
            + [
                "--ignore-externals", "--force", "-r", String(revision), "--", Self.pegged(url, peg),
                Self.pegged(directory, ""),
            ]
    }

    /// svn takes what follows the last `@` for a revision, so that a path with an `@` needs one more.
    static func pegged(_ target: String, _ revision: String) -> String { "\(target)@\(revision)" }

    /// The URLs that a repository and a branch can stand for, in the order in which they are tried: the
    /// branch is appended, unless the URL ends in it already.
    public static func candidates(url: String, branch: BranchName) -> [String] {
        var base = url
        while base.hasSuffix("/") { base.removeLast() }
        if base.hasSuffix("/\(branch.text)") { return [base] }
        return ["\(base)/\(escaped(branch.text))", base]
    }

    /// Percent sequences for what a path of a URL may not hold.
    private static func escaped(_ path: String) -> String {
        var text: [UInt8] = []
        for byte in path.utf8 {
            let isPlain =
                (48...57).contains(byte) || (65...90).contains(byte) || (97...122).contains(byte)
                || "-._~/+@,:=!$&'()".utf8.contains(byte)
            if isPlain { text.append(byte) } else { text += "%\(Hex.encode([byte]).uppercased())".utf8 }
        }
        return String(decoding: text, as: UTF8.self)
    }

    /// The repository, path and revision in what `info` prints.
    public struct Info: Sendable, Equatable {
        /// The UUID and the URL of the repository, and the path within it.
        public let repository: String
        /// The revision in which something below the URL changed last.
        public let revision: Int
        /// When that was, as the repository has it.
        public let date: String
    }

    /// What `info` printed; nil when it is not that.
    public static func info(in xml: String) -> Info? {
        guard let uuid = content(of: "uuid", in: xml), let root = content(of: "root", in: xml),
            let path = content(of: "relative-url", in: xml), !uuid.isEmpty,
            let commit = xml.firstRange(of: "<commit").map({ xml[$0.upperBound...] }),
            let digits = commit.firstRange(of: "revision=\"").map({ commit[$0.upperBound...] }),
            let revision = Int(digits.prefix { $0 != "\"" })
        else { return nil }
        return Info(
            repository: "\(uuid) \(root) \(path)", revision: revision,
            date: content(of: "date", in: String(commit)).map(String.init) ?? "")
    }

    /// The text of the first element of a name.
    private static func content(of element: String, in xml: String) -> Substring? {
        let parts = xml.split(separator: "<\(element)>", maxSplits: 1, omittingEmptySubsequences: false)
        guard parts.count == 2 else { return nil }
        return parts[1].split(separator: "</\(element)>", maxSplits: 1, omittingEmptySubsequences: false)[0]
    }

    /// The author, the first line of the message and the date in what `log` prints.
    public static func commit(inLog xml: String) -> (author: String, subject: String, date: String) {
        func text(_ element: String) -> String {
            guard let content = Self.content(of: element, in: xml) else { return "" }
            var line = String(content.drop(while: \.isWhitespace).prefix { !$0.isNewline })
            for (entity, sign) in [
                ("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&apos;", "'"), ("&amp;", "&"),
            ] {
                line = line.split(separator: entity, omittingEmptySubsequences: false).joined(separator: sign)
            }
            return String(
                decoding: line.utf8.prefix(200).map { $0 < 32 || $0 == 127 ? 32 : $0 }, as: UTF8.self)
        }
        return (text("author"), text("msg"), text("date"))
    }

    /// Whether svn says that the URL names nothing (as opposed to not being able to look).
    public static func saysAbsent(_ stderr: String) -> Bool {
        ["E170000", "E160013", "E200009", "W170000", "E160005", "E195012"].contains { stderr.contains($0) }
            && !["E170001", "E170013", "E215004"].contains { stderr.contains($0) }
    }

    /// What went wrong, in plain words.
    public static func error(_ stderr: String, url: String) -> VoltError {
        func says(_ codes: String...) -> Bool { codes.contains { stderr.contains($0) } }
        let lines = stderr.split(whereSeparator: \.isNewline).map(String.init)
        let reason =
            lines.last { $0.hasPrefix("svn: ") }?.dropFirst(5) ?? Substring(lines.last ?? "no reason given")
        let shown = String(
            decoding: reason.utf8.prefix(300).map { $0 < 32 || $0 == 127 ? 32 : $0 }, as: UTF8.self)
        if says("E230001", "certificate verification failed") {
            return VoltError(
                .refused, "cannot trust '\(url)': its certificate is not one of a known authority",
                hint: "give the certificate of its authority with --ca-file")
        }
        if says("E170001", "E215004") {
            return VoltError(
                .refused, "authentication failed: '\(url)' wants a user name and a password it accepts",
                hint: "give --username and --token-file")
        }
        if says("Name or service not known", "E670002", "E670003") {
            return VoltError(
                .failed, "cannot read '\(url)': its host name cannot be resolved",
                hint: "check the name and the DNS of this host")
        }
        if says("E210005") || saysAbsent(stderr) {
            return VoltError(.notFound, "repository '\(url)' not found", hint: "check the URL and the branch")
        }
        if says("E170013", "E000111", "E000113") {
            return VoltError(
                .failed, "cannot read '\(url)': the host does not answer on that port (\(shown))")
        }
        return VoltError(.failed, "cannot read '\(url)': \(shown)")
    }
}
