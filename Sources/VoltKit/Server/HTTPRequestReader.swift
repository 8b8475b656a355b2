internal import NIOCore
internal import NIOHTTP1

/// A request that is not taken, and the status of its answer.
struct HTTPRefusal: Error, Equatable {
    let status: Int

    static let malformed = HTTPRefusal(status: 400)

    init(status: Int) { self.status = status }

    init(_ error: HTTPParserError) {
        status =
            switch error {
            case .headerOverflow: 431
            case .invalidVersion: 505
            default: 400
            }
    }
}

/// The result of the parser.
enum HTTPPiece {
    case part(HTTPServerRequestPart)
    /// The rest is no request.
    case refusal(HTTPRefusal)

    /// About how many bytes of memory it takes.
    fileprivate var weight: Int {
        switch self {
        case .part(.head(let head)): 256 + head.uri.utf8.count + 64 * head.headers.count
        case .part(.body(let part)): 64 + part.readableBytes
        case .part(.end), .refusal: 64
        }
    }
}

/// The requests that wait while one is answered.
struct HTTPBacklog {
    private var pieces = CircularBuffer<HTTPPiece>(initialCapacity: 0)
    private var weight = 0

    var isEmpty: Bool { pieces.isEmpty }
    var first: HTTPPiece? { pieces.first }
    /// Whether nothing more is read for now.
    var isLong: Bool { weight >= 64 << 10 }
    /// Whether the client loses its connection: a read of many small requests takes more memory than its bytes did.
    var isTooLong: Bool { weight > 1 << 20 }

    mutating func append(_ piece: HTTPPiece) {
        pieces.append(piece)
        weight += piece.weight
    }

    mutating func removeFirst() { weight -= pieces.removeFirst().weight }
}

/// SwiftNIO's parser of requests, which is llhttp in its strict mode. It tells the connection when bytes come, and when
/// all that they made was handed on.
final class HTTPRequestReader: ByteToMessageDecoder {
    typealias InboundOut = HTTPServerRequestPart

    private let parser: HTTPRequestDecoder
    private let connection: HTTPConnection

    init(connection: HTTPConnection, limits: HTTPLimits) {
        self.connection = connection
        var configuration = NIOHTTPDecoderLimitConfiguration()
        configuration.maxHeaderFieldSize = limits.header
        configuration.maxHeaderListSize = limits.header
        configuration.maxHeaderFieldCount = limits.fields
        parser = HTTPRequestDecoder(limitConfiguration: configuration)
    }

    func decoderAdded(context: ChannelHandlerContext) { parser.decoderAdded(context: context) }

    func decoderRemoved(context: ChannelHandlerContext) { parser.decoderRemoved(context: context) }

    func decode(context: ChannelHandlerContext, buffer: inout ByteBuffer) throws -> DecodingState {
        guard connection.listens else {
            buffer.moveReaderIndex(to: buffer.writerIndex)
            return .needMoreData
        }
        connection.beginBytes(buffer)
        defer { connection.endBytes() }
        return try parser.decode(context: context, buffer: &buffer)
    }

    /// The connection has ended, so what is left is of nobody.
    func decodeLast(context: ChannelHandlerContext, buffer: inout ByteBuffer, seenEOF: Bool) -> DecodingState
    {
        buffer.moveReaderIndex(to: buffer.writerIndex)
        return .needMoreData
    }
}

/// The fields of a request that its connection goes by.
struct HTTPFraming {
    /// The length of the body, where it is told.
    private(set) var length: Int?
    /// Whether the client waits for `100 Continue` before it sends the body (RFC 9110, section 10.1.1).
    private(set) var waits = false
    /// Whether another protocol is asked for: the parser stops behind such a request, so the connection is not kept.
    private(set) var isLast: Bool

    init() { isLast = false }

    /// Refuses what the parser lets through, and two readers could take for two things.
    init(_ head: HTTPRequestHead) throws(HTTPRefusal) {
        isLast = head.method == .CONNECT
        let isOld = head.version == .http1_0
        var isChunked = false
        for (name, value) in head.headers {
            switch name.utf8.count {
            case 6 where ASCII.equals(name, "expect"):
                waits = !isOld && ASCII.equals(ASCII.trimmed(value), "100-continue")
            case 7 where ASCII.equals(name, "upgrade"): isLast = true
            case 14 where ASCII.equals(name, "content-length"):
                guard length == nil else { throw .malformed }
                // A number that is no Int is over every limit.
                length = Int(ASCII.trimmed(value)) ?? .max
            case 17 where ASCII.equals(name, "transfer-encoding"):
                // RFC 9112, section 6.1: chunks in HTTP/1.0 are a sign of a smuggled request.
                guard !isChunked, !isOld else { throw .malformed }
                guard ASCII.equals(ASCII.trimmed(value), "chunked") else { throw HTTPRefusal(status: 501) }
                isChunked = true
            default: break
            }
        }
        guard !isChunked || length == nil else { throw .malformed }
    }
}
