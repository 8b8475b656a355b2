import Testing
import VoltCore
import VoltCrypto
import VoltSystem
import VoltTestKit

/// How a provider sends a push of a commit to `main`.
private struct Sender: Sendable, CustomTestStringConvertible {
    let title: String
    let provider: String
    /// The secret as `create` gets it.
    var secret = "It's a Secret to Everybody"
    let body: @Sendable (_ repository: String, _ commit: String) -> String
    /// The header fields; `time` is in seconds since 1970.
    let headers:
        @Sendable (_ delivery: String, _ body: [UInt8], _ secret: [UInt8], _ time: Int64)
            -> [(String, String)]
    var testDescription: String { title }
}

private let json = ("Content-Type", "application/json")

private func hex(_ body: [UInt8], _ secret: [UInt8]) -> String {
    Hex.encode(HMAC.sha256(key: secret, message: body))
}

private func gitea(_ brand: String) -> Sender {
    Sender(
        title: brand, provider: brand,
        body: {
            #"{"ref":"refs/heads/main","after":"\#($1)","repository":{"full_name":"a/b","clone_url":"\#($0)"}}"#
        },
        headers: { delivery, body, secret, _ in
            [
                json, ("X-\(brand)-Event", "push"), ("X-\(brand)-Delivery", delivery),
                ("X-Gitea-Signature", hex(body, secret)),
                ("X-Hub-Signature-256", "sha256=\(hex(body, secret))"), ("X-GitHub-Event", "push"),
            ]
        })
}

private func gitLabBody(_ repository: String, _ commit: String) -> String {
    #"{"object_kind":"push","ref":"refs/heads/main","after":"\#(commit)","checkout_sha":"\#(commit)","project":{"git_http_url":"\#(repository)"}}"#
}

private let senders = [
    gitea("gitea"), gitea("forgejo"),
    Sender(
        title: "Gitea, as a form", provider: "gitea",
        body: {
            let text =
                #"{"ref":"refs/heads/main","after":"\#($1)","repository":{"clone_url":"\#($0)"}}"#
            return "payload=" + text.utf8.map { "%" + Hex.encode([$0]) }.joined()
        },
        headers: { delivery, body, secret, _ in
            let text = String(decoding: body, as: UTF8.self).dropFirst("payload=".count)
            let signed = Hex.decode(text.filter { $0 != "%" }) ?? []
            return [
                ("Content-Type", "application/x-www-form-urlencoded"), ("X-Gitea-Event", "push"),
                ("X-Gitea-Delivery", delivery), ("X-Gitea-Signature", hex(signed, secret)),
                ("X-Hub-Signature-256", "sha256=\(hex(signed, secret))"),
            ]
        }),
    Sender(
        title: "generic", provider: "generic",
        body: { #"{"repository":"\#($0)","ref":"main","commit":"\#($1)"}"# },
        headers: { delivery, body, secret, _ in
            [
                json, ("X-Volt-Delivery", delivery),
                ("X-Volt-Signature-256", "sha256=\(hex(body, secret))"),
            ]
        }),
    Sender(
        title: "GitLab with a token", provider: "gitlab", body: gitLabBody,
        headers: { delivery, _, secret, _ in
            [
                json, ("X-Gitlab-Event", "Push Hook"), ("Idempotency-Key", delivery),
                ("X-Gitlab-Webhook-UUID", "\(UInt64.random(in: 0...UInt64.max))"),
                ("X-Gitlab-Token", String(decoding: secret, as: UTF8.self)),
            ]
        }),
    Sender(
        title: "GitLab with a signing token", provider: "gitlab",
        secret: "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", body: gitLabBody,
        headers: { delivery, body, secret, time in
            let key = Base64.decode(String(decoding: secret.dropFirst(6), as: UTF8.self)) ?? []
            let signed = HMAC.sha256(key: key, message: Array("\(delivery).\(time).".utf8) + body)
            return [
                json, ("X-Gitlab-Event", "Push Hook"), ("webhook-id", delivery),
                ("webhook-timestamp", "\(time)"), ("Idempotency-Key", delivery),
                ("webhook-signature", "v1,AAAA v1,\(Base64.encode(signed))"),
            ]
        }),
    Sender(
        title: "Bitbucket Data Center", provider: "bitbucket",
        body: {
            #"{"repository":{"links":{"clone":[{"href":"\#($0)"}]}},"changes":[{"type":"DELETE","ref":{"id":"refs/heads/a"},"toHash":"x"},{"type":"UPDATE","ref":{"id":"refs/heads/main"},"toHash":"\#($1)"}]}"#
        },
        headers: { delivery, body, secret, _ in
            [
                json, ("X-Event-Key", "repo:refs_changed"), ("X-Request-Id", delivery),
                ("X-Hub-Signature", "sha256=\(hex(body, secret))"),
            ]
        }),
]

@Suite(.serialized, .timeLimit(.minutes(3))) struct ProviderTests {
    private func now() -> Int64 { SystemClock().now().milliseconds / 1000 }

    @Test(
        "a push is deployed; the same delivery again is a duplicate once it succeeded; a changed one is 403",
        arguments: senders)
    fileprivate func push(sender: Sender) throws {
        let host = try Host()
        try Files.replace("\(host.directory)/secret", with: sender.secret.utf8, mode: 0o600)
        try host.createSite(provider: sender.provider)
        let commit = try host.git("rev-parse", "HEAD")
        let server = try Serve(host)
        let path = "/hooks/\(sender.provider)"
        let body = Array(sender.body(host.repository, commit).utf8)
        let secret = Array(sender.secret.utf8)
        func deliver(_ id: String, secret: [UInt8], time: Int64) throws -> HTTPClient.Answer {
            try server.request(
                "POST", path, headers: sender.headers(id, body, secret, time), body: body)
        }
        for wrong in [[], Array("another".utf8)] as [[UInt8]] {
            #expect(try deliver("bad", secret: wrong, time: now()).status == 403)
        }
        let first = try deliver("d1", secret: secret, time: now())
        #expect(first.status == 202, "\(first.text)")
        try host.wait("for the history") {
            try host.gitops("logs", "--name", "site").stdout.contains("success")
        }
        let again = try deliver("d1", secret: secret, time: now())
        #expect(again.status == 200)
        #expect(again.text.contains("duplicate"))
        #expect(try deliver("d2", secret: secret, time: now()).status == 202)
        let logs = try host.gitops("logs", "--name", "site").stdout
        #expect(logs.contains("webhook (\(sender.provider))"))
    }

    @Test("a delivery whose attempt failed is taken again under the same id", arguments: senders)
    fileprivate func redelivery(sender: Sender) throws {
        let host = try Host()
        try Files.replace("\(host.directory)/secret", with: sender.secret.utf8, mode: 0o600)
        try host.createSite(provider: sender.provider)
        let commit = try host.commit("broken", files: ["broken": ""])
        let server = try Serve(host)
        let body = Array(sender.body(host.repository, commit).utf8)
        func deliver() throws -> Int {
            try server.request(
                "POST", "/hooks/\(sender.provider)",
                headers: sender.headers("d1", body, Array(sender.secret.utf8), now()), body: body
            ).status
        }
        try host.close(gate: "start")
        #expect(try deliver() == 202)
        // In flight.
        #expect(try deliver() == 200)
        try host.open(gate: "start")
        try host.wait("for the failure") {
            try host.gitops("logs", "--name", "site").stdout.contains("failed")
        }
        #expect(try deliver() == 202)
    }

    @Test("a signed delivery of GitLab is refused when it comes again after five minutes")
    func replay() throws {
        let sender = try #require(senders.first { $0.secret.hasPrefix("whsec_") })
        let host = try Host()
        try Files.replace("\(host.directory)/secret", with: sender.secret.utf8, mode: 0o600)
        try host.createSite(provider: "gitlab")
        let server = try Serve(host)
        let body = Array(sender.body(host.repository, try host.git("rev-parse", "HEAD")).utf8)
        for (offset, status) in [(-301, 403), (302, 403), (-290, 202)] as [(Int64, Int)] {
            let headers = sender.headers("d\(offset)", body, Array(sender.secret.utf8), now() + offset)
            let answer = try server.request("POST", "/hooks/gitlab", headers: headers, body: body)
            #expect(answer.status == status, "\(offset) s")
        }
    }

    @Test("forms are taken from the providers that send them and are 415 from the others")
    func forms() throws {
        let host = try Host()
        let server = try Serve(host)
        let form = [("Content-Type", "application/x-www-form-urlencoded")]
        for (provider, status) in [
            ("github", 403), ("gitea", 403), ("forgejo", 403), ("gitlab", 415), ("bitbucket", 415),
            ("generic", 415),
        ] {
            let answer = try server.request("POST", "/hooks/\(provider)", headers: form, body: [1])
            #expect(answer.status == status, "\(provider)")
        }
    }

    @Test("a signing token that is not whole is refused when the pipeline is created")
    func brokenSigningToken() throws {
        let host = try Host()
        let result = try host.gitops(
            "create", "--name", "a", "--repo", "https://git.example.invalid/a.git", "--provider", "gitlab",
            "--branch", "main", "--workload", "a", "--secret", "whsec_MfKQ9")
        #expect(result.status == 64)
        #expect(result.stderr.contains("base 64"))
        #expect(!result.stderr.contains("MfKQ9"))
    }
}
