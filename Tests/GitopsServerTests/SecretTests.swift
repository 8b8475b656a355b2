import Glibc
import Testing
import VoltCore
import VoltSystem
import VoltTestKit

@Suite(.serialized, .timeLimit(.minutes(3))) struct SecretTests {
    private func ping(_ server: Serve, _ host: Host, _ secret: String) throws -> Int {
        let body = Array(#"{"zen":"x"}"#.utf8)
        let headers = host.headers(delivery: "p", body: body, secret: Array(secret.utf8)).map {
            $0.0 == "X-GitHub-Event" ? ($0.0, "ping") : $0
        }
        return try server.request("POST", "/hooks/github", headers: headers, body: body).status
    }

    private func rotate(_ host: Host, to secret: String, _ more: String...) throws {
        let result = try host.tool.run(
            ["volt-gitops", "secret", "rotate", "--name", "site", "--secret-stdin"] + more,
            input: secret + "\n")
        try #require(result.status == 0, "\(result.stderr)")
        #expect(result.stdout.isEmpty)
        #expect(!result.stderr.contains(secret))
    }

    private var old: String { "It's a Secret to Everybody" }

    @Test("a running server takes both secrets until the grace ends, and says which one is in use")
    func rotation() throws {
        let host = try Host()
        try host.createSite()
        let server = try Serve(host)
        func show() throws -> String { try host.gitops("secret", "show", "--name", "site").stdout }
        #expect(try show().contains("never"))
        #expect(try ping(server, host, old) == 200)
        try host.wait("for the use") {
            try host.gitops("secret", "show", "--name", "site").stderr.contains("used: current")
        }
        try rotate(host, to: "the-new-one", "--grace", "1h")
        try host.wait("for the new secret") { try ping(server, host, "the-new-one") == 200 }
        try host.wait("for the use") {
            try host.gitops("secret", "show", "--name", "site").stderr.contains("used: current")
        }
        #expect(try ping(server, host, old) == 200)
        #expect(try ping(server, host, "another") == 403)
        try host.wait("for the use") {
            try host.gitops("secret", "show", "--name", "site").stderr.contains("used: previous")
        }
        let both = try show()
        #expect(both.split(separator: "\n").count == 3, "\(both)")
        #expect(!both.contains("never"))
        let json = try host.gitops("secret", "show", "--name", "site", "-o", "json").stdout
        #expect(json.contains(#""lastUsed" : "previous""#))
        for text in [both, json, server.text] {
            #expect(!text.contains("the-new-one") && !text.contains(old))
        }
        #expect(try host.gitops("secret", "retire", "--name", "site").status == 0)
        try host.wait("for the end of the old one") { try ping(server, host, old) == 403 }
        #expect(try ping(server, host, "the-new-one") == 200)
        #expect(try show().split(separator: "\n").count == 2)
    }

    @Test("the grace ends by itself while the server runs, and the secret leaves the disk at the next start")
    func graceEnds() throws {
        let host = try Host()
        try host.createSite()
        let server = try Serve(host)
        try rotate(host, to: "second", "--grace", "1500ms")
        #expect(try ping(server, host, old) == 200)
        try host.wait("for the end") { try ping(server, host, old) == 403 }
        #expect(try ping(server, host, "second") == 200)
        server.end(SIGKILL)
        let again = try Serve(host)
        #expect(try ping(again, host, "second") == 200)
        #expect(!Files.exists("\(host.directory)/root/lib/gitops/secrets/site.previous"))
    }

    @Test("a rotation killed at any of its writes leaves the old secret valid, and can be run again")
    func killed() throws {
        try #require(Files.exists("/usr/bin/strace"), "strace is among the packages of the tests")
        let host = try Host()
        try host.createSite()
        var points = 0
        var current = old
        for call in ["fsync", "rename", "fdatasync", "unlink", "pwrite64"] {
            var number = 1
            while true {
                let next = "\(call)-\(number)"
                let result = try host.tool.run(
                    [
                        "/usr/bin/strace", "-f", "-o", "/dev/null", "-e", "trace=\(call)", "-e",
                        "inject=\(call):signal=KILL:when=\(number)",
                        "\(ToolRunner.products)/volt-gitops", "secret", "rotate", "--name", "site",
                        "--secret-stdin", "--grace", "1h",
                    ], input: next)
                let server = try Serve(host)
                #expect(try ping(server, host, current) == 200, "\(next): the old secret is refused")
                let isNew = try ping(server, host, next) == 200
                server.end(SIGKILL)
                if result.status == 0 {
                    #expect(isNew)
                    current = next
                    break
                }
                points += 1
                if !isNew { try rotate(host, to: next) }
                current = next
                number += 1
                try #require(number < 40, "\(call): no end")
            }
        }
        #expect(points >= 6, "only \(points) writes were reached")
    }

    @Test("without a secret one is made and printed; a pipeline that has none is refused")
    func made() throws {
        let host = try Host()
        try host.createSite()
        let made = try host.gitops("secret", "rotate", "--name", "site", "--grace", "0s")
        #expect(made.status == 0)
        #expect(made.stdout.wholeMatch(of: /[0-9a-f]{64}\n/) != nil)
        let server = try Serve(host)
        #expect(try ping(server, host, String(made.stdout.dropLast())) == 200)
        #expect(try ping(server, host, old) == 403)
        let svn = try host.gitops(
            "create", "--name", "open", "--repo", "https://git.example.invalid/a.git", "--provider", "github",
            "--branch", "main", "--workload", "open", "--insecure-no-secret")
        #expect(svn.status == 0)
        for (words, status) in [
            (["rotate", "--name", "open"], 5), (["show", "--name", "open"], 5),
            (["rotate", "--name", "none"], 3), (["rotate", "--name", "site", "--grace", "31d"], 64),
            (["rotate", "--name", "site", "--secret-file", "/dev/null"], 64),
        ] as [([String], Int32)] {
            let result = try host.tool.run(["volt-gitops", "secret"] + words)
            #expect(result.status == status, "\(words): \(result.stderr)")
        }
    }

    @Test("a lost secret is given anew by a rotation")
    func lost() throws {
        let host = try Host()
        try host.createSite()
        try Files.remove("\(host.directory)/root/lib/gitops/secrets/site")
        let server = try Serve(host)
        #expect(try ping(server, host, old) == 403)
        #expect(try host.gitops("secret", "show", "--name", "site").stderr.contains("is lost"))
        try rotate(host, to: "found")
        try host.wait("for the new secret") { try ping(server, host, "found") == 200 }
    }

    @Test("deleting a pipeline leaves no secret on the disk")
    func deleted() throws {
        let host = try Host()
        try host.createSite()
        try rotate(host, to: "second")
        #expect(try host.gitops("delete", "--name", "site").status == 0)
        #expect(try Files.list("\(host.directory)/root/lib/gitops/secrets").isEmpty)
    }
}
