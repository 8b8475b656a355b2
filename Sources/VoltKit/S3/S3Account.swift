public import VoltCore
internal import VoltSystem

extension S3Bucket.Account {
    /// Who asks, as other clients of S3 are told: by `AWS_ACCESS_KEY_ID` and `AWS_SECRET_ACCESS_KEY`, else by the profile
    /// `AWS_PROFILE`, or `default`, of the file `AWS_SHARED_CREDENTIALS_FILE`, or `~/.aws/credentials`.
    ///
    /// - Throws: `VoltError` with code `usage`.
    public init(environment: [String: String]) throws(VoltError) {
        if let keyID = environment["AWS_ACCESS_KEY_ID"], let secret = environment["AWS_SECRET_ACCESS_KEY"],
            !keyID.isEmpty, !secret.isEmpty
        {
            self.init(keyID: keyID, secret: secret, sessionToken: environment["AWS_SESSION_TOKEN"])
            return
        }
        let hint = "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or write them into ~/.aws/credentials"
        guard
            let path = environment["AWS_SHARED_CREDENTIALS_FILE"]
                ?? environment["HOME"].map({ "\($0)/.aws/credentials" }), Files.exists(path)
        else { throw VoltError(.usage, "nothing says who asks for the bucket", hint: hint) }
        let profile = environment["AWS_PROFILE"] ?? "default"
        let fields = Self.profile(try Files.read(path, limit: 1 << 20), profile)
        guard let keyID = fields["aws_access_key_id"], let secret = fields["aws_secret_access_key"] else {
            throw VoltError(.usage, "'\(path)' has no key and secret in profile '\(profile)'", hint: hint)
        }
        self.init(keyID: keyID, secret: secret, sessionToken: fields["aws_session_token"])
    }

    /// The fields of a profile.
    static func profile(_ bytes: [UInt8], _ name: String) -> [String: String] {
        var fields: [String: String] = [:]
        var isMeant = false
        for line in String(decoding: bytes, as: UTF8.self).split(whereSeparator: \.isNewline) {
            let text = line.drop { $0 == " " || $0 == "\t" }
            if text.hasPrefix("#") || text.hasPrefix(";") { continue }
            if text.hasPrefix("["), let end = text.firstIndex(of: "]") {
                isMeant = text[text.index(after: text.startIndex)..<end].filter { $0 != " " } == name
            } else if isMeant, let mark = text.firstIndex(of: "=") {
                fields[text[..<mark].filter { !$0.isWhitespace }.lowercased()] =
                    text[text.index(after: mark)...].filter { !$0.isWhitespace }
            }
        }
        return fields
    }
}
