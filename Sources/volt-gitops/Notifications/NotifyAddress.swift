public import VoltCore

/// What `--notify` takes: `slack+https://…`, `https://…`, `mailto:ops@host`.
public struct NotifyAddress: Sendable, Equatable {
    /// The dialect.
    public let kind: NotifyKind
    /// A URL of http or https, or a mail address.
    public let text: String

    /// Parses an address. A URL without a kind is that of a chat when its host is a known one, else a webhook.
    ///
    /// - Throws: `VoltError` with code `usage`; the text, which may be a secret, is not repeated.
    public init(_ source: String) throws(VoltError) {
        let failure = VoltError(
            .usage, "an address to notify is not understood",
            hint: "write https://…, slack+https://…, discord+https://…, ntfy+https://… or mailto:name@host")
        guard source.utf8.allSatisfy({ $0 > 32 && $0 != 127 }) else { throw failure }
        if source.hasPrefix("mailto:") {
            let address = String(source.dropFirst("mailto:".count))
            guard Self.isMail(address) else {
                throw VoltError(.usage, "'\(address)' is no mail address", hint: "write mailto:name@host")
            }
            (kind, text) = (.email, address)
            return
        }
        if let plus = source.firstIndex(of: "+"), let kind = NotifyKind(rawValue: String(source[..<plus])),
            kind != .email
        {
            let url = String(source[source.index(after: plus)...])
            guard Self.isWeb(url) else { throw failure }
            (self.kind, text) = (kind, url)
            return
        }
        guard Self.isWeb(source) else { throw failure }
        let known: [(String, NotifyKind)] = [
            ("https://hooks.slack.com/", .slack), ("https://discord.com/api/webhooks/", .discord),
            ("https://ntfy.sh/", .ntfy),
        ]
        (kind, text) = (known.first { source.hasPrefix($0.0) }?.1 ?? .webhook, source)
    }

    private static func isWeb(_ text: String) -> Bool {
        text.hasPrefix("https://") || text.hasPrefix("http://")
    }

    /// One address of the simple form; sendmail(8) reads lists and names in brackets from the same line.
    private static func isMail(_ text: String) -> Bool {
        let parts = text.split(separator: "@", omittingEmptySubsequences: false)
        let allowed = { (byte: UInt8) in
            (48...57).contains(byte) || (65...90).contains(byte) || (97...122).contains(byte)
                || "._+-=".utf8.contains(byte)
        }
        return parts.count == 2 && parts.allSatisfy { !$0.isEmpty && $0.utf8.allSatisfy(allowed) }
            && !text.hasPrefix("-") && text.utf8.count <= 254
    }
}
