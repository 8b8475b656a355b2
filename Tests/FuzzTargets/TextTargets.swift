internal import ContainerSecrets
internal import GitopsSource
internal import VoltCore
internal import VoltManifest
internal import VoltWorkload
internal import VoltYAML

extension FuzzTarget {
    private static let urlWords = [
        "https://", "ssh://", "http://", "file://", "svn://", "git@", ":", "/", "..", "%2e", "%2f", "-", "@",
        "[::1]", ".git", ":443", "ext::", "\u{e9}", "user:pw@", "?", "#", "\\", "$(",
    ]

    /// The URL of a pipeline: what comes out must be safe for the libraries and must read back as itself.
    static let repositoryURL = FuzzTarget(name: "repository-url", words: urlWords) {
        bytes throws(FuzzFailure) in
        let source = String(decoding: bytes, as: UTF8.self)
        for system in [RepositoryAccess.System.git, .svn] {
            let policy = RepositoryURL.Policy(allowsHTTP: true, allowsFile: true)
            let url: RepositoryURL
            do throws(VoltError) { url = try RepositoryURL(source, system: system, policy: policy) } catch {
                try require(!error.message.isEmpty, "refused without a reason")
                continue
            }
            try require(!url.text.isEmpty && !url.text.hasPrefix("-"), "'\(url.text)' is an option")
            try require(!url.host.hasPrefix("-") && !(url.user ?? "").hasPrefix("-"), "an option in '\(url)'")
            try require(
                url.text.utf8.allSatisfy { $0 > 32 && $0 != 127 }, "a control character in '\(url.text)'")
            try require(!(url.user ?? "").contains(":"), "a password in '\(url.text)'")
            try require(!url.path.split(separator: "/").contains(".."), "'..' in '\(url.text)'")
            let again = try? RepositoryURL(url.text, system: system, policy: policy)
            try require(again == url, "'\(url.text)' reads back as '\(again?.text ?? "nothing")'")
            try require(
                RepositoryURL.normalised(payloadURL: url.text) == url.normalised,
                "'\(url.text)' does not match itself")
        }
    }

    /// A URL of a payload, which is compared and never fetched.
    static let payloadURL = FuzzTarget(name: "payload-url", words: urlWords) { bytes throws(FuzzFailure) in
        let source = String(decoding: bytes, as: UTF8.self)
        guard let key = RepositoryURL.normalised(payloadURL: source) else { return }
        try require(key == key.lowercased(), "'\(key)' is not in lower case")
        try require(
            !key.hasPrefix("/") || source.hasPrefix("/") || source.lowercased().hasPrefix("file:"),
            "'\(key)' of '\(source)' has no host")
    }

    /// YAML, within its limits.
    static let yaml = FuzzTarget(
        name: "yaml",
        words: [
            "&a ", "*a", "<<: ", "- ", ": ", "{", "}", "[", "]", "!!str ", "|\n", ">-\n", "---\n", "\"",
            "\\x", "? ", "%YAML 1.1\n", "\t",
        ]
    ) { bytes throws(FuzzFailure) in
        var limits = YAMLLimits()
        limits.bytes = 1 << 16
        limits.nodes = 2000
        limits.aliases = 50
        guard let root = try? YAML.parse(bytes, file: "fuzz.yaml", limits: limits) else { return }
        var nodes = 0
        var deepest = 0
        count(root, depth: 1, &nodes, &deepest)
        try require(deepest <= limits.depth, "deeper than the limit: \(deepest)")
        try require(nodes <= limits.nodes, "more nodes than the limit: \(nodes)")
    }

    /// Pointers of Git LFS.
    static let lfsPointer = FuzzTarget(
        name: "lfs-pointer",
        words: [
            "version https://git-lfs.github.com/spec/v1\n", "oid sha256:", "size ", "\n",
            "99999999999999999999", "-1",
            "ext-0-x sha256:",
        ]
    ) { bytes throws(FuzzFailure) in
        guard let pointer = LFSPointer(bytes) else { return }
        try require(pointer.size >= 0, "a negative size")
        try require(
            pointer.oid.utf8.count == 64 && !pointer.oid.contains("/"), "a digest that is no name of a file")
    }

    /// `.gitmodules`, and its URLs seen from a repository.
    static let gitModules = FuzzTarget(
        name: "gitmodules",
        words: [
            "[submodule \"", "\"]\n", "path = ", "url = ", "../", "./", "\\\n", "\\\"", "#", ";", "[core]\n",
            "ssh://",
        ]
    ) { bytes throws(FuzzFailure) in
        guard let modules = try? GitModules(bytes) else { return }
        for url in modules.urls.values {
            for base in ["https://git.example/team/site.git", "git@git.example:team/site.git"] {
                guard url.hasPrefix("./") || url.hasPrefix("../") else { continue }
                guard let resolved = GitModules.resolve(url, from: base) else { continue }
                let host = base.hasPrefix("git@") ? "git@git.example:" : "https://git.example/"
                try require(resolved.hasPrefix(host), "a relative URL leads to another host: \(resolved)")
            }
        }
    }

    /// Files of SOPS: the name of the file in the first line. Nobody who does not know the data key can make
    /// one that decrypts with it.
    static let sops = FuzzTarget(
        name: "sops",
        words: [
            "ENC[AES256_GCM,data:", ",iv:", ",tag:", ",type:str]", "type:comment]", "sops:\n", "sops_mac=",
            "sops_age__list_0__map_enc=", "    mac: ", "lastmodified", "mac_only_encrypted: true",
            "key_groups",
            "\\n", "=", "\n", "{\"sops\":{", "a.env\n", "a.yaml\n", "a.json\n", "a.bin\n",
        ]
    ) { bytes throws(FuzzFailure) in
        let end = bytes.firstIndex(of: 10) ?? bytes.endIndex
        let name = String(decoding: bytes[..<end], as: UTF8.self)
        guard let document = try? SOPSDocument(Array(bytes[end...].dropFirst()), file: name) else { return }
        try require(!document.recipients.isEmpty, "a document that nobody can read")
        let opened = try? document.decrypt([UInt8](repeating: 7, count: 32))
        try require(opened == nil, "a forged document decrypts")
    }

    /// A manifest, as `volt-gitops` reads its head and `volt-container` the whole.
    static let manifest = FuzzTarget(
        name: "manifest",
        words: [
            "apiVersion: volt/v1\n", "kind: container\n", "spec:\n", "  image: a\n", "  ports: [\"80:80\"]\n",
            "  volumes: [\"a:/a\"]\n", "  health: { http: { port: 80 } }\n", "  resources: { memory: 1G }\n",
            "  env: {}\n", "  secrets: [{ file: a.age, env: true }]\n", "null", "99999999999999999999", "-1",
            "1e308", "../", "\u{0}",
        ]
    ) { bytes throws(FuzzFailure) in
        if let manifest = try? Manifest(bytes: bytes) {
            try require(!manifest.kind.text.contains("/"), "a kind with a path")
        }
        guard let container = try? ContainerManifest(bytes: bytes) else { return }
        for volume in container.volumes {
            try require(volume.target.hasPrefix("/"), "a volume at '\(volume.target)'")
            try require(!volume.target.split(separator: "/").contains(".."), "'..' in '\(volume.target)'")
        }
        for port in container.ports {
            try require(port.hostPort > 0 && port.containerPort > 0, "port 0")
        }
    }

    /// A known_hosts file (sshd(8)).
    static let knownHosts = FuzzTarget(
        name: "known-hosts",
        words: [
            "|1|", "@revoked ", "@cert-authority ", "[a]:22 ", "*", "!", ",", "ssh-ed25519 ", "AAAA", "\n",
        ]
    ) { bytes throws(FuzzFailure) in
        let hosts = KnownHosts(String(decoding: bytes, as: UTF8.self))
        let key = Array(bytes.suffix(51))
        for host in ["git.example", "::1", "", "*"] {
            for port in [22, 0, 65535] { _ = hosts.verdict(host: host, port: port, key: key) }
            _ = hosts.lines(host: host, port: 22)
        }
        _ = KnownHosts.type(of: key)
        try require(KnownHosts.fingerprint(of: key).hasPrefix("SHA256:"), "a fingerprint of another form")
    }

    private static func count(_ node: YAMLNode, depth: Int, _ nodes: inout Int, _ deepest: inout Int) {
        nodes += 1
        deepest = max(deepest, depth)
        for item in (try? node.items()) ?? [] { count(item, depth: depth + 1, &nodes, &deepest) }
        for entry in (try? node.entries()) ?? [] { count(entry.value, depth: depth + 1, &nodes, &deepest) }
    }

    /// Sizes, durations and moments as people and files write them, and what is counted with them.
    static let numbers = FuzzTarget(
        name: "numbers", words: ["K", "G", "T", "iB", "d", "h", "m", "s", "ms", "Z", "+02:00", "T", "."]
    ) { bytes throws(FuzzFailure) in
        let text = String(decoding: bytes, as: UTF8.self)
        if let size = try? ByteSize(text) { try require(!size.description.isEmpty, "no text") }
        if let duration = try? DurationText.parse(text) {
            try require(duration >= .zero, "less than nothing")
            let now = Timestamp(milliseconds: 1_785_000_000_000)
            try require(
                now.advanced(by: duration).since(now) == .milliseconds(duration.milliseconds), "another time")
            try require(!DurationText.format(duration).isEmpty, "no text")
        }
        if let moment = Timestamp(rfc3339: text) {
            let isFourDigits = (0..<253_402_300_800_000).contains(moment.milliseconds)
            try require(
                !isFourDigits || Timestamp(rfc3339: moment.description) == moment,
                "\(moment) is another moment")
        }
        for edge in [Int64.min, .max] {
            _ = Timestamp(milliseconds: edge).relative(
                to: Timestamp(milliseconds: edge == .min ? .max : .min))
        }
    }
}
