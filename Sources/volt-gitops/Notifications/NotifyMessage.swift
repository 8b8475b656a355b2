internal import FoundationEssentials
internal import VoltCore
internal import VoltCrypto

/// A message to one target.
public struct NotifyMessage: Sendable {
    private let notification: Notification
    private let source: NotificationSource
    /// The same whenever the message is sent again.
    private let id: String

    /// - Parameter id: names the message; a receiver that has seen it drops it.
    public init(_ notification: Notification, _ source: NotificationSource, id: String) {
        self.notification = notification
        self.source = source
        self.id = id
    }

    /// The request for an address.
    ///
    /// - Parameters:
    ///   - secret: signs the message of a webhook; nil for none.
    ///   - now: seconds since 1970, for the signature.
    public func request(_ kind: NotifyKind, address: String, secret: [UInt8]?, now: Int64, path: String)
        -> NotifyRequest
    {
        var request = NotifyRequest()
        switch kind {
        case .webhook: request.web = webhook(address, secret: secret, now: now)
        case .slack: request.web = json(address, ["text": slackText])
        case .discord: request.web = discord(address)
        case .ntfy: request.web = ntfy(address)
        case .email: request.mail = NotifyRequest.Mail(path: path, text: mail(to: address, now: now))
        }
        return request
    }

    /// The documented JSON, see docs/gitops-notify.md.
    private struct Payload: Encodable {
        let version = 1
        let id: String
        let event: String
        let pipeline: String
        let workload: String
        let repository: String
        let branch: String
        let host: String
        let attempt: Int64?
        let commit: String?
        let note: String
        let at: Timestamp
    }

    /// Signed as Standard Webhooks has it: HMAC-SHA256 over `id.timestamp.body`.
    private func webhook(_ address: String, secret: [UInt8]?, now: Int64) -> NotifyRequest.Web {
        let payload = Payload(
            id: id, event: notification.kind.rawValue, pipeline: source.pipeline, workload: source.workload,
            repository: source.repository, branch: source.branch, host: source.host,
            attempt: notification.attempt, commit: notification.commit,
            note: notification.reason(limit: 1000), at: notification.at)
        var web = json(address, payload)
        web.headers += [
            NotifyRequest.Field("webhook-id", id), NotifyRequest.Field("webhook-timestamp", String(now)),
        ]
        if let secret {
            let code = HMAC.sha256(key: Self.key(secret), message: Array("\(id).\(now).\(web.body)".utf8))
            web.headers.append(NotifyRequest.Field("webhook-signature", "v1,\(Base64.encode(code))"))
        }
        return web
    }

    /// `whsec_` and base 64 as Standard Webhooks has it, or the bytes themselves.
    static func key(_ secret: [UInt8]) -> [UInt8] {
        let text = String(decoding: secret, as: UTF8.self)
        guard text.hasPrefix("whsec_") else { return secret }
        return Base64.decode(text.dropFirst("whsec_".count)) ?? secret
    }

    private func json(_ address: String, _ value: some Encodable) -> NotifyRequest.Web {
        var web = NotifyRequest.Web(url: address)
        web.headers = [NotifyRequest.Field("Content-Type", "application/json")]
        // Texts and numbers always encode.
        web.body = String(decoding: (try? NotifyStream.encode(value)) ?? [], as: UTF8.self)
        return web
    }

    private var text: String {
        let reason = notification.reason(limit: 1000)
        return reason.isEmpty ? notification.headline(source) : "\(notification.headline(source))\n\(reason)"
    }

    /// Slack reads `<!channel>` and links from angle brackets.
    private var slackText: String {
        text.replacing("&", with: "&amp;").replacing("<", with: "&lt;").replacing(">", with: "&gt;")
    }

    private struct Discord: Encodable {
        struct Mentions: Encodable { let parse: [String] = [] }
        let content: String
        /// Nobody is called by what a commit says.
        let allowedMentions = Mentions()

        enum CodingKeys: String, CodingKey {
            case content
            case allowedMentions = "allowed_mentions"
        }
    }

    private func discord(_ address: String) -> NotifyRequest.Web {
        json(address, Discord(content: String(text.prefix(2000))))
    }

    private func ntfy(_ address: String) -> NotifyRequest.Web {
        var web = NotifyRequest.Web(url: address)
        web.headers = [
            NotifyRequest.Field("Content-Type", "text/plain; charset=utf-8"),
            NotifyRequest.Field("Title", "volt: \(source.pipeline)"),
            NotifyRequest.Field("Tags", notification.kind.isBad ? "rotating_light" : "white_check_mark"),
            NotifyRequest.Field("Priority", notification.kind.isBad ? "high" : "default"),
        ]
        web.body = text
        return web
    }

    /// A mail (RFC 5322); the subject has no line end, and what is not ASCII is encoded (RFC 2047).
    private func mail(to address: String, now: Int64) -> String {
        let subject = notification.headline(source)
        let encoded =
            subject.utf8.allSatisfy { $0 < 128 }
            ? subject : Self.encodedWords(subject)
        let commit = notification.commit ?? "not known"
        return """
            To: \(address)
            Subject: \(encoded)
            Message-ID: <\(id)@\(source.host)>
            Auto-Submitted: auto-generated
            MIME-Version: 1.0
            Content-Type: text/plain; charset=utf-8
            Content-Transfer-Encoding: base64

            \(Self.folded(Base64.encode(Array(
                """
                \(subject)

                \(notification.reason(limit: 1000))

                repository  \(source.repository)
                branch      \(source.branch)
                commit      \(commit)
                workload    \(source.workload)
                time        \(notification.at)

                """.utf8)), width: 76))

            """
    }

    /// Words of at most 75 characters, each of whole UTF-8 characters.
    private static func encodedWords(_ text: String) -> String {
        var words: [String] = []
        var part = ""
        for character in text {
            if part.utf8.count + String(character).utf8.count > 42 {
                words.append(part)
                part = ""
            }
            part.append(character)
        }
        words.append(part)
        return words.map { "=?utf-8?B?\(Base64.encode(Array($0.utf8)))?=" }.joined(separator: "\n ")
    }

    private static func folded(_ text: String, width: Int) -> String {
        var lines: [Substring] = []
        var rest = text[...]
        while !rest.isEmpty {
            lines.append(rest.prefix(width))
            rest = rest.dropFirst(width)
        }
        return lines.joined(separator: "\n")
    }
}
