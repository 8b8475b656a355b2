import Glibc
import Testing
import VoltCore
import VoltCrypto
import VoltSystem
import VoltTestKit

@Suite(.serialized, .timeLimit(.minutes(3))) struct EndpointTests {
    @Test("a signed push is 202 once its row is in the journal, and ends in a deploy of the tip")
    func push() throws {
        let host = try Host()
        try host.createSite()
        let server = try Serve(host)
        let commit = try host.commit("two")
        let body = host.push(commit: commit)
        let answer = try server.request(
            "POST", "/hooks/github", headers: host.headers(delivery: "d1", body: body), body: body)
        #expect(answer.status == 202)
        #expect(answer.text == "{\"status\":\"queued\",\"pipelines\":[\"site\"]}\n")
        try host.wait("for the deploy") { host.applied.contains("done \(commit)") }
        try host.wait("for the history") {
            try host.gitops("logs", "--name", "site").stdout.contains("success")
        }
        let logs = try host.gitops("logs", "--name", "site").stdout.split(separator: "\n")
        #expect(logs.count == 2)
        #expect(
            logs[0].split(separator: " ") == ["TIMESTAMP", "COMMIT", "BRANCH", "STATUS", "DURATION", "NOTES"])
        let pattern =
            /[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9:]{8}  [0-9a-f]{7}  main +success  [0-9]+s +webhook \(github\)/
        #expect(logs[1].wholeMatch(of: pattern) != nil, "\(logs[1])")

        let again = try server.request(
            "POST", "/hooks/github", headers: host.headers(delivery: "d1", body: body), body: body)
        #expect(again.status == 200)
        #expect(again.text.contains("duplicate"))
    }

    @Test("a secret that is lost or empty refuses every delivery", arguments: [true, false])
    func lostSecret(isRemoved: Bool) throws {
        let host = try Host()
        try host.createSite()
        let file = "\(host.directory)/root/lib/gitops/secrets/site"
        if isRemoved { try Files.remove(file) } else { try Files.replace(file, with: []) }
        let server = try Serve(host)
        let body = host.push(commit: String(repeating: "1", count: 40))
        for secret in [host.secret, []] {
            let headers = host.headers(delivery: "d", body: body, secret: secret)
            #expect(try server.request("POST", "/hooks/github", headers: headers, body: body).status == 403)
        }
        let bare = [("Content-Type", "application/json"), ("X-GitHub-Event", "push")]
        #expect(try server.request("POST", "/hooks/github", headers: bare, body: body).status == 403)
        #expect(server.text.contains("its deliveries are refused"))
        #expect(host.applied.isEmpty)
    }

    @Test("a branch that is written as refs/heads/main is the branch main, and its pushes are deployed")
    func fullBranchName() throws {
        let host = try Host()
        try host.createSite("--branch", "refs/heads/main")
        #expect(try host.gitops("list").stdout.contains("  main  "))
        let server = try Serve(host)
        let commit = try host.git("rev-parse", "HEAD")
        #expect(try host.deliver(commit, to: server) == 202)
        try host.wait("for the deploy") { host.running == commit }
        #expect(server.end(SIGTERM) == 0)
    }

    @Test("a pipeline that was created without a secret on purpose takes unsigned deliveries")
    func unsigned() throws {
        let host = try Host()
        let created = try host.gitops(
            "create", "--name", "site", "--repo", "https://git.example.invalid/team/site.git", "--provider",
            "github",
            "--branch", "main", "--workload", "web", "--insecure-no-secret")
        #expect(created.status == 0, "\(created.stderr)")
        let server = try Serve(host)
        let bare = [("Content-Type", "application/json"), ("X-GitHub-Event", "ping")]
        #expect(
            try server.request("POST", "/hooks/github", headers: bare, body: Array("{}".utf8)).status == 200)
    }

    @Test("a bad signature is 403 with a constant body and one line in the log, and deploys nothing")
    func forbidden() throws {
        let host = try Host()
        try host.createSite()
        let server = try Serve(host)
        let body = host.push(commit: String(repeating: "1", count: 40))
        let good = Hex.encode(HMAC.sha256(key: host.secret, message: body))
        let values: [String?] = [
            nil, "", "sha256=", "sha256=\(good.dropLast())", "sha256=\(good.uppercased())",
            "sha1=\(good.prefix(40))",
            "sha256=\(Hex.encode(HMAC.sha256(key: Array("other".utf8), message: body)))",
        ]
        for value in values {
            var headers = [
                ("Content-Type", "application/json"), ("X-GitHub-Event", "push"), ("X-GitHub-Delivery", "x"),
            ]
            if let value { headers.append(("X-Hub-Signature-256", value)) }
            let answer = try server.request("POST", "/hooks/github", headers: headers, body: body)
            #expect(answer.status == 403)
            #expect(answer.text == "403 Forbidden\n")
        }
        #expect(server.text.split(separator: "\n").filter { $0.contains(" 403 ") }.count == values.count)
        #expect(!server.text.contains(String(decoding: host.secret, as: UTF8.self)))
        #expect(try host.gitops("logs", "--name", "site").stdout.split(separator: "\n").count == 1)
        #expect(host.applied.isEmpty)
    }

    @Test("verified deliveries with nothing to do are 200 with the reason")
    func ignored() throws {
        let host = try Host()
        try host.createSite()
        let server = try Serve(host)
        func answer(_ text: String, event: String = "push") throws -> (Int, String) {
            let body = Array(text.utf8)
            let headers = host.headers(delivery: "i", body: body).map {
                $0.0 == "X-GitHub-Event" ? ($0.0, event) : $0
            }
            let answer = try server.request("POST", "/hooks/github", headers: headers, body: body)
            return (answer.status, answer.text)
        }
        let other = String(decoding: host.push(branch: "other", commit: ""), as: UTF8.self)
        #expect(
            try answer(other) == (
                200, "{\"status\":\"ignored\",\"reason\":\"no pipeline follows branch 'other'\"}\n"
            ))
        #expect(
            try answer(#"{"zen":"x"}"#, event: "ping") == (
                200, "{\"status\":\"ignored\",\"reason\":\"ping\"}\n"
            ))
        let foreign = #"{"ref":"refs/heads/main","repository":{"clone_url":"https://git.example/a/b.git"}}"#
        let stray = try answer(foreign)
        #expect(
            stray.0 == 200
                && stray.1.hasPrefix("{\"status\":\"ignored\",\"reason\":\"site: its secret verifies "))
        #expect(try answer("{\"ref\":").0 == 400)
        #expect(try server.request("GET", "/healthz").text == "ok\n")
        #expect(try server.request("GET", "/hooks/github").status == 405)
        #expect(try server.request("POST", "/hooks/svn").status == 404)
        #expect(
            try server.request("POST", "/hooks/github", headers: [("Content-Type", "text/plain")]).status
                == 415)
        let ping = [("Content-Type", "application/json"), ("X-Event-Key", "diagnostics:ping")]
        #expect(
            try server.request("POST", "/hooks/bitbucket", headers: ping, body: Array("{}".utf8)).status
                == 200)
        #expect(try host.gitops("logs", "--name", "site").stdout.split(separator: "\n").count == 1)
    }

    @Test("a delivery signed with the secret of one pipeline never touches another of the same repository")
    func otherPipeline() throws {
        let host = try Host()
        try host.createSite()
        try Files.replace("\(host.directory)/secret", with: "another".utf8)
        let second = try host.gitops(
            "create", "--name", "second", "--repo", host.repository, "--provider", "github", "--branch",
            "main",
            "--workload", "second", "--secret-file", "\(host.directory)/secret", "--allow-file",
            "--poll-interval", "86400")
        try #require(second.status == 0)
        let server = try Serve(host)
        let body = host.push(commit: try host.git("rev-parse", "HEAD"))
        let headers = host.headers(delivery: "d", body: body, secret: Array("another".utf8))
        #expect(try server.request("POST", "/hooks/github", headers: headers, body: body).status == 202)
        try host.wait("for the deploy") {
            try host.gitops("logs", "--name", "second").stdout.contains("success")
        }
        // Each pipeline is polled once soon after the start: what matters is that no webhook is in the history.
        #expect(try !host.gitops("logs", "--name", "site").stdout.contains("webhook"))
    }

    @Test("a burst of fifty deliveries ends in a deploy of the newest, and every 202 has its row")
    func burst() throws {
        let host = try Host()
        try host.createSite()
        let server = try Serve(host)
        try host.close(gate: "switch")
        var accepted = 0
        var commit = ""
        for number in 0..<50 {
            if number % 10 == 0 { commit = try host.commit("commit \(number)") }
            let body = host.push(commit: commit)
            let answer = try server.request(
                "POST", "/hooks/github", headers: host.headers(delivery: "d\(number)", body: body), body: body
            )
            if answer.status == 202 { accepted += 1 }
        }
        try host.open(gate: "switch")
        #expect(accepted == 50)
        try host.wait("for the newest commit") {
            let logs = try host.gitops("logs", "--name", "site", "--limit", "100").stdout
            return host.applied.contains("done \(commit)") && !logs.contains("queued")
                && !logs.contains("deploying")
        }
        let rows = try host.gitops("logs", "--name", "site", "--limit", "1000").stdout.split(separator: "\n")
            .dropFirst()
        #expect(rows.filter { $0.contains("webhook (github)") }.count == 50)
        #expect(rows.filter { $0.contains(" superseded ") }.count >= 40)
        #expect(host.applied.filter { $0.hasPrefix("done") }.count <= 5)
    }

    @Test("a newer commit cancels an attempt that is still checking")
    func newestWins() throws {
        let host = try Host()
        try host.createSite()
        let server = try Serve(host)
        try host.close(gate: "check")
        let first = try host.git("rev-parse", "HEAD")
        var body = host.push(commit: first)
        _ = try server.request(
            "POST", "/hooks/github", headers: host.headers(delivery: "1", body: body), body: body)
        try host.wait("for the check") { host.applied.contains("check \(first)") }
        let second = try host.commit("two")
        body = host.push(commit: second)
        _ = try server.request(
            "POST", "/hooks/github", headers: host.headers(delivery: "2", body: body), body: body)
        try host.wait("for the first to be stopped") { host.applied.contains("stopped \(first)") }
        try host.open(gate: "check")
        try host.wait("for the second") { host.applied.contains("done \(second)") }
        #expect(!host.applied.contains("done \(first)"))
        try host.wait("for the history") {
            let logs = try host.gitops("logs", "--name", "site").stdout
            return logs.contains("success") && logs.contains("superseded")
        }
    }

    @Test("a second server on the same state, and one on a taken port, are refused by name")
    func secondServer() throws {
        let host = try Host()
        let server = try Serve(host)
        let second = try host.gitops("serve", "--port", "0")
        #expect(second.status == 4)
        #expect(second.stderr.contains("process \(server.pid)"))
        let other = try Host()
        let taken = try other.gitops("serve", "--listen", "127.0.0.1", "--port", "\(server.port)")
        #expect(taken.status == 69)
        #expect(taken.stderr.contains("process \(server.pid) (volt-gitops)"))
        #expect(try host.gitops("status").stderr.contains("running at http://127.0.0.1:\(server.port)"))
        #expect(server.end(SIGTERM) == 0)
        #expect(try host.gitops("status").stderr.contains("not running"))
    }
}
