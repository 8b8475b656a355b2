public import VoltCore
internal import VoltHTTP

/// A bucket, and who asks for what is in it; for any number of threads, each with a client of its own.
public struct S3Bucket: Sendable, CustomStringConvertible {
    /// Who asks.
    public struct Account: Sendable {
        /// The name of the key.
        public var keyID: String
        /// The key.
        public var secret: String
        /// What goes with a key that was lent for a time.
        public var sessionToken: String?

        /// - Parameters: see the properties.
        public init(keyID: String, secret: String, sessionToken: String? = nil) {
            self.keyID = keyID
            self.secret = secret
            self.sessionToken = sessionToken
        }
    }

    /// The server, such as `https://s3.eu-central-1.amazonaws.com`.
    public let endpoint: String
    /// Such as `eu-central-1`.
    public let region: String
    /// The name of the bucket.
    public let name: String
    /// With what the names of all objects begin; empty, or with a slash at its end.
    public let prefix: String
    let account: Account
    let certificates: [UInt8]?

    /// - Parameters:
    ///   - location: `s3://BUCKET[/PREFIX]`.
    ///   - endpoint: the server; nil for that of Amazon's region.
    ///   - region: which one.
    ///   - account: who asks.
    ///   - caFile: a PEM file with authorities to trust in place of those of the system.
    /// - Throws: `VoltError` with code `usage`.
    public init(
        _ location: String, endpoint: String?, region: String, account: Account, caFile: String? = nil
    ) throws(VoltError) {
        let rest = location.hasPrefix("s3://") ? location.dropFirst(5) : ""
        let parts = rest.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        guard let bucket = parts.first, (3...63).contains(bucket.utf8.count), bucket.allSatisfy(Self.isName)
        else {
            throw VoltError(
                .usage, "'\(location)' is no bucket", hint: "write s3://BUCKET or s3://BUCKET/PREFIX")
        }
        let folders = parts.count > 1 ? parts[1].split(separator: "/").map(String.init) : []
        guard
            folders.allSatisfy({ folder in
                folder != "." && folder != ".." && folder.utf8.count <= 200
                    && folder.allSatisfy { Self.isName($0) || $0 == "_" || $0.isASCII && $0.isUppercase }
            })
        else {
            throw VoltError(
                .usage, "the prefix of '\(location)' has other letters than A-Z, a-z, 0-9, '.', '_' and '-'")
        }
        guard !region.isEmpty, region.allSatisfy({ Self.isName($0) && $0 != "." }) else {
            throw VoltError(.usage, "'\(region)' is no region", hint: "write it as us-east-1")
        }
        let url = try WebURL(endpoint ?? "https://s3.\(region).amazonaws.com")
        guard url.target == "/", url.user == nil else {
            throw VoltError(.usage, "'\(url)' is more than a server", hint: "write https://HOST[:PORT]")
        }
        self.endpoint = url.origin
        self.region = region
        name = String(bucket)
        prefix = folders.isEmpty ? "" : folders.joined(separator: "/") + "/"
        self.account = account
        certificates = try WebClient.Settings(caFile: caFile).certificates
    }

    private static func isName(_ letter: Character) -> Bool {
        letter.isASCII && (letter.isLowercase || letter.isNumber) || letter == "-" || letter == "."
    }

    /// `s3://BUCKET/PREFIX`.
    public var description: String { "s3://\(name)/\(prefix)" }
}
