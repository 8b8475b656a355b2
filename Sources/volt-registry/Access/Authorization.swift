internal import VoltCrypto

/// What an Authorization header says (RFC 9110, section 11.6.2).
enum Authorization: Sendable, Equatable {
    /// Name and password.
    struct Login: Sendable, Equatable {
        let user: String
        let password: [UInt8]
    }

    /// No header, or Basic with neither name nor password: what skopeo sends when it has none.
    case none
    /// RFC 7617.
    case basic(Login)
    /// RFC 6750; the token as it stands.
    case bearer(String)
    /// Something else. The reason does not show the header.
    case malformed(String)

    /// The longest header, in bytes: a token of 16 KiB with its scheme.
    static let longest = 17 << 10

    init(_ header: String?) {
        guard let header, !header.isEmpty else {
            self = .none
            return
        }
        guard header.utf8.count <= Self.longest else {
            self = .malformed("the Authorization header is too long")
            return
        }
        let parts = header.utf8.split(separator: 32, maxSplits: 1)
        let scheme = parts.first.map { String(decoding: $0, as: UTF8.self).lowercased() }
        guard parts.count == 2, let scheme else {
            self = .malformed("the Authorization header lacks a scheme or what follows it")
            return
        }
        var rest = Array(parts[1].drop { $0 == 32 })
        while rest.last == 32 { rest.removeLast() }
        switch scheme {
        case "basic": self = Self.basic(rest)
        case "bearer":
            // The letters of a token (RFC 6750, section 2.1).
            let isToken = rest.allSatisfy {
                (48...57).contains($0) || (65...90).contains($0) || (97...122).contains($0)
                    || [45, 46, 95, 126, 43, 47, 61].contains($0)
            }
            self =
                isToken && !rest.isEmpty
                ? .bearer(String(decoding: rest, as: UTF8.self)) : .malformed("the token is malformed")
        default: self = .malformed("the Authorization header is neither Basic nor Bearer")
        }
    }

    private static func basic(_ text: [UInt8]) -> Authorization {
        guard let bytes = Base64.decode(String(decoding: text, as: UTF8.self)),
            let colon = bytes.firstIndex(of: 58),
            let user = String(validating: bytes[..<colon], as: UTF8.self)
        else { return .malformed("the name and password are malformed") }
        let password = Array(bytes[(colon + 1)...])
        if user.isEmpty, password.isEmpty { return .none }
        guard Htpasswd.isName(user) else { return .malformed("the name and password are malformed") }
        return .basic(Login(user: user, password: password))
    }
}
