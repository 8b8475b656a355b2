internal import NIOCore
internal import NIOHTTP1

/// Starts the clock of a request at its first byte, before the header is parsed.
final class FirstByteHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer
    private let connection: HTTPConnection

    init(connection: HTTPConnection) { self.connection = connection }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        connection.bytesArrived()
        context.fireChannelRead(data)
    }
}

/// One connection: reads a request whole, hands it to its route, writes the answer. The pipelining
/// handler before it gives it one request at a time.
final class HTTPConnection: ChannelInboundHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundOut = HTTPServerResponsePart

    private enum State {
        /// Nothing of the next request has come.
        case idle
        /// Its header is coming.
        case header
        /// Its body is coming.
        case body(HTTPRequestHead, HTTPRoute)
        /// The answer is being made.
        case answering
        /// The rest is read and dropped: the answer was written, and the connection will be closed.
        case closing
    }

    private let routes: RouteTable
    private let limits: HTTPLimits
    private let gate: ConnectionGate
    private var state = State.idle
    private var hasServed = false
    private var body: [UInt8] = []
    private var taken = 0
    private var timer: Scheduled<Void>?
    private var context: ChannelHandlerContext?

    init(routes: RouteTable, limits: HTTPLimits, gate: ConnectionGate) {
        self.routes = routes
        self.limits = limits
        self.gate = gate
    }

    func handlerAdded(context: ChannelHandlerContext) { self.context = context }

    func handlerRemoved(context: ChannelHandlerContext) { self.context = nil }

    func channelActive(context: ChannelHandlerContext) {
        guard gate.enter(context.channel) else { return context.close(promise: nil) }
        expire(after: gate.isDraining ? 1 : limits.idleSeconds)
    }

    func channelInactive(context: ChannelHandlerContext) {
        timer?.cancel()
        giveBack()
        gate.leave(context.channel)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if event is DrainEvent, case .idle = state {
            // The first request of a connection that was just made is on its way.
            if hasServed { context.close(promise: nil) } else { expire(after: 1) }
        }
        context.fireUserInboundEventTriggered(event)
    }

    /// Called before the header is parsed.
    func bytesArrived() {
        guard case .idle = state else { return }
        state = .header
        expire(after: limits.headerSeconds)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head(let head): begin(head)
        case .body(let part): add(part)
        case .end: end()
        }
    }

    private func begin(_ head: HTTPRequestHead) {
        let path = String(head.uri.prefix { $0 != "?" })
        let route: HTTPRoute
        switch routes.match(method: head.method.rawValue, path: path) {
        case .route(let found): route = found
        case .noSuchPath: return refuse(head, HTTPResponse(404, "404 Not Found\n"))
        case .notAllowed(let allowed):
            var response = HTTPResponse(405, "405 Method Not Allowed\n")
            response.headers.append(("Allow", allowed))
            return refuse(head, response)
        }
        let type =
            head.headers.first(name: "content-type")?.prefix { $0 != ";" && $0 != " " }.lowercased() ?? ""
        guard route.mediaTypes.isEmpty || route.mediaTypes.contains(type) else {
            return refuse(head, HTTPResponse(415, "415 Unsupported Media Type\n"))
        }
        if let length = head.headers.first(name: "content-length").flatMap({ Int($0) }), length > limits.body
        {
            return refuse(head, HTTPResponse(413, "413 Content Too Large\n"))
        }
        if head.headers.first(name: "expect")?.lowercased() == "100-continue" {
            let part = HTTPServerResponsePart.head(HTTPResponseHead(version: .http1_1, status: .continue))
            context?.writeAndFlush(wrapOutboundOut(part), promise: nil)
        }
        state = .body(head, route)
        body = []
        expire(after: limits.bodySeconds)
    }

    private func add(_ part: ByteBuffer) {
        guard case .body(let head, _) = state else { return }
        let bytes = part.readableBytesView
        guard body.count + bytes.count <= limits.body else {
            return refuse(head, HTTPResponse(413, "413 Content Too Large\n"))
        }
        guard gate.take(bytes.count) else {
            return refuse(head, HTTPResponse(503, "503 Service Unavailable\n"))
        }
        taken += bytes.count
        body.append(contentsOf: bytes)
    }

    private func end() {
        guard case .body(let head, let route) = state, let context else { return }
        state = .answering
        timer?.cancel()
        let request = HTTPRequest(
            method: head.method.rawValue, path: String(head.uri.prefix { $0 != "?" }),
            headers: head.headers.map { ($0.name, $0.value) }, body: body)
        let loop = context.eventLoop
        let bound = NIOLoopBound(self, eventLoop: loop)
        let isHead = head.method == .HEAD
        let keeps = head.isKeepAlive
        route.handler(request) { response in
            // Several answers of one group commit come back to their loops at once.
            loop.execute { bound.value.answer(response, isHead: isHead, keepsAlive: keeps) }
        }
    }

    private func answer(_ response: HTTPResponse, isHead: Bool, keepsAlive: Bool) {
        giveBack()
        hasServed = true
        let keeps = keepsAlive && !gate.isDraining
        if keeps {
            // Before the answer is written: with its end the next request may be handed on at once.
            state = .idle
            expire(after: limits.idleSeconds)
        }
        write(response, isHead: isHead, closes: !keeps)
    }

    /// Answers without reading the rest of the request.
    private func refuse(_ head: HTTPRequestHead, _ response: HTTPResponse) {
        state = .closing
        giveBack()
        write(response, isHead: head.method == .HEAD, closes: true)
    }

    private func write(_ response: HTTPResponse, isHead: Bool, closes: Bool) {
        guard let context else { return }
        var headers = HTTPHeaders()
        for (name, value) in response.headers { headers.add(name: name, value: value) }
        headers.add(name: "Content-Length", value: String(response.body.count))
        if closes { headers.add(name: "Connection", value: "close") }
        let head = HTTPResponseHead(
            version: .http1_1, status: HTTPResponseStatus(statusCode: response.status), headers: headers)
        context.write(wrapOutboundOut(.head(head)), promise: nil)
        if !isHead {
            context.write(wrapOutboundOut(.body(.byteBuffer(ByteBuffer(bytes: response.body)))), promise: nil)
        }
        let done = context.eventLoop.makePromise(of: Void.self)
        if closes {
            // A client that is still sending must read the answer before the connection is reset.
            let bound = NIOLoopBound(context, eventLoop: context.eventLoop)
            done.futureResult.whenComplete { _ in bound.value.close(mode: .output, promise: nil) }
            state = .closing
            expire(after: 2)
        }
        context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: done)
    }

    private func giveBack() {
        gate.give(taken)
        taken = 0
        body = []
    }

    /// Closes the connection after some seconds, unless something happens before.
    private func expire(after seconds: Int64) {
        timer?.cancel()
        guard let context else { return }
        let bound = NIOLoopBound(context, eventLoop: context.eventLoop)
        timer = context.eventLoop.scheduleTask(in: .seconds(seconds)) { bound.value.close(promise: nil) }
    }
}
