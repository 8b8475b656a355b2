import Glibc
import Testing
import VoltCore
import VoltCrypto
import VoltSystem
import VoltTestKit

@Suite(.serialized, .timeLimit(.minutes(2))) struct StrayTests {
    /// What a hook of another repository sends with the secret of `site`.
    private static let foreign = "https://git.example/team/renamed.git"

    private func push(of url: String) -> [UInt8] {
        Array(#"{"ref":"refs/heads/main","repository":{"clone_url":"\#(url)"}}"#.utf8)
    }

    @Test("beside a pipeline without a secret, a wrong signature is 403 unless the push is of that pipeline")
    func besideUnsigned() throws {
        let host = try Host()
        try host.createSite()
        let open = "https://git.example.invalid/team/open.git"
        let made = try host.gitops(
            "create", "--name", "open", "--repo", open, "--provider", "github", "--branch", "main",
            "--workload", "open", "--insecure-no-secret", "--poll-interval", "86400")
        try #require(made.status == 0, "\(made.stderr)")
        let server = try Serve(host)
        func answer(_ body: [UInt8], event: String = "push", secret: String?) throws -> Int {
            var headers = [("Content-Type", "application/json"), ("X-GitHub-Event", event)]
            if let secret {
                let code = Hex.encode(HMAC.sha256(key: Array(secret.utf8), message: body))
                headers.append(("X-Hub-Signature-256", "sha256=\(code)"))
            }
            return try server.request("POST", "/hooks/github", headers: headers, body: body).status
        }
        let site = push(of: host.repository)
        #expect(try answer(site, secret: "wrong") == 403)
        #expect(try answer(site, secret: nil) == 403)
        #expect(try answer(push(of: Self.foreign), secret: "wrong") == 403)
        #expect(try answer(Array("{\"ref\":".utf8), secret: "wrong") == 403)
        // GitHub sends a ping when a hook is made: it says at once that the secret is wrong.
        #expect(try answer(Array("{}".utf8), event: "ping", secret: "wrong") == 403)
        #expect(try answer(Array("{}".utf8), event: "ping", secret: nil) == 200)
        #expect(server.text.split(separator: "\n").filter { $0.contains(" 403 github: ") }.count == 5)
        #expect(try answer(push(of: open), secret: nil) == 202)
        #expect(try answer(push(of: open), secret: "wrong") == 202)
        #expect(try answer(site, secret: String(decoding: host.secret, as: UTF8.self)) == 202)
    }

    @Test("a verified delivery for another URL names the pipeline and both URLs wherever one looks")
    func otherURL() throws {
        let host = try Host()
        try host.createSite()
        let server = try Serve(host, with: ["--ui"])
        let url = Self.foreign.replacing("https://", with: "https://user:hidden@")
        let body = push(of: url)
        let answer = try server.request(
            "POST", "/hooks/github", headers: host.headers(delivery: "s1", body: body), body: body)
        #expect(answer.status == 200)
        func isTold(_ text: String, _ place: String) {
            for word in ["site", Self.foreign, host.repository] {
                #expect(text.contains(word), "\(place): \(text)")
            }
            #expect(!text.contains("hidden"), "\(place): \(text)")
        }
        isTold(answer.text, "answer")
        isTold(String(server.text.split(separator: "\n").last ?? ""), "log")
        try host.wait("for the record") { try host.gitops("status").stderr.contains(Self.foreign) }
        let status = try host.gitops("status").stderr
        isTold(status, "status")
        #expect(status.contains("'repo'") && status.contains("volt gitops import"), "\(status)")
        let doctor = try host.gitops("doctor", "--offline").stdout.split(separator: "\n")
        isTold(String(doctor.first { $0.hasPrefix("hook site") } ?? ""), "doctor")
        isTold(try server.request("GET", "/pipelines/site").text, "page")
        #expect(try host.gitops("status", "-o", "json").stdout.contains("\"stray\""))

        // A delivery that matches says that the hook is right now.
        let commit = try host.git("rev-parse", "HEAD")
        #expect(try host.deliver(commit, to: server) == 202)
        try host.wait("for the match") { try !host.gitops("status").stderr.contains(Self.foreign) }
        try host.wait("for the deploy") { host.running == commit }
        #expect(server.end(SIGTERM) == 0)
    }
}
