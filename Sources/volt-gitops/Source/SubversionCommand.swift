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

    /// Prints the names in a directory, one a line.
    public func list(_ url: String) -> [String] {
        ["list"] + options + ["--", Self.pegged(url, "HEAD")]
    }

    /// Prints the externals of a revision and of all directories in it as XML.
    public func externals(_ url: String, revision: Int, peg: String) -> [String] {
        ["propget", "svn:externals", "--recursive", "--xml"] + options
            + ["-r", String(revision), "--", Self.pegged(url, peg)]
    }

    /// svn takes what follows the last `@` for a revision, so that a path with an `@` needs one more.
    static func pegged(_ target: String, _ revision: String) -> String { "\(target)@\(revision)" }

    /// The URL that a repository and a branch stand for, when their texts alone say it: the URL ends in the branch, or
    /// in `/trunk`, `/branches/x` or `/tags/x`. Nil when the branch comes after the URL.
    public static func location(url: String, branch: BranchName) -> String? {
        let base = trimmed(url)
        if base.hasSuffix("/\(branch.text)") { return base }
        let path = base.firstRange(of: "://").map { base[$0.upperBound...] } ?? base[...]
        // The first part is the host.
        let parts = path.split(separator: "/").dropFirst()
        if parts.last == "trunk" { return base }
        return parts.count > 1 && ["branches", "tags"].contains(parts.dropLast().last) ? base : nil
    }

    /// The URL with the branch appended.
    public static func below(url: String, branch: BranchName) -> String {
        "\(trimmed(url))/\(Percent.encode(branch.text, keeping: pathSigns))"
    }

    /// What a path of a URL may hold besides letters, digits and unreserved signs.
    private static let pathSigns = "/+@,:=!$&'()"

    /// The URL without slashes at its end.
    public static func trimmed(_ url: String) -> String {
        var base = url
        while base.hasSuffix("/") { base.removeLast() }
        return base
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
            return plain(content.drop(while: \.isWhitespace).prefix { !$0.isNewline })
        }
        return (text("author"), text("msg"), text("date"))
    }

    /// A text of XML for people: without entities and controls, cut.
    private static func plain(_ content: some StringProtocol) -> String {
        var line = String(content)
        for (entity, sign) in [
            ("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&apos;", "'"), ("&amp;", "&"),
        ] {
            line = line.split(separator: entity, omittingEmptySubsequences: false).joined(separator: sign)
        }
        return PrintableText.line(line, limit: 200, replacement: " ")
    }

    /// The definitions in what `externals` prints, a line each: the directory they are of, and the line as it was
    /// written.
    ///
    /// - Parameter url: that was asked for; the paths in the answer begin with it.
    public static func externals(in xml: String, below url: String) -> [String] {
        var found: [String] = []
        for target in xml.split(separator: "<target").dropFirst() {
            guard let path = target.firstRange(of: "path=\"").map({ target[$0.upperBound...] }),
                let property = content(of: "property", opening: "<property", in: String(target))
            else { continue }
            let whole = plain(path.prefix { $0 != "\"" })
            let directory = whole.hasPrefix("\(url)/") ? String(whole.dropFirst(url.count + 1)) : "."
            for line in property.split(whereSeparator: \.isNewline) {
                let text = plain(line.drop(while: \.isWhitespace))
                if !text.isEmpty, !text.hasPrefix("#") { found.append("'\(text)' of '\(directory)'") }
            }
        }
        return found
    }

    /// The text of the first element whose tag begins so, whatever its attributes.
    private static func content(of element: String, opening: String, in xml: String) -> Substring? {
        guard let start = xml.firstRange(of: opening).map({ xml[$0.upperBound...] }),
            let end = start.firstIndex(of: ">")
        else { return nil }
        let rest = start[start.index(after: end)...]
        return rest.firstRange(of: "</\(element)>").map { rest[..<$0.lowerBound] }
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
        let shown = PrintableText.line(reason, limit: 300, replacement: " ")
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
