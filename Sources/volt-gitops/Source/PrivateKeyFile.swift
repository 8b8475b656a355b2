internal import VoltCrypto

/// What can be told of a private key without its passphrase.
public enum PrivateKeyFile {
    /// The largest file that is looked at, in bytes.
    public static let longest = 64 << 10

    /// Whether a file holds an RSA key: PEM of OpenSSL, or OpenSSH's own format (PROTOCOL.key).
    public static func isRSA(_ bytes: [UInt8]) -> Bool {
        let lines = String(decoding: bytes, as: UTF8.self).split(whereSeparator: \.isNewline)
        guard let first = lines.first else { return false }
        if first == "-----BEGIN RSA PRIVATE KEY-----" { return true }
        guard first == "-----BEGIN OPENSSH PRIVATE KEY-----",
            let data = Base64.decode(lines.dropFirst().prefix { !$0.hasPrefix("-----") }.joined())
        else { return false }
        // The magic, then cipher, KDF and its options as strings, the number of keys, and the public key.
        let magic = Array("openssh-key-v1\0".utf8)
        guard data.starts(with: magic) else { return false }
        var rest = data.dropFirst(magic.count)
        func number() -> Int? {
            guard rest.count >= 4 else { return nil }
            defer { rest = rest.dropFirst(4) }
            return rest.prefix(4).reduce(0) { $0 << 8 | Int($1) }
        }
        for _ in 0..<3 {
            guard let count = number(), rest.count >= count else { return false }
            rest = rest.dropFirst(count)
        }
        guard number() != nil, let count = number(), rest.count >= count else { return false }
        return KnownHosts.type(of: Array(rest.prefix(count))) == "ssh-rsa"
    }
}
