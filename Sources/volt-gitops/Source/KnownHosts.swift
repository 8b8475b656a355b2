internal import VoltCore
internal import VoltCrypto

/// Pinned host keys, in the format of known_hosts (sshd(8), SSH_KNOWN_HOSTS FILE FORMAT).
///
/// Plain and hashed names, `[host]:port`, patterns with `*`, `?` and `!`, several keys a host and
/// `@revoked` are read. `@cert-authority` lines are passed over: libssh2 does not show certificates.
public struct KnownHosts: Sendable {
    /// How a key stands to the pinned ones.
    public enum Verdict: Sendable, Equatable {
        /// The key is pinned for the host.
        case pinned
        /// Other keys are pinned for the host; their types.
        case differs(types: [String])
        /// No key is pinned for the host.
        case unknown
        /// The key is marked as stolen.
        case revoked
    }

    private struct Entry {
        var patterns: [String]
        var isRevoked: Bool
        var type: String
        var key: [UInt8]
    }

    private let entries: [Entry]

    /// The largest file that is read, in bytes.
    public static let longest = 1 << 20

    /// Reads the lines of a file; a line that is none of the format is passed over, as ssh(1) does.
    public init(_ text: String) {
        entries = text.split(whereSeparator: \.isNewline).prefix(20_000).compactMap { line in
            var words = line.split(whereSeparator: { $0 == " " || $0 == "\t" }).map(String.init)
            guard let first = words.first, !first.hasPrefix("#") else { return nil }
            var isRevoked = false
            if first.hasPrefix("@") {
                guard first == "@revoked" else { return nil }
                isRevoked = true
                words.removeFirst()
            }
            guard words.count >= 3, let key = Base64.decode(words[2]), Self.type(of: key) == words[1] else {
                return nil
            }
            let patterns = words[0].split(separator: ",").map(String.init)
            return Entry(patterns: patterns, isRevoked: isRevoked, type: words[1], key: key)
        }
    }

    /// Looks up a key that a host showed.
    ///
    /// - Parameters:
    ///   - host: the name as it was asked for.
    ///   - port: the port that was asked.
    ///   - key: the key as SSH sends it.
    public func verdict(host: String, port: Int, key: [UInt8]) -> Verdict {
        let name = Self.name(host: host, port: port)
        let here = entries.filter { Self.matches($0.patterns, name) }
        if here.contains(where: { $0.isRevoked && $0.key == key }) { return .revoked }
        let keys = here.filter { !$0.isRevoked }
        if keys.isEmpty { return .unknown }
        return keys.contains { $0.key == key } ? .pinned : .differs(types: keys.map(\.type))
    }

    /// The keys that are pinned for a host, one a line, with its name in the place of patterns and hashes.
    public func lines(host: String, port: Int) -> String {
        let name = Self.name(host: host, port: port)
        let here = entries.filter { !$0.isRevoked && Self.matches($0.patterns, name) }
        return here.map { "\(name) \($0.type) \(Base64.encode($0.key))\n" }.joined()
    }

    /// The name of a host in such a file: `[host]:port` for any port but 22.
    public static func name(host: String, port: Int) -> String {
        port == 22 ? host.lowercased() : "[\(host.lowercased())]:\(port)"
    }

    /// A line of such a file, without its line feed.
    ///
    /// - Parameter name: as `name(host:port:)` gives it.
    public static func line(_ name: String, key: [UInt8]) -> String {
        "\(name) \(type(of: key) ?? "unknown") \(Base64.encode(key))"
    }

    /// The type a key says it has: its first string (RFC 4253, section 6.6).
    public static func type(of key: [UInt8]) -> String? {
        guard key.count > 4 else { return nil }
        let length = key[..<4].reduce(0) { $0 << 8 | Int($1) }
        guard length > 0, length <= 64, key.count >= 4 + length else { return nil }
        return String(validating: key[4..<4 + length], as: UTF8.self)
    }

    /// The fingerprint as ssh-keygen(1) prints it: `SHA256:` and base 64 without padding.
    public static func fingerprint(of key: [UInt8]) -> String {
        let hasher = SHA256Hasher()
        hasher.update(key)
        var text = Base64.encode(hasher.finishBytes())
        while text.hasSuffix("=") { text.removeLast() }
        return "SHA256:\(text)"
    }

    private static func matches(_ patterns: [String], _ name: String) -> Bool {
        var found = false
        for pattern in patterns {
            if pattern.hasPrefix("|") {
                found = found || hashed(pattern, matches: name)
            } else if pattern.hasPrefix("!") {
                if isGlob(pattern.dropFirst(), of: name) { return false }
            } else if isGlob(pattern, of: name) {
                found = true
            }
        }
        return found
    }

    /// `*` and `?` as in ssh_config(5).
    private static func isGlob(_ pattern: some StringProtocol, of name: String) -> Bool {
        Glob.matches(Array(pattern.lowercased().utf8), Array(name.utf8), signs: .one)
    }

    /// `|1|salt|hash`: HMAC with SHA-1 of the name.
    private static func hashed(_ pattern: String, matches name: String) -> Bool {
        let parts = pattern.split(separator: "|", omittingEmptySubsequences: false)
        guard parts.count == 4, parts[1] == "1", let salt = Base64.decode(parts[2]),
            let hash = Base64.decode(parts[3])
        else { return false }
        return HMAC.sha1(key: salt, message: name.utf8) == hash
    }
}
