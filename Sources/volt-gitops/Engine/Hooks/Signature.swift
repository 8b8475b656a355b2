internal import VoltCore
internal import VoltCrypto

/// Signatures of webhook bodies.
enum Signature {
    /// Whether a header is `sha256=` and the HMAC-SHA256 of the body in 64 lower-case hex digits; any
    /// other algorithm, case or length is refused.
    static func isSHA256(_ header: String?, of body: [UInt8], secret: [UInt8]) -> Bool {
        guard let header, header.utf8.count == 71, header.hasPrefix("sha256="), !secret.isEmpty,
            let given = Hex.decode(header.dropFirst(7))
        else { return false }
        return ConstantTime.equal(given, HMAC.sha256(key: secret, message: body))
    }

    /// Whether a token is the secret; digests of both are compared, so that the time tells nothing of
    /// either, their lengths included.
    static func isToken(_ header: String?, secret: [UInt8]) -> Bool {
        guard let header, !header.isEmpty, !secret.isEmpty else { return false }
        return ConstantTime.equal(
            Array(SHA256Hasher.digest(of: header.utf8).hex.utf8),
            Array(SHA256Hasher.digest(of: secret).hex.utf8))
    }

    /// Standard Webhooks: `v1,<base64>` of the HMAC over `id.timestamp.body`, one or more in the header
    /// separated by spaces; the time may be five minutes off.
    static func isStandard(
        _ header: String, id: String?, timestamp: String?, of body: [UInt8], secret: [UInt8], now: Int64
    ) -> Bool {
        guard let id, let timestamp, let sent = Int64(timestamp), sent > 0, abs(now - sent) <= 300,
            !secret.isEmpty
        else { return false }
        var key = secret
        let prefix = Array("whsec_".utf8)
        if secret.starts(with: prefix) {
            guard let decoded = Base64.decode(String(decoding: secret.dropFirst(prefix.count), as: UTF8.self))
            else {
                return false
            }
            key = decoded
        }
        let expected = HMAC.sha256(key: key, message: Array("\(id).\(timestamp).".utf8) + body)
        var matches = false
        for part in header.split(separator: " ").prefix(16) where part.hasPrefix("v1,") {
            guard let given = Base64.decode(String(part.dropFirst(3))) else { continue }
            if ConstantTime.equal(given, expected) { matches = true }
        }
        return matches
    }
}
