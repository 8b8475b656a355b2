import Glibc
import Synchronization
import Testing
import VoltCore
import VoltCrypto
import VoltSystem
import VoltTestKit

/// The answer of a receiver, which a test can change.
private final class Answer: Sendable {
    private let reply: Mutex<ScriptedHTTPServer.Reply>
    init(_ reply: ScriptedHTTPServer.Reply) { self.reply = Mutex(reply) }
    var now: ScriptedHTTPServer.Reply {
        get { reply.withLock { $0 } }
        set { reply.withLock { $0 = newValue } }
    }
}

@Suite(.serialized, .timeLimit(.minutes(3))) struct NotificationTests {
    /// Commits, pushes and gives the commit.
    private func push(
        _ host: Host, _ server: Serve, _ name: String, files: [String: String] = [:], without: [String] = []
    )
        throws -> String
    {
        let commit = try host.commit(name, files: files, without: without)
        let body = host.push(commit: commit)
        let answer = try server.request(
            "POST", "/hooks/github", headers: host.headers(delivery: name, body: body), body: body)
        try #require(answer.status == 202, "\(answer.text)")
        return commit
    }

    private func token(_ host: Host) throws -> String {
        try Files.replace("\(host.directory)/token", with: "t0ken\n".utf8, mode: 0o600)
        return "\(host.directory)/token"
    }

    private func events(_ server: ScriptedHTTPServer) -> [String] {
        server.requests.compactMap { request in
            request.text.firstMatch(of: /"(?:event|state)":"([a-z]+)"/).map { String($0.1) }
        }
    }

    @Test("each commit gets its status at the forge: pending, then how it ended")
    func statuses() throws {
        let forge = try ScriptedHTTPServer { _ in .answer(201, body: "{}") }
        let host = try Host()
        try host.createSite(
            "--status-token-file", try token(host), "--status-api", "\(forge.origin)/", "--status-repo",
            "team/site", "--status-url", "https://ui.example/attempts/{attempt}")
        let server = try Serve(host)
        let good = try push(host, server, "two")
        try host.wait("for the success") { events(forge).contains("success") }
        let bad = try push(host, server, "three", files: ["broken": "yes"])
        try host.wait("for the failure") { events(forge).contains("failure") }
        for (commit, words) in [(good, ["pending", "success"]), (bad, ["pending", "failure"])] {
            let ofCommit = forge.requests.filter { $0.path == "/repos/team/site/statuses/\(commit)" }
            let said = ofCommit.compactMap {
                $0.text.firstMatch(of: /"state":"([a-z]+)"/).map { String($0.1) }
            }
            // A state that was replaced before it was sent is not sent.
            #expect(said.last == words.last && words.starts(with: said.prefix(1)) || said == [words[1]])
        }
        for request in forge.requests {
            #expect(request.headers["authorization"] == "Bearer t0ken")
            #expect(request.text.contains("\"context\":\"volt/site\""))
            #expect(request.text.contains("https://ui.example/attempts/"))
        }
        #expect(!server.text.contains("t0ken"))
        #expect(try !host.gitops("list", "-o", "json").stdout.contains("t0ken"))
    }

    @Test("receivers that stall, redirect, refuse or fail never hold up or fail a deploy")
    func receivers() throws {
        let silent = try ScriptedHTTPServer { _ in .silence }
        let other = try ScriptedHTTPServer { _ in .answer(200) }
        let place = other.origin
        let away = try ScriptedHTTPServer { _ in .answer(307, headers: [("Location", place)]) }
        let gone = try ScriptedHTTPServer { _ in .answer(410, body: "no <b>such</b> hook\u{1b}[31m") }
        let answer = Answer(.answer(503, headers: [("Retry-After", "1")]))
        let flaky = try ScriptedHTTPServer { _ in answer.now }
        let host = try Host()
        let all = [silent, away, gone, flaky].flatMap { ["--notify", "\($0.origin)/hook/s3cret"] }
        let made = try host.tool.run(
            [
                "volt-gitops", "create", "--name", "site", "--repo", host.repository, "--provider", "github",
                "--branch", "main", "--workload", "web", "--secret-file", "\(host.directory)/secret",
                "--allow-file", "--poll-interval", "86400",
            ] + all)
        try #require(made.status == 0, "\(made.stderr)")
        let server = try Serve(host)
        let start = ContinuousClock.now
        let commit = try push(host, server, "two")
        try host.wait("for the deploy") { host.applied.contains("done \(commit)") }
        try host.wait("for the history") {
            try host.gitops("logs", "--name", "site").stdout.contains("success")
        }
        #expect(ContinuousClock.now - start < .seconds(15))
        try host.wait("for the flaky one's first try") { !flaky.requests.isEmpty }
        answer.now = .answer(200)
        try host.wait("for its second try") { flaky.requests.count == 2 }
        #expect(flaky.requests[0].body == flaky.requests[1].body)
        #expect(flaky.requests[0].headers["webhook-id"] == flaky.requests[1].headers["webhook-id"])
        try host.wait("for the one that is gone") { server.text.contains("given up: it answered 410") }
        try host.wait("for the one that redirects") { server.text.contains("redirects a POST") }
        #expect(other.requests.isEmpty)
        // One line each, without the path, which may be a secret, and without what drives a terminal.
        #expect(!server.text.contains("s3cret") && !server.text.contains("\u{1b}"))
        #expect(try !host.gitops("list", "-o", "json").stdout.contains("s3cret"))
        try host.wait("for the silent one") { !silent.requests.isEmpty }
        let helpers = try children(of: server.pid).filter { $0.contains("Name:\tvolt-gitops--no") }
        #expect(!helpers.isEmpty)
        if geteuid() == 0 {
            for helper in helpers {
                #expect(helper.contains("Uid:\t65534\t65534\t65534\t65534\n"))
                #expect(helper.contains("CapEff:\t0000000000000000\n") && helper.contains("NoNewPrivs:\t1\n"))
            }
        }
        let stop = ContinuousClock.now
        #expect(server.end(SIGTERM) == 0)
        #expect(ContinuousClock.now - stop < .seconds(8))
    }

    @Test("what was to be told when the server was killed is told by the next one, under the same id")
    func killed() throws {
        let answer = Answer(.silence)
        let receiver = try ScriptedHTTPServer { _ in answer.now }
        let host = try Host()
        try host.createSite("--notify", receiver.origin)
        let first = try Serve(host)
        let commit = try push(host, first, "two")
        try host.wait("for the first try") { !receiver.requests.isEmpty }
        first.end(SIGKILL)
        answer.now = .answer(200)
        let second = try Serve(host)
        try host.wait("for the second try") { receiver.requests.count >= 2 }
        // Once it is delivered the outbox is empty: a third server says nothing.
        try host.wait("for the empty outbox") { try outbox(host) == "0" }
        second.end(SIGKILL)
        let third = try Serve(host)
        let later = try push(host, third, "three")
        try host.wait("for the news of the third") { receiver.requests.contains { $0.text.contains(later) } }
        let ids = receiver.requests.filter { $0.text.contains(commit) }.compactMap {
            $0.headers["webhook-id"]
        }
        #expect(ids.count == 2 && Set(ids).count == 1, "\(ids)")
    }

    /// The texts of `/proc/<pid>/status` of a process's children.
    private func children(of parent: Int32) throws -> [String] {
        try Files.list("/proc").filter { Int32($0) != nil }.compactMap { pid in
            (try? Files.read("/proc/\(pid)/status", limit: 16 << 10)).map {
                String(decoding: $0, as: UTF8.self)
            }
        }.filter { $0.contains("PPid:\t\(parent)\n") }
    }

    private func outbox(_ host: Host) throws -> String {
        let database = "\(host.directory)/root/lib/gitops/journal.db"
        let script =
            "import sqlite3;print(sqlite3.connect('\(database)').execute('SELECT count(*) FROM outbox').fetchone()[0])"
        return try host.tool.run(["python3", "-c", script]).stdout.filter(\.isNumber)
    }

    @Test("a pipeline that fails says it once, and says when it works again")
    func suppressed() throws {
        let receiver = try ScriptedHTTPServer { _ in .answer(200) }
        let host = try Host()
        try host.createSite("--notify", receiver.origin, "--notify-on", "failures")
        func sync() throws -> Int32 { try host.gitops("sync", "--name", "site").status }
        #expect(try sync() == 0)
        #expect(receiver.requests.isEmpty)
        let bad = try host.commit("bad", files: ["broken": "yes"])
        for _ in 0..<3 { #expect(try sync() == 1) }
        #expect(events(receiver) == ["failed"])
        #expect(receiver.requests.first?.text.contains(bad) == true)
        let worse = try host.commit("worse")
        #expect(try sync() == 1)
        #expect(events(receiver) == ["failed", "failed"])
        #expect(receiver.requests.last?.text.contains(worse) == true)
        try host.commit("good", without: ["broken"])
        for _ in 0..<2 { #expect(try sync() == 0) }
        #expect(events(receiver) == ["failed", "failed", "success"])
    }

    @Test("a commit that waits for approval says so once")
    func approval() throws {
        let receiver = try ScriptedHTTPServer { _ in .answer(200) }
        let host = try Host()
        try host.createSite("--notify", receiver.origin, "--require-approval")
        let server = try Serve(host)
        let commit = try push(host, server, "two")
        try host.wait("for the question") { events(receiver).contains("approval") }
        #expect(receiver.requests.first?.text.contains(commit) == true)
        #expect(try host.gitops("approve", "--name", "site").status == 0)
        try host.wait("for the success") { events(receiver).contains("success") }
        #expect(events(receiver) == ["approval", "success"])
    }

    @Test("a test message reaches every kind of receiver, signed, and as nobody")
    func test() throws {
        let receiver = try ScriptedHTTPServer { _ in .answer(200) }
        let host = try Host()
        try Files.replace(
            "\(host.directory)/bin/sendmail",
            with:
                "#!/bin/sh\necho \"$@\" >\"$(dirname \"$0\")/../mail\"\ncat >>\"$(dirname \"$0\")/../mail\"\n"
                .utf8,
            mode: 0o755)
        try Files.replace(
            "\(host.directory)/addresses",
            with: """
                # who wants to know
                \(receiver.origin)/json
                slack+\(receiver.origin)/slack
                discord+\(receiver.origin)/discord
                ntfy+http://:tk_1@127.0.0.1:\(receiver.port)/topic
                mailto:ops@example.org

                """.utf8)
        try Files.replace("\(host.directory)/key", with: "signing key\n".utf8)
        try host.createSite(
            "--notify-file", "\(host.directory)/addresses", "--notify-secret-file", "\(host.directory)/key")
        let sent = try host.gitops("notify", "test", "--name", "site")
        #expect(sent.status == 0, "\(sent.stdout)\(sent.stderr)")
        #expect(sent.stdout.split(separator: "\n").filter { $0.hasSuffix("delivered") }.count == 5)
        #expect(Set(receiver.requests.map(\.path)) == ["/json", "/slack", "/discord", "/topic"])
        let json = try #require(receiver.requests.first { $0.path == "/json" })
        let (id, time) = (json.headers["webhook-id"] ?? "", json.headers["webhook-timestamp"] ?? "")
        let code = HMAC.sha256(
            key: Array("signing key".utf8), message: Array("\(id).\(time).\(json.text)".utf8))
        #expect(json.headers["webhook-signature"] == "v1,\(Base64.encode(code))")
        let ntfy = try #require(receiver.requests.first { $0.path == "/topic" })
        #expect(ntfy.headers["authorization"] == "Basic \(Base64.encode(Array(":tk_1".utf8)))")
        let mail = String(decoding: try Files.read("\(host.directory)/mail"), as: UTF8.self)
        #expect(mail.hasPrefix("-t -i\nTo: ops@example.org\nSubject: site on "))

        receiver.stop()
        let partly = try host.gitops("notify", "test", "--name", "site", "-o", "json")
        #expect(partly.status == 2, "\(partly.stdout)")
        #expect(!partly.stdout.contains("/slack"))
        #expect(try host.gitops("delete", "--name", "site").status == 0)
        #expect(try Files.list("\(host.directory)/root/lib/gitops/addresses").isEmpty)
    }

    @Test(
        "settings that cannot work are refused at create",
        arguments: [
            (["--notify", "ops@example.org"], 64), (["--notify", "http://192.0.2.1/x"], 5),
            (["--notify", "https://"], 64), (["--notify-on", "never"], 64), (["--notify-file", "/none"], 3),
            (["--status-api", "https://x"], 64), (["--status-token-file", "/none"], 3),
            (["--status-token-file", "/dev/null"], 64),
            (
                [
                    "--status-token-file", "/dev/null", "--status-repo", "a/b", "--status-api",
                    "https://u:p@x",
                ], 64
            ),
            (
                [
                    "--status-token-file", "/dev/null", "--status-repo", "a/b", "--status-forge",
                    "sourceforge",
                ], 64
            ),
        ] as [([String], Int32)])
    func refused(more: [String], status: Int32) throws {
        let host = try Host()
        let result = try host.tool.run(
            [
                "volt-gitops", "create", "--name", "site", "--repo", host.repository, "--provider", "github",
                "--branch", "main", "--workload", "web", "--secret", "x", "--allow-file",
            ] + more)
        #expect(result.status == status, "\(result.stderr)")
        #expect(try host.gitops("list", "-o", "json").stdout == "[\n\n]\n")
    }
}
