/// A request that was read whole, within the limits of the server.
public struct HTTPRequest: Sendable {
    /// `GET`, `POST`, …
    public let method: String
    /// The path, without the query, as it was sent.
    public let path: String
    /// The header fields in their order.
    public let headers: [(name: String, value: String)]
    /// The bytes of the body.
    public let body: [UInt8]
}

/// An answer.
public struct HTTPResponse: Sendable {
    /// The status code.
    public var status: Int
    /// Header fields besides Content-Length.
    public var headers: [(name: String, value: String)]
    /// The body; left out when the request was HEAD.
    public var body: [UInt8]

    /// An answer with a text.
    public init(_ status: Int, _ text: String, type: String = "text/plain; charset=utf-8") {
        self.status = status
        headers = [("Content-Type", type)]
        body = Array(text.utf8)
    }
}

/// A path and what answers it. `HEAD` is answered where `GET` is.
public struct HTTPRoute: Sendable {
    /// `GET` or `POST`.
    public let method: String
    /// The whole path; `/a/*` takes every path with one more part below `/a/`.
    public let path: String
    /// The media types a body may have; empty for any.
    public let mediaTypes: [String]
    /// Answers a request by calling its second argument once, on any thread.
    public let handler: @Sendable (HTTPRequest, @escaping @Sendable (HTTPResponse) -> Void) -> Void

    /// - Parameters: see the properties.
    public init(
        _ method: String, _ path: String, mediaTypes: [String] = [],
        handler: @escaping @Sendable (HTTPRequest, @escaping @Sendable (HTTPResponse) -> Void) -> Void
    ) {
        self.method = method
        self.path = path
        self.mediaTypes = mediaTypes
        self.handler = handler
    }
}

/// What a client may use of a server.
public struct HTTPLimits: Sendable {
    /// Bytes of a body; 25 MiB is the largest payload GitHub and GitLab send.
    public var body = 25 << 20
    /// Seconds from the connection to the end of the TLS handshake.
    public var handshakeSeconds: Int64 = 10
    /// Seconds from the first byte of a request to the end of its header.
    public var headerSeconds: Int64 = 5
    /// Seconds from the end of the header to the end of the body.
    public var bodySeconds: Int64 = 30
    /// Seconds a kept connection may be silent.
    public var idleSeconds: Int64 = 60
    /// Connections at the same time.
    public var connections = 1024
    /// Connections of one address at the same time.
    public var connectionsPerAddress = 512
    /// Bytes of all bodies that are being read at the same time.
    public var bodies = 256 << 20

    /// The limits above.
    public init() {}
}
