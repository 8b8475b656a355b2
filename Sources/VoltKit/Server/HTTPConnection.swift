internal import NIOCore
internal import NIOHTTP1

/// One connection: reads a request, hands it to its route, writes the answer. The pipelining handler before it gives
/// it one request at a time.
final class HTTPConnection: ChannelInboundHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundOut = HTTPServerResponsePart

    private enum State {
        /// Nothing of the next request has come.
        case idle
        /// Its header is coming.
        case header
        /// Its body is coming, and is kept until it is whole.
        case body(HTTPRequestHead, HTTPRoute.Handler)
        /// Its body is coming, and is handed on.
        case stream(HTTPRequestHead, any HTTPExchange)
        /// What becomes of it is not known yet; what came of its body meanwhile.
        case opening(HTTPRequestHead, [ByteBuffer], isWhole: Bool)
        /// Its body is coming, and does not count; so many bytes of it are read.
        case drop(HTTPRequestHead, HTTPOpening, left: Int)
        /// The answer is being made.
        case answering
        /// The rest is read and dropped: the answer was written, and the connection will be closed.
        case closing
    }

    private let routes: RouteTable
    private let limits: HTTPLimits
    private let gate: ConnectionGate
    private let isEncrypted: Bool
    /// Asked at each request: the handshake is over by then.
    private let clientName: () -> String?
    private var state = State.idle
    private var hasServed = false
    /// Whether the client has to be told that the connection is kept (RFC 9112, section 9.3).
    private var isOld = false
    private var body: [UInt8] = []
    private var taken = 0
    /// Of a body that is handed on: when it began, and the bytes that came.
    private var begun = NIODeadline.uptimeNanoseconds(0)
    private var streamed: Int64 = 0
    private var timer: Scheduled<Void>?
    private var context: ChannelHandlerContext?

    /// A body that does not count is read up to here; the client of a longer one loses its connection.
    private static let dropped = 64 << 10

    init(
        routes: RouteTable, limits: HTTPLimits, gate: ConnectionGate, isEncrypted: Bool,
        clientName: @escaping () -> String?
    ) {
        self.routes = routes
        self.limits = limits
        self.gate = gate
        self.isEncrypted = isEncrypted
        self.clientName = clientName
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
        if case .stream(_, let exchange) = state { exchange.cancel() }
        state = .closing
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
        isOld = head.version == .http1_0
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
        switch route.action {
        case .whole(let handler): beginWhole(head, route, handler)
        case .streamed(let open): beginStream(head, open(request(head, path)))
        }
    }

    private func beginWhole(
        _ head: HTTPRequestHead, _ route: HTTPRoute, _ handler: @escaping HTTPRoute.Handler
    ) {
        let type =
            head.headers.first(name: "content-type")?.prefix { $0 != ";" && $0 != " " }.lowercased() ?? ""
        guard route.mediaTypes.isEmpty || route.mediaTypes.contains(type) else {
            return refuse(head, HTTPResponse(415, "415 Unsupported Media Type\n"))
        }
        if let length = head.headers.first(name: "content-length").flatMap({ Int($0) }), length > limits.body
        {
            return refuse(head, HTTPResponse(413, "413 Content Too Large\n"))
        }
        goOn(head)
        state = .body(head, handler)
        body = []
        expire(after: limits.bodySeconds)
    }

    private func beginStream(_ head: HTTPRequestHead, _ opening: HTTPOpening) {
        if case .later(let decide) = opening { return wait(head, decide) }
        if case .exchange(let exchange) = opening {
            goOn(head)
            state = .stream(head, exchange)
            begun = .now()
            streamed = 0
            return expire(after: limits.stallSeconds)
        }
        let length = head.headers.first(name: "content-length").flatMap { Int($0) } ?? 0
        if case .answer(let response) = opening, length > Self.dropped || Self.waits(head) {
            return refuse(head, response)
        }
        state = .drop(head, opening, left: Self.dropped)
        expire(after: limits.bodySeconds)
    }

    /// Reads no more until it is known what becomes of the request.
    private func wait(
        _ head: HTTPRequestHead, _ decide: (@escaping @Sendable (sending HTTPOpening) -> Void) -> Void
    ) {
        guard let context else { return }
        state = .opening(head, [], isWhole: false)
        timer?.cancel()
        try? context.channel.syncOptions?.setOption(.autoRead, value: false)
        let loop = context.eventLoop
        let bound = NIOLoopBound(self, eventLoop: loop)
        decide { opening in
            // Handed over to the loop, and not used here any more.
            nonisolated(unsafe) let opening = opening
            loop.execute { bound.value.decided(opening) }
        }
    }

    private func decided(_ opening: HTTPOpening) {
        guard case .opening(let head, let parts, let isWhole) = state, let context else {
            // The client went away meanwhile.
            if case .exchange(let exchange) = opening { exchange.cancel() }
            return
        }
        beginStream(head, opening)
        for part in parts { add(part) }
        if isWhole { end() }
        try? context.channel.syncOptions?.setOption(.autoRead, value: true)
    }

    /// Tells a client that waits for it to send the body (RFC 9110, section 10.1.1).
    private func goOn(_ head: HTTPRequestHead) {
        guard Self.waits(head) else { return }
        let part = HTTPServerResponsePart.head(HTTPResponseHead(version: .http1_1, status: .continue))
        context?.writeAndFlush(wrapOutboundOut(part), promise: nil)
    }

    private static func waits(_ head: HTTPRequestHead) -> Bool {
        head.headers.first(name: "expect")?.lowercased() == "100-continue"
    }

    private func request(_ head: HTTPRequestHead, _ path: String) -> HTTPRequest {
        HTTPRequest(
            method: head.method.rawValue, path: path,
            query: head.uri.firstIndex(of: "?").map { String(head.uri[head.uri.index(after: $0)...]) } ?? "",
            body: [], address: context?.remoteAddress?.ipAddress ?? "", clientName: clientName(),
            fields: head.headers)
    }

    private func add(_ part: ByteBuffer) {
        switch state {
        case .body(let head, _):
            let bytes = part.readableBytesView
            guard body.count + bytes.count <= limits.body else {
                return refuse(head, HTTPResponse(413, "413 Content Too Large\n"))
            }
            guard gate.take(bytes.count) else {
                return refuse(head, HTTPResponse(503, "503 Service Unavailable\n"))
            }
            taken += bytes.count
            body.append(contentsOf: bytes)
        case .stream(let head, let exchange):
            if let response = part.withUnsafeReadableBytes({ exchange.receive($0) }) {
                return refuse(head, response)
            }
            streamed += Int64(part.readableBytes)
            guard !isDripping else {
                return refuse(head, HTTPResponse(408, "408 Request Timeout\n"))
            }
            expire(after: limits.stallSeconds)
        case .opening(let head, let parts, _): state = .opening(head, parts + [part], isWhole: false)
        case .drop(let head, let opening, let left):
            if left >= part.readableBytes {
                state = .drop(head, opening, left: left - part.readableBytes)
            } else if case .answer(let response) = opening {
                refuse(head, response)
            } else {
                refuse(head, HTTPResponse(413, "413 Content Too Large\n"))
            }
        case .idle, .header, .answering, .closing: break
        }
    }

    private var isDripping: Bool {
        let seconds = (NIODeadline.now() - begun).nanoseconds / 1_000_000_000
        return seconds >= limits.stallSeconds && streamed / max(1, seconds) < limits.slowestBody
    }

    private func end() {
        switch state {
        case .body(let head, let handler):
            var request = request(head, String(head.uri.prefix { $0 != "?" }))
            request.body = body
            reply(to: head) { handler(request, $0) }
        case .stream(let head, let exchange): reply(to: head) { exchange.finish($0) }
        case .opening(let head, let parts, _): state = .opening(head, parts, isWhole: true)
        case .drop(let head, .answer(let response), _): reply(to: head) { $0(response) }
        case .drop(let head, .work(let work), _): reply(to: head, work)
        case .idle, .header, .answering, .closing, .drop: break
        }
    }

    private func reply(
        to head: HTTPRequestHead, _ body: (@escaping @Sendable (HTTPResponse) -> Void) -> Void
    ) {
        guard let context else { return }
        state = .answering
        timer?.cancel()
        let loop = context.eventLoop
        let bound = NIOLoopBound(self, eventLoop: loop)
        let isHead = head.method == .HEAD
        let keeps = head.isKeepAlive
        body { response in
            if loop.inEventLoop { return bound.value.answer(response, isHead: isHead, keepsAlive: keeps) }
            // Several answers of one group commit come back to their loops at once.
            loop.execute { bound.value.answer(response, isHead: isHead, keepsAlive: keeps) }
        }
    }

    private func answer(_ response: HTTPResponse, isHead: Bool, keepsAlive: Bool) {
        giveBack()
        hasServed = true
        let keeps = keepsAlive && !gate.isDraining
        if let file = response.file, !isHead, file.count > 0 {
            writeHead(response, length: file.count, closes: !keeps)
            return send(file, closes: !keeps)
        }
        if keeps {
            // Before the answer is written: with its end the next request may be handed on at once.
            state = .idle
            expire(after: limits.idleSeconds)
        }
        write(response, isHead: isHead, closes: !keeps)
    }

    /// Answers without reading the rest of the request.
    private func refuse(_ head: HTTPRequestHead, _ response: HTTPResponse) {
        if case .stream(_, let exchange) = state { exchange.cancel() }
        state = .closing
        giveBack()
        write(response, isHead: head.method == .HEAD, closes: true)
    }

    private func write(_ response: HTTPResponse, isHead: Bool, closes: Bool) {
        let length = response.file.map(\.count) ?? response.length ?? UInt64(response.body.count)
        writeHead(response, length: length, closes: closes)
        if !isHead, !response.body.isEmpty {
            context?.write(
                wrapOutboundOut(.body(.byteBuffer(ByteBuffer(bytes: response.body)))), promise: nil)
        }
        writeEnd(closes: closes)
    }

    private func writeHead(_ response: HTTPResponse, length: UInt64, closes: Bool) {
        var headers = HTTPHeaders()
        headers.reserveCapacity(response.headers.count + 2)
        for (name, value) in response.headers { headers.add(name: name, value: value) }
        // RFC 9110, section 8.6.
        if response.status != 204, response.status != 304 {
            headers.add(name: "Content-Length", value: String(length))
        }
        if closes {
            headers.add(name: "Connection", value: "close")
        } else if isOld {
            headers.add(name: "Connection", value: "keep-alive")
        }
        let head = HTTPResponseHead(
            version: .http1_1, status: HTTPResponseStatus(statusCode: response.status), headers: headers)
        context?.write(wrapOutboundOut(.head(head)), promise: nil)
    }

    /// Ends an answer whose body was sent.
    private func finish(closes: Bool) {
        if !closes {
            state = .idle
            expire(after: limits.idleSeconds)
        }
        writeEnd(closes: closes)
    }

    private func writeEnd(closes: Bool) {
        guard let context else { return }
        guard closes else { return context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil) }
        let done = context.eventLoop.makePromise(of: Void.self)
        // A client that is still sending must read the answer before the connection is reset.
        let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
        done.futureResult.whenComplete { _ in
            bound.value.1.close(mode: .output, promise: nil)
            bound.value.0.expire(after: 2)
        }
        state = .closing
        expire(after: limits.stallSeconds)
        context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: done)
    }

    /// Pieces of a file that wait for the client at a time.
    private static let window = 4

    /// A file that is being sent.
    private final class Sending {
        let file: HTTPFile
        let closes: Bool
        /// What was handed to the channel, and what of it the kernel took.
        var begun: UInt64 = 0
        var sent: UInt64 = 0

        init(_ file: HTTPFile, closes: Bool) {
            self.file = file
            self.closes = closes
        }
    }

    /// Sends a file piece by piece, so that a client that does not read is noticed, and one that reads slowly is not
    /// taken for it.
    private func send(_ file: HTTPFile, closes: Bool) {
        let sending = Sending(file, closes: closes)
        // Encrypted pieces are in memory.
        for _ in 0..<(isEncrypted ? 1 : Self.window) { sendPiece(sending) }
        context?.flush()
    }

    private func sendPiece(_ sending: Sending) {
        let file = sending.file
        guard let context, sending.begun < file.count else { return }
        var count = Int(min(file.count - sending.begun, isEncrypted ? 128 << 10 : 1 << 20))
        let start = Int(file.offset + sending.begun)
        if let growth = file.growth {
            let loop = context.eventLoop
            let bound = NIOLoopBound((self, sending), eventLoop: loop)
            let reach = growth.reach(beyond: UInt64(start)) {
                loop.execute {
                    let (connection, sending) = bound.value
                    connection.sendPiece(sending)
                    connection.context?.flush()
                }
            }
            switch reach {
            case .end(let end): count = min(count, Int(end) - start)
            case .later: return expire(after: limits.stallSeconds)
            case .never: return context.close(promise: nil)
            }
        }
        let part: IOData
        if isEncrypted {
            var buffer = context.channel.allocator.buffer(capacity: count)
            let read = buffer.writeWithUnsafeMutableBytes(minimumWritableBytes: count) { bytes in
                file.read(start, UnsafeMutableRawBufferPointer(rebasing: bytes[..<count]))
            }
            guard read == count else { return context.close(promise: nil) }
            part = .byteBuffer(buffer)
        } else {
            part = .fileRegion(
                FileRegion(fileHandle: file.handle, readerIndex: start, endIndex: start + count))
        }
        let taken = UInt64(count)
        sending.begun += taken
        expire(after: limits.stallSeconds)
        let done = context.eventLoop.makePromise(of: Void.self)
        let bound = NIOLoopBound((self, sending), eventLoop: context.eventLoop)
        done.futureResult.whenComplete { result in
            let (connection, sending) = bound.value
            guard case .success = result else { return }
            sending.sent += taken
            sending.file.meter?.add(taken)
            if sending.sent == sending.file.count { return connection.finish(closes: sending.closes) }
            connection.sendPiece(sending)
            connection.context?.flush()
        }
        context.write(wrapOutboundOut(.body(part)), promise: done)
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
