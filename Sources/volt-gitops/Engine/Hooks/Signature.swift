internal import VoltCore
internal import VoltCrypto

/// Signatures of webhook bodies.
package enum Signature {
    /// Whether a header is `sha256=` and the HMAC-SHA256 of the body in 64 lower-case hex digits; any
    /// other algorithm, case or length is refused.
    package static func isSHA256(_ header: String?, of body: [UInt8], secret: [UInt8]) -> Bool {
        guard let header, header.utf8.count == 71, header.hasPrefix("sha256="), !secret.isEmpty,
            let given = Hex.decode(header.dropFirst(7))
        else { return false }
        return ConstantTime.equal(given, HMAC.sha256(key: secret, message: body))
    }

    /// Whether a token is the secret; digests of both are compared, so that the time tells nothing of
    /// either, their lengths included.
    package static func isToken(_ header: String?, secret: [UInt8]) -> Bool {
        guard let header, !header.isEmpty, !secret.isEmpty else { return false }
        return ConstantTime.equal(
            Array(SHA256Hasher.digest(of: header.utf8).hex.utf8),
            Array(SHA256Hasher.digest(of: secret).hex.utf8))
    }

    /// Seconds by which the time of a signature may be off (Standard Webhooks, "Verifying webhook
    /// authenticity").
    static let window: Int64 = 300

    /// The key that a secret stands for: what follows `whsec_` is its base 64, any other secret is the key
    /// itself. Nil for a key that is empty or not base 64, which verifies nothing.
    static func standardKey(_ secret: [UInt8]) -> [UInt8]? {
        let prefix = Array("whsec_".utf8)
        guard secret.starts(with: prefix) else { return secret.isEmpty ? nil : secret }
        let key = Base64.decode(String(decoding: secret.dropFirst(prefix.count), as: UTF8.self))
        return key?.isEmpty == true ? nil : key
    }

    /// Standard Webhooks: `v1,<base64>` of the HMAC over `id.timestamp.body`, one or more in the header
    /// separated by spaces; the time may be five minutes off.
    package static func isStandard(
        _ header: String?, id: String?, timestamp: String?, of body: [UInt8], secret: [UInt8], now: Int64
    ) -> Bool {
        guard let header, let id, !id.isEmpty, let timestamp, let sent = Int64(timestamp), sent > 0,
            now > 0, abs(sent - now) <= window, let key = standardKey(secret)
        else { return false }
        let expected = HMAC.sha256(key: key, message: Array("\(id).\(timestamp).".utf8) + body)
        var matches = false
        for part in header.split(separator: " ").prefix(16) where part.hasPrefix("v1,") {
            guard let given = Base64.decode(String(part.dropFirst(3))) else { continue }
            if ConstantTime.equal(given, expected) { matches = true }
        }
        return matches
    }
}
