internal import NIOHTTP1

/// A request; of a route that takes bodies whole it was read whole, within the limits of the server.
public struct HTTPRequest: Sendable {
    /// `GET`, `POST`, …
    public let method: String
    /// The path, without the query, as it was sent.
    public let path: String
    /// What follows the `?` of the target, as it was sent; empty for nothing.
    public let query: String
    /// The bytes of the body; empty when it is handed over as it comes.
    public var body: [UInt8]
    /// The address of the client, without a port.
    public let address: String
    /// The name in the certificate of the client, when the server asked for one and it was of a known authority.
    public let clientName: String?
    let fields: HTTPHeaders

    /// The header fields in their order.
    public var headers: [(name: String, value: String)] { fields.map { ($0.name, ASCII.trimmed($0.value)) } }
    /// The first field of this name, in any case.
    public subscript(name: String) -> String? { fields.first(name: name).map(ASCII.trimmed) }
    /// All fields of this name, in any case.
    public func all(_ name: String) -> [String] { fields[name].map(ASCII.trimmed) }
    /// How many fields have this name, in any case.
    public func count(_ name: String) -> Int { fields[name].count }
}

/// An answer.
public struct HTTPResponse: Sendable {
    /// The status code.
    public var status: Int
    /// Header fields besides Content-Length.
    public var headers: [(name: String, value: String)]
    /// The body; left out when the request was HEAD.
    public var body: [UInt8]
    /// A file that is sent in place of the body.
    public var file: HTTPFile?
    /// Of an answer to HEAD the length that GET would have, when it is not that of the body.
    public var length: UInt64?

    /// An answer with a text.
    public init(_ status: Int, _ text: String, type: String = "text/plain; charset=utf-8") {
        self.status = status
        headers = [("Content-Type", type)]
        body = Array(text.utf8)
    }

    /// An answer with these fields and this body.
    public init(_ status: Int, headers: [(name: String, value: String)], body: [UInt8] = []) {
        self.status = status
        self.headers = headers
        self.body = body
    }
}

/// What takes one request whose body is handed over as it comes, on one thread.
public protocol HTTPExchange: AnyObject {
    /// A part of the body. Do not block for long: other connections wait.
    ///
    /// - Returns: an answer, when the rest is not wanted.
    func receive(_ part: UnsafeRawBufferPointer) -> HTTPResponse?
    /// The body is whole: answer by calling the argument once, on any thread.
    func finish(_ reply: @escaping @Sendable (HTTPResponse) -> Void)
    /// The connection ended before the body was whole.
    func cancel()
}

/// What becomes of a request once its header was read.
public enum HTTPOpening {
    /// It is answered at once, without its body.
    case answer(HTTPResponse)
    /// It has no body that counts, and is answered by a call from any thread.
    case work(@Sendable (@escaping @Sendable (HTTPResponse) -> Void) -> Void)
    /// Its body is taken as it comes.
    case exchange(any HTTPExchange)
    /// What becomes of it is said later, by a call from any thread; until then nothing more is read.
    case later(@Sendable (@escaping @Sendable (sending HTTPOpening) -> Void) -> Void)
}

/// A path and what answers it. `HEAD` is answered where `GET` is.
public struct HTTPRoute: Sendable {
    /// Answers a request by calling its second argument once, on any thread.
    public typealias Handler =
        @Sendable (HTTPRequest, @escaping @Sendable (HTTPResponse) -> Void) -> Void

    enum Action: Sendable {
        case whole(Handler)
        case streamed(@Sendable (HTTPRequest) -> HTTPOpening)
    }

    /// `GET` or `POST`; empty for any.
    public let method: String
    /// The whole path; `/a/*` takes every path with one more part below `/a/`, and `/a/**` every path below it.
    public let path: String
    /// The media types a body may have; empty for any.
    public let mediaTypes: [String]
    let action: Action

    /// - Parameters: see the properties.
    public init(
        _ method: String, _ path: String, mediaTypes: [String] = [],
        handler: @escaping Handler
    ) {
        self.method = method
        self.path = path
        self.mediaTypes = mediaTypes
        action = .whole(handler)
    }

    /// A route for every method, whose requests are opened at their header and take their bodies as they come.
    ///
    /// - Parameters:
    ///   - path: see the property.
    ///   - open: called on the thread of the connection; it does not block for long.
    public init(streamed path: String, open: @escaping @Sendable (HTTPRequest) -> HTTPOpening) {
        method = ""
        self.path = path
        mediaTypes = []
        action = .streamed(open)
    }
}

/// What a client may use of a server.
public struct HTTPLimits: Sendable {
    /// Bytes of a body; 25 MiB is the largest payload GitHub and GitLab send.
    public var body = 25 << 20
    /// Bytes of a header, the request line included.
    public var header = 80 << 10
    /// Fields of a header.
    public var fields = 256
    /// Seconds from the connection to the end of the TLS handshake.
    public var handshakeSeconds: Int64 = 10
    /// Seconds from the first byte of a request to the end of its header.
    public var headerSeconds: Int64 = 5
    /// Seconds from the end of the header to the end of a body that is read whole.
    public var bodySeconds: Int64 = 30
    /// Seconds that a body which is taken as it comes, or a file that is sent, may bring nothing further.
    public var stallSeconds: Int64 = 60
    /// Bytes a second that such a body brings at least, once it came for `stallSeconds`: what drips holds memory and a
    /// connection as long as it drips.
    public var slowestBody: Int64 = 1024
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
