import GitopsSource
import Testing
import VoltCore

@Suite struct KnownHostsTests {
    // Keys of no host, made for these tests: a type and numbers that nobody checks here.
    private static func key(_ type: String, _ number: UInt8) -> [UInt8] {
        [0, 0, 0, UInt8(type.utf8.count)] + Array(type.utf8) + [0, 0, 0, 4, number, number, number, number]
    }

    private static let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")

    private static func base64(_ bytes: [UInt8]) -> String {
        var text = ""
        for start in stride(from: 0, to: bytes.count, by: 3) {
            let part = Array(bytes[start..<min(start + 3, bytes.count)])
            let group = part.enumerated().reduce(0) { $0 | Int($1.element) << (16 - 8 * $1.offset) }
            for index in 0..<4 {
                text.append(index <= part.count ? alphabet[group >> (18 - 6 * index) & 63] : "=")
            }
        }
        return text
    }

    private static let ed = key("ssh-ed25519", 1)
    private static let other = key("ssh-ed25519", 2)
    private static let rsa = key("ssh-rsa", 3)

    private static func line(_ hosts: String, _ type: String, _ key: [UInt8]) -> String {
        "\(hosts) \(type) \(base64(key)) a comment\n"
    }

    @Test(
        "hosts are matched by name, pattern and port",
        arguments: [
            ("git.example", "git.example", 22, true), ("git.example", "GIT.example", 22, true),
            ("Git.Example", "git.example", 22, true), ("git.example", "git.example", 2222, false),
            ("[git.example]:2222", "git.example", 2222, true),
            ("[git.example]:2222", "git.example", 22, false),
            ("a,git.example,10.0.0.1", "10.0.0.1", 22, true), ("*.example", "git.example", 22, true),
            ("*.example", "example", 22, false), ("git.exampl?", "git.example", 22, true),
            ("*.example,!git.example", "git.example", 22, false), ("!git.example", "other", 22, false),
            ("*", "anything", 2222, true), ("gi", "git.example", 22, false),
        ])
    func hosts(pattern: String, host: String, port: Int, found: Bool) {
        let file = KnownHosts(Self.line(pattern, "ssh-ed25519", Self.ed))
        #expect(file.verdict(host: host, port: port, key: Self.ed) == (found ? .pinned : .unknown))
    }

    @Test("a hashed name is found, as ssh-keygen -H writes it")
    func hashed() {
        // HMAC-SHA1 with the key of twenty bytes 0x0b, of "git.example": from openssl dgst -mac HMAC.
        let salt = "CwsLCwsLCwsLCwsLCwsLCwsLCws="
        let file = KnownHosts(Self.line("|1|\(salt)|\(Self.hash)", "ssh-ed25519", Self.ed))
        #expect(file.verdict(host: "git.example", port: 22, key: Self.ed) == .pinned)
        #expect(file.verdict(host: "git.exampl", port: 22, key: Self.ed) == .unknown)
    }

    private static let hash = "xXyAOEG6AnwDTg3zQronDzMRZIU="

    @Test("several keys, revoked ones and lines that are none")
    func verdicts() {
        let text =
            "# comment\n\n" + Self.line("h", "ssh-rsa", Self.rsa) + Self.line("h", "ssh-ed25519", Self.ed)
            + "@revoked " + Self.line("*", "ssh-ed25519", Self.other) + "@cert-authority "
            + Self.line("c", "ssh-rsa", Self.rsa)
            + "h ssh-ed25519\nx ssh-ed25519 !!!!\n" + Self.line("wrong", "ssh-rsa", Self.ed)
        let file = KnownHosts(text)
        #expect(file.verdict(host: "h", port: 22, key: Self.ed) == .pinned)
        #expect(file.verdict(host: "h", port: 22, key: Self.rsa) == .pinned)
        #expect(file.verdict(host: "h", port: 22, key: Self.other) == .revoked)
        #expect(
            file.verdict(host: "h", port: 22, key: Self.key("ssh-ed25519", 9))
                == .differs(types: ["ssh-rsa", "ssh-ed25519"]))
        #expect(
            file.verdict(host: "c", port: 22, key: Self.rsa) == .unknown,
            "a certificate authority is no host key")
        #expect(file.verdict(host: "x", port: 22, key: Self.ed) == .unknown)
        #expect(
            file.verdict(host: "wrong", port: 22, key: Self.ed) == .unknown,
            "the type must be that of the key")
        #expect(KnownHosts("").verdict(host: "h", port: 22, key: Self.ed) == .unknown)
    }

    @Test("the lines of a host are its keys under its plain name, without the revoked ones")
    func lines() {
        let ed = Self.base64(Self.ed)
        let file = KnownHosts(
            "nonsense\n" + Self.line("*.example", "ssh-ed25519", Self.ed)
                + Self.line("x", "ssh-rsa", Self.rsa)
                + "@revoked " + Self.line("*", "ssh-ed25519", Self.other))
        #expect(file.lines(host: "A.example", port: 22) == "a.example ssh-ed25519 \(ed)\n")
        #expect(file.lines(host: "a.example", port: 23) == "")
    }

    @Test("random bytes pin nothing and do not stop the reader")
    func random() {
        let seed = UInt64.random(in: 0...UInt64.max)
        var generator = SplitMix(state: seed)
        let good = Array(Self.line("h,*.x,|1|aaaa|bbbb", "ssh-ed25519", Self.ed).utf8)
        for _ in 0..<5000 {
            var bytes = good
            for _ in 0..<Int.random(in: 1...8, using: &generator) {
                bytes[Int.random(in: 0..<bytes.count, using: &generator)] = UInt8.random(
                    in: 0...255, using: &generator)
            }
            let file = KnownHosts(String(decoding: bytes, as: UTF8.self))
            #expect(file.verdict(host: "h", port: 22, key: Self.other) != .pinned, "seed \(seed)")
            let junk = (0..<Int.random(in: 0...64, using: &generator)).map { _ in
                UInt8.random(in: 0...255, using: &generator)
            }
            _ = KnownHosts.type(of: junk)
        }
    }
}

@Suite struct SubversionCommandTests {
    @Test(
        "a branch is appended unless the URL ends in it, or in trunk, a branch or a tag",
        arguments: [
            ("svn://h/r", "trunk", nil, "svn://h/r/trunk"),
            ("svn://h/r/trunk", "trunk", "svn://h/r/trunk", "svn://h/r/trunk/trunk"),
            ("svn://h/r/trunk/", "main", "svn://h/r/trunk", "svn://h/r/trunk/main"),
            ("svn://h/mytrunk", "trunk", nil, "svn://h/mytrunk/trunk"),
            ("svn://trunk", "main", nil, "svn://trunk/main"),
            (
                "svn://h/branches/1.x", "branches/1.x", "svn://h/branches/1.x",
                "svn://h/branches/1.x/branches/1.x"
            ),
            ("svn://h/branches/1.x", "main", "svn://h/branches/1.x", "svn://h/branches/1.x/main"),
            ("https://h/r/tags/1", "main", "https://h/r/tags/1", "https://h/r/tags/1/main"),
            ("svn://h/branches", "1.x", nil, "svn://h/branches/1.x"),
            ("svn://h/r", "é", nil, "svn://h/r/%C3%A9"),
        ])
    func location(url: String, branch: String, expected: String?, below: String) throws {
        #expect(SubversionCommand.location(url: url, branch: try BranchName(branch)) == expected)
        #expect(SubversionCommand.below(url: url, branch: try BranchName(branch)) == below)
    }

    @Test("externals are read with their directories, and nothing of them steers the terminal")
    func externals() {
        let xml = """
            <?xml version="1.0" encoding="UTF-8"?>
            <properties>
            <target
               path="svn://h/r/trunk">
            <property
               name="svn:externals">^/branches ext
            # a comment
            http://o/x &amp;y\u{1B}[2J
            </property>
            </target>
            <target
               path="svn://h/r/trunk/lib">
            <property
               name="svn:externals">-r1 ^/a b</property>
            </target>
            </properties>
            """
        #expect(
            SubversionCommand.externals(in: xml, below: "svn://h/r/trunk") == [
                "'^/branches ext' of '.'", "'http://o/x &y [2J' of '.'", "'-r1 ^/a b' of 'lib'",
            ])
        #expect(SubversionCommand.externals(in: "<target path=", below: "") == [])
    }

    @Test("the author and the first line of the message are read from the log")
    func log() {
        let xml =
            "<?xml version=\"1.0\"?>\n<log>\n<logentry revision=\"2\">\n<author>ann</author>\n<msg>a &lt;b&gt; &amp;amp; c\nmore</msg>\n</logentry>\n</log>"
        let commit = SubversionCommand.commit(inLog: xml)
        #expect(commit.author == "ann" && commit.subject == "a <b> &amp; c")
        let none = SubversionCommand.commit(inLog: "")
        #expect(none.author == "" && none.subject == "")
    }

    @Test("targets come after -- with a peg revision")
    func arguments() {
        let command = SubversionCommand(configuration: "/c", username: nil, readsPassword: false, caFile: nil)
        #expect(
            command.export("svn://h/a@b", revision: 7, peg: "HEAD", into: "/d@x").suffix(3) == [
                "--", "svn://h/a@b@HEAD", "/d@x@",
            ])
        #expect(!command.options.contains("--username") && !command.options.contains("--password-from-stdin"))
    }
}

@Suite struct SourceStreamTests {
    @Test("requests and events read back as themselves")
    func roundTrip() throws {
        var access = RepositoryAccess(system: .git, url: "https://h/r", branch: "main")
        access.tokenFile = "/t"
        let request = SourceRequest(
            action: .snapshot, repository: access, commit: "c", mirror: "/m", snapshot: "/s")
        #expect(try SourceStream.request(SourceStream.encode(request)) == request)
        let events: [SourceEvent] = [
            .progress(received: 1, total: 2, bytes: 3), .tip(commit: "c"), .located(url: "u"),
            .note(message: "a\nb"),
            .snapshot(commit: "c", subject: "s", author: "a", files: 1, bytes: 2),
            .failed(code: 3, message: "m", hint: nil),
        ]
        for event in events {
            let line = try SourceStream.encode(event)
            #expect(line.last == 10 && line.dropLast().firstIndex(of: 10) == nil, "one line")
            #expect(try SourceStream.event(line.dropLast()) == event)
        }
        #expect(throws: VoltError.self) { try SourceStream.event("{".utf8) }
    }
}
