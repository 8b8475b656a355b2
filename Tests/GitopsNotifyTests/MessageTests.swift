import GitopsNotifications
import Testing
import VoltCore
import VoltCrypto

@Suite struct MessageTests {
    private func request(
        _ kind: NotifyKind, _ notification: Notification, address: String = "https://a.example/x",
        secret: [UInt8]? = nil
    ) -> NotifyRequest {
        NotifyMessage(notification, source, id: "volt-1-2")
            .request(kind, address: address, secret: secret, now: 1_752_507_002, path: "/usr/sbin")
    }

    /// What a hostile author can write into a commit.
    private let hostile = "<!channel> & @everyone\r\nBcc: all@example\u{1b}[31m \u{202E}evil </script>"

    @Test("a webhook is the documented JSON, signed as Standard Webhooks has it")
    func webhook() throws {
        let key = Array("0123456789abcdef".utf8)
        for secret in [key, Array("whsec_\(Base64.encode(key))".utf8)] {
            let web = try #require(request(.webhook, notification(.failed), secret: secret).web)
            #expect(
                web.body == """
                    {"at":"2025-07-14T15:30:01.000Z","attempt":7,"branch":"main","commit":"\(commit)",\
                    "event":"failed","host":"host1","id":"volt-1-2","note":"webhook (github)",\
                    "pipeline":"site","repository":"https://git.example/team/site.git","version":1,\
                    "workload":"web"}
                    """)
            let headers = Dictionary(uniqueKeysWithValues: web.headers.map { ($0.name, $0.value) })
            let code = HMAC.sha256(key: key, message: Array("volt-1-2.1752507002.\(web.body)".utf8))
            #expect(headers["webhook-id"] == "volt-1-2" && headers["webhook-timestamp"] == "1752507002")
            #expect(headers["webhook-signature"] == "v1,\(Base64.encode(code))")
        }
        #expect(
            request(.webhook, notification(.failed)).web?.headers.contains { $0.name == "webhook-signature" }
                == false)
    }

    @Test("chats show a hostile note as text on one line and call nobody")
    func chats() throws {
        let bad = notification(.failed, note: hostile)
        let slack = try #require(request(.slack, bad).web)
        #expect(
            slack.body
                == #"{"text":"site on host1: deploy of 0123456 (main) failed\n&lt;!channel&gt; &amp; @everyone  Bcc: all@example [31m  evil &lt;/script&gt;"}"#
        )
        let discord = try #require(request(.discord, bad).web)
        #expect(discord.body.contains(#""allowed_mentions":{"parse":[]}"#))
        let long = try #require(
            request(.discord, notification(.failed, note: String(repeating: "é", count: 5000))).web)
        #expect(long.body.count < 1300)
        let ntfy = try #require(request(.ntfy, bad).web)
        #expect(ntfy.body.split(separator: "\n").count == 2)
        #expect(ntfy.headers.allSatisfy { $0.value.utf8.allSatisfy { $0 >= 32 && $0 < 127 } })
        #expect(ntfy.headers.contains { $0.name == "Priority" && $0.value == "high" })
    }

    @Test("a mail has one header and a body in base 64, whatever the note holds")
    func mail() throws {
        var odd = source
        odd.branch = "gefährlich\r\nBcc: x@y"
        let text = try #require(
            NotifyMessage(notification(.held, note: hostile), odd, id: "volt-1-2")
                .request(.email, address: "ops@example.org", secret: nil, now: 0, path: "/usr/sbin").mail
        ).text
        let parts = text.split(separator: "\n\n", maxSplits: 1)
        let head = parts[0].split(separator: "\n")
        #expect(head.first == "To: ops@example.org")
        #expect(!head.contains { $0.lowercased().hasPrefix("bcc") })
        #expect(head.allSatisfy { $0.utf8.allSatisfy { $0 >= 32 && $0 < 127 } && $0.utf8.count <= 90 })
        #expect(head.contains { $0.hasPrefix("Subject: =?utf-8?B?") })
        let body = try #require(Base64.decode(parts[1].filter { $0 != "\n" }))
        #expect(String(decoding: body, as: UTF8.self).contains("commit      \(commit)"))
    }

    @Test(
        "an address says how it is written to",
        arguments: [
            ("https://example.org/hook", .webhook, "https://example.org/hook"),
            ("https://hooks.slack.com/services/T/B/x", .slack, "https://hooks.slack.com/services/T/B/x"),
            ("https://discord.com/api/webhooks/1/x", .discord, "https://discord.com/api/webhooks/1/x"),
            ("https://ntfy.sh/topic", .ntfy, "https://ntfy.sh/topic"),
            ("ntfy+https://push.example/t", .ntfy, "https://push.example/t"),
            ("slack+http://127.0.0.1:1/x", .slack, "http://127.0.0.1:1/x"),
            ("webhook+https://hooks.slack.com/x", .webhook, "https://hooks.slack.com/x"),
            ("mailto:ops+volt@example.org", .email, "ops+volt@example.org"),
        ] as [(String, NotifyKind, String)])
    func addresses(text: String, kind: NotifyKind, address: String) throws {
        let parsed = try NotifyAddress(text)
        #expect(parsed.kind == kind && parsed.text == address)
    }

    @Test(
        "an address that is not understood is refused",
        arguments: [
            "", "ops@example.org", "ftp://x/", "email+https://x/", "mailto:", "mailto:a", "mailto:a@b,c@d",
            "mailto:a@b c", "mailto:-oQ/tmp@b", "mailto:a@b\nBcc: c@d", "pager+https://x/",
            "https://x/\u{1}",
        ])
    func badAddresses(text: String) {
        let error = #expect(throws: VoltError.self) { try NotifyAddress(text) }
        #expect(error?.code == .usage)
    }
}
