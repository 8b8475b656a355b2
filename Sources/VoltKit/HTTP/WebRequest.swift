/// A request to a server.
public struct WebRequest: Sendable {
    /// `GET`, `POST`, `PUT`, `PATCH`, `DELETE` or `HEAD`.
    public var method: String
    /// Where to.
    public var url: WebURL
    /// Header fields that every server on the way may see.
    public var headers: [(name: String, value: String)]
    /// Header fields with a secret, such as `Authorization`: they go to the origin of `url` and, when it
    /// redirects, to no other one.
    public var secretHeaders: [(name: String, value: String)]
    /// The body; empty for none.
    public var body: [UInt8]
    /// A part of an open file that is sent in place of the body.
    public var upload: WebUpload?
    /// How it is signed; nil for not at all. It goes to the origin of `url` and to no other one.
    public var signing: WebSigning?

    /// - Parameters: see the properties.
    public init(
        _ method: String, _ url: WebURL, headers: [(name: String, value: String)] = [],
        secretHeaders: [(name: String, value: String)] = [], body: [UInt8] = []
    ) {
        self.method = method
        self.url = url
        self.headers = headers
        self.secretHeaders = secretHeaders
        self.body = body
    }
}

/// A part of an open file, as the body of a request.
public struct WebUpload: Sendable {
    /// Readable, and left open.
    public let descriptor: Int32
    /// Where it begins.
    public let offset: UInt64
    /// Its bytes, which the file must have.
    public let count: UInt64

    /// - Parameters: see the properties.
    public init(descriptor: Int32, offset: UInt64 = 0, count: UInt64) {
        self.descriptor = descriptor
        self.offset = offset
        self.count = count
    }
}

/// A signature of Amazon's form (Signature Version 4), made by libcurl.
public struct WebSigning: Sendable {
    /// Such as `us-east-1`.
    public var region: String
    /// Such as `s3`.
    public var service: String
    /// The name of the key.
    public var keyID: String
    /// The key.
    public var secret: String

    /// - Parameters: see the properties.
    public init(region: String, service: String, keyID: String, secret: String) {
        self.region = region
        self.service = service
        self.keyID = keyID
        self.secret = secret
    }
}

/// What a server may use of this process.
public struct WebLimits: Sendable {
    /// Bytes of a body.
    public var body: Int
    /// From the start to the last byte, redirects included.
    public var total: Duration
    /// Until the connection stands, TLS included.
    public var connect: Duration
    /// A body that brings nothing for so long is given up; in whole seconds.
    public var stall: Duration
    /// How often a redirect is followed.
    public var redirects: Int
    /// Bytes of all header fields.
    public static let header = 256 << 10

    /// - Parameters: see the properties.
    public init(
        body: Int = 1 << 20, total: Duration = .seconds(30), connect: Duration = .seconds(10),
        stall: Duration = .seconds(15), redirects: Int = 5
    ) {
        self.body = body
        self.total = total
        self.connect = connect
        self.stall = stall
        self.redirects = redirects
    }
}

/// What a server answered.
public struct WebAnswer: Sendable {
    /// The status code.
    public let status: Int
    /// The header fields in their order, the names in lower case.
    public let headers: [(name: String, value: String)]
    /// The body; empty when it went to a file or a sink.
    public let body: [UInt8]
    /// Who answered, after redirects.
    public let url: WebURL

    /// Whether the status is 200 to 299.
    public var isSuccess: Bool { (200...299).contains(status) }
    /// The first field of this name, which is given in lower case.
    public subscript(name: String) -> String? { headers.first { $0.name == name }?.value }
    /// The body as text.
    public var text: String { String(decoding: body, as: UTF8.self) }
}
