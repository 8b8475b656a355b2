internal import FoundationEssentials
public import VoltCore

/// What `volt-gitops--notify` is asked on stdin, as one JSON object. Secrets are in it: stdin is a pipe.
public struct NotifyRequest: Codable, Sendable, Equatable {
    /// A header field.
    public struct Field: Codable, Sendable, Equatable {
        /// The name.
        public var name: String
        /// The value.
        public var value: String

        /// - Parameters: see the properties.
        public init(_ name: String, _ value: String) {
            self.name = name
            self.value = value
        }
    }
    /// A request over http or https.
    public struct Web: Codable, Sendable, Equatable {
        /// `POST`, or `GET`.
        public var method = "POST"
        /// Where to; a user and a password in it are left out.
        public var url: String
        /// Header fields.
        public var headers: [Field] = []
        /// Header fields that no other origin gets.
        public var secretHeaders: [Field] = []
        /// The body.
        public var body = ""
        /// Whether `http://` to other hosts than this one is allowed.
        public var allowsHTTP = false
        /// A file with certificates to trust.
        public var caFile: String?
        /// A proxy.
        public var proxy: String?

        /// - Parameter url: where to.
        public init(url: String) { self.url = url }
    }
    /// A mail, handed to sendmail(8).
    public struct Mail: Codable, Sendable, Equatable {
        /// The directories to look in.
        public var path: String
        /// Header and body, with plain line ends.
        public var text: String

        /// - Parameters: see the properties.
        public init(path: String, text: String) {
            self.path = path
            self.text = text
        }
    }
    /// What to do; exactly one of the three is given.
    public var web: Web?
    /// A mail to send.
    public var mail: Mail?
    /// A URL to look at, without asking the server.
    public var check: String?
    /// Milliseconds the whole may take.
    public var limit: Int64 = 20_000

    /// An empty request.
    public init() {}

    /// The largest request, in bytes.
    public static let longest = 256 << 10
}

/// The helper's answer, one line on stdout.
public struct NotifyAnswer: Codable, Sendable, Equatable {
    /// The status of HTTP, or 0 for a mail and a check.
    public var status = 0
    /// The beginning of the body of an answer that is no success, or the origin of a checked URL.
    public var text = ""
    /// What `Retry-After` asks for, in seconds.
    public var retryAfter: Int64?
    /// Why there is no answer.
    public var error: String?
    /// The way to mend it.
    public var hint: String?
    /// The raw value of the error's `ExitCode`.
    public var code: Int32?

    /// A good answer.
    public init() {}
}

/// The helper's protocol in bytes.
public enum NotifyStream {
    /// The bytes of a value, without a line feed.
    public static func encode(_ value: some Encodable) throws(VoltError) -> [UInt8] {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        do { return Array(try encoder.encode(value)) } catch {
            throw VoltError(.failed, "cannot encode a message: \(error)")
        }
    }

    /// The value in some bytes.
    public static func decode<Value: Decodable>(_ type: Value.Type, _ bytes: [UInt8]) throws(VoltError)
        -> Value
    {
        do { return try JSONDecoder().decode(type, from: Data(bytes)) } catch {
            // The bytes may hold a secret: they are not shown.
            throw VoltError(.usage, "a message is not of this version")
        }
    }
}
