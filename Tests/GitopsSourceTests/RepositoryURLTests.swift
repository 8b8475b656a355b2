import GitopsSource
import Testing
import VoltCore

@Suite struct RepositoryURLTests {
    private static let open = RepositoryURL.Policy(allowsHTTP: true, allowsFile: true)

    @Test(
        "the forms of a Git URL are read",
        arguments: [
            ("https://github.com/org/site.git", "https", nil, "github.com", nil, "/org/site.git"),
            ("https://me@bitbucket.org/org/site.git", "https", "me", "bitbucket.org", nil, "/org/site.git"),
            ("HTTPS://GitHub.com:443/Org/Site", "https", nil, "github.com", nil, "/Org/Site"),
            ("https://git.example:8443/a/b/c.git", "https", nil, "git.example", 8443, "/a/b/c.git"),
            ("http://127.0.0.1:8080/site.git", "http", nil, "127.0.0.1", 8080, "/site.git"),
            ("http://[::1]:8080/site.git", "http", nil, "::1", 8080, "/site.git"),
            ("ssh://git@git.example:2222/org/site.git", "ssh", "git", "git.example", 2222, "/org/site.git"),
            ("git@github.com:org/site.git", "ssh", "git", "github.com", nil, "org/site.git"),
            ("git@github.com:/srv/site.git", "ssh", "git", "github.com", nil, "/srv/site.git"),
            ("git@[2001:db8::1]:org/site.git", "ssh", "git", "2001:db8::1", nil, "org/site.git"),
            ("file:///srv/git/my%20site.git", "file", nil, "", nil, "/srv/git/my%20site.git"),
            ("/srv/git/site.git", "file", nil, "", nil, "/srv/git/site.git"),
            (
                "https://git.example/~user/caf%C3%A9.git", "https", nil, "git.example", nil,
                "/~user/caf%C3%A9.git"
            ),
        ] as [(String, String, String?, String, Int?, String)])
    func forms(text: String, transport: String, user: String?, host: String, port: Int?, path: String) throws
    {
        let url = try RepositoryURL(text, system: .git, policy: Self.open)
        #expect(url.transport.rawValue == transport)
        #expect(url.user == user)
        #expect(url.host == host)
        #expect(url.port == port)
        #expect(url.path == path)
    }

    @Test(
        "the forms of a Subversion URL are read",
        arguments: [
            "svn://host/trunk", "svn://host:3691/repo/trunk", "https://svn.example/repo/trunk",
            "file:///srv/svn/repo",
        ])
    func subversion(text: String) throws {
        #expect(try RepositoryURL(text, system: .svn, policy: Self.open).text == text)
    }

    @Test(
        "what is not allowed is refused with the reason",
        arguments: [
            ("http://git.example/site.git", "is not encrypted"),
            ("file:///srv/site.git", "is a path of this host"),
            ("/srv/site.git", "is a path of this host"),
            ("git://git.example/site.git", "nothing tells whether the answer comes from the right server"),
            ("ext::sh -c id", "space or a control character"),
            ("ext::sh", "would run a helper program"),
            ("ftp://git.example/site.git", "is not a transport"),
            ("--upload-pack=x", "begins with '-'"),
            ("ssh://-oProxyCommand=x/site", "no valid host"),
            ("ssh://-oProxyCommand@host/site", "user name"),
            ("-o@host:site", "begins with '-'"),
            ("git@host:-site", "begins with '-'"),
            ("https://host/-site", "begins with '-'"),
            ("https://..host/site", "no valid host"),
            ("https://a..b/site", "no valid host"),
            ("https://./site", "no valid host"),
            ("https:///site", "no valid host"),
            ("https://host", "has no path"),
            ("https://host/", "has no path"),
            ("https://host/a/../../b", "'..' in it"),
            ("https://host/a/%2e%2e/b", "'..' in it"),
            ("https://host/a%00b", "control character"),
            ("https://host/a%0ab", "control character"),
            ("https://host/a%zz", "wrong '%' sequence"),
            ("https://host/a%4", "wrong '%' sequence"),
            ("https://host/site?x=1", "query or a fragment"),
            ("https://host/site#x", "query or a fragment"),
            ("https://host:0/site", "no valid port"),
            ("https://host:65536/site", "no valid port"),
            ("https://host:+1/site", "no valid port"),
            ("https://ho st/site", "space or a control character"),
            ("https://host/si\u{7f}te", "space or a control character"),
            ("https://host/a\nb", "space or a control character"),
            ("ssh://git@host/a'b", "no repository needs"),
            ("ssh://git@host/a%27b", "no repository needs"),
            ("https://host/a$b", "no repository needs"),
            ("svn://host/trunk", "is a Subversion repository"),
            ("", "is empty"),
            ("site.git", "is not the URL of a repository"),
            ("../site.git", "is not the URL of a repository"),
            ("file://other/srv/site.git", "names a host"),
            ("https://" + String(repeating: "a", count: 3000), "longer than 2048"),
        ])
    func refused(text: String, reason: String) {
        let error = #expect(throws: VoltError.self) { try RepositoryURL(text, system: .git) }
        #expect(error?.message.contains(reason) == true, "\(error?.message ?? "no error")")
    }

    @Test(
        "svn+ssh and SSH are refused for Subversion", arguments: ["svn+ssh://host/repo", "ssh://host/repo"])
    func subversionOverSSH(text: String) {
        let error = #expect(throws: VoltError.self) {
            try RepositoryURL(text, system: .svn, policy: Self.open)
        }
        #expect(error?.code == .refused)
    }

    @Test(
        "a URL with a password is refused, and the message does not repeat it",
        arguments: [
            "https://me:hunter2secret@host/site", "https://me:hunter2secret@host/site?x",
            "me:hunter2secret@host/site",
            "https://me%3Ahunter2secret@host/site", "https://ghp_hunter2secret@github.com/o/r",
            "https://glpat-hunter2secret@gitlab.com/o/r", "https://:hunter2secret@host/site",
            "https://me:p@hunter2secret@host/site", "ssh://me:hunter2secret@host/site",
            "hunter2secret@x@host",
            "https://hunter2secretaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa@host/site",
            "ftp://me:hunter2secret@host/site", "svn+ssh://me:hunter2secret@host/site",
        ])
    func password(text: String) {
        let error = #expect(throws: VoltError.self) {
            try RepositoryURL(text, system: .git, policy: Self.open)
        }
        #expect(error?.message.contains("hunter2secret") == false)
        #expect(error?.hint?.contains("hunter2secret") != true)
    }

    @Test(
        "the URLs of one repository have one normalised form",
        arguments: [
            ("https://github.com/Org/Site.git", "github.com/org/site"),
            ("https://GITHUB.com:443/org/site/", "github.com/org/site"),
            ("git@github.com:org/site.git", "github.com/org/site"),
            ("ssh://git@github.com:22/org/site", "github.com/org/site"),
            ("ssh://git@ssh.github.com:443/Org/site.git", "github.com/org/site"),
            ("ssh://git@altssh.bitbucket.org:443/org/site.git", "bitbucket.org/org/site"),
            ("ssh://git@altssh.gitlab.com:443/org/site.git", "gitlab.com/org/site"),
            ("https://ssh.github.com/org/site.git", "ssh.github.com/org/site"),
            ("https://me@github.com/org//site.git", "github.com/org/site"),
            ("http://git.example:80/org/site.git", "git.example/org/site"),
            ("http://127.0.0.1:8080/site.git", "127.0.0.1:8080/site"),
            ("https://bitbucket.example/scm/PROJ/site.git", "bitbucket.example/proj/site"),
            ("ssh://git@bitbucket.example:7999/proj/site.git", "bitbucket.example:7999/proj/site"),
            ("https://bitbucket.example/scm/~user/site.git", "bitbucket.example/~user/site"),
            ("https://bitbucket.example/scm/%7Euser/site.git", "bitbucket.example/~user/site"),
            ("https://host/scm/site.git", "host/scm/site"),
            ("https://host/org/.git", "host/org/.git"),
        ])
    func normalised(text: String, expected: String) throws {
        #expect(try RepositoryURL(text, system: .git, policy: Self.open).normalised == expected)
        #expect(RepositoryURL.normalised(payloadURL: text) == expected)
    }

    @Test(
        "a payload's URL that is none gives nil",
        arguments: ["", "null", "https://", "http://a b/", "::", "x"])
    func payload(text: String) { #expect(RepositoryURL.normalised(payloadURL: text) == nil) }

    @Test("random bytes are either refused or give a URL that reads back as itself")
    func random() throws {
        let seed = UInt64.random(in: 0...UInt64.max)
        var generator = SplitMix(state: seed)
        let pieces = [
            "https://", "ssh://", "git@", ":", "/", "..", "%", "@", "[", "]", "-", "host", "a", "\0", "é",
            "?", "#", " ", "::", "file://", "svn+", "443",
        ]
        for _ in 0..<20_000 {
            var text = ""
            for _ in 0..<Int.random(in: 0...9, using: &generator) {
                if Bool.random(using: &generator), let piece = pieces.randomElement(using: &generator) {
                    text += piece
                } else {
                    text.unicodeScalars.append(Unicode.Scalar(UInt8.random(in: 0...255, using: &generator)))
                }
            }
            guard let url = try? RepositoryURL(text, system: .git, policy: Self.open) else { continue }
            let again = try RepositoryURL(url.text, system: .git, policy: Self.open)
            #expect(again == url, "seed \(seed): '\(text)'")
            #expect(!url.host.hasPrefix("-") && !url.text.hasPrefix("-"), "seed \(seed): '\(text)'")
            #expect(url.transport == .file || !url.host.isEmpty, "seed \(seed): '\(text)'")
            #expect(!url.text.utf8.contains { $0 <= 32 || $0 == 127 }, "seed \(seed): '\(text)'")
        }
    }
}

@Suite struct BranchNameTests {
    @Test(
        "branch names follow git-check-ref-format",
        arguments: [
            ("main", true), ("feature/x", true), ("v1.2", true), ("é", true), ("refs/heads/main", true),
            ("a@b", true),
            ("", false), ("-x", false), ("a..b", false), ("a b", false), ("a~", false), ("a^", false),
            ("a:b", false),
            ("a?", false), ("a*", false), ("a[", false), ("a\\b", false), ("a.", false), ("a/", false),
            ("/a", false),
            ("a//b", false), (".a", false), ("a/.b", false), ("a.lock", false), ("a.lock/b", false),
            ("@", false),
            ("a@{b", false), ("a\u{7f}", false), ("a\nb", false), ("HEAD", false), ("refs/heads/", false),
        ])
    func rule(text: String, valid: Bool) { #expect(((try? BranchName(text)) != nil) == valid) }

    @Test("a branch has a reference")
    func reference() throws {
        #expect(try BranchName("main").reference == "refs/heads/main")
        #expect(try BranchName("refs/heads/main").text == "main")
    }
}

/// A generator whose run can be repeated from the seed that a failure prints.
struct SplitMix: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var value = state
        value = (value ^ (value >> 30)) &* 0xBF58_476D_1CE4_E5B9
        value = (value ^ (value >> 27)) &* 0x94D0_49BB_1331_11EB
        return value ^ (value >> 31)
    }
}
