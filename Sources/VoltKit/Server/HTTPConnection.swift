internal import NIOCore

/// One connection: reads one request after the other, hands each to its route, and writes the answer. What a client
/// sends before it has its answer waits, and from some bytes on is not read.
final class HTTPConnection: ChannelDuplexHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundIn = IOData
    typealias OutboundOut = IOData

    private enum State {
        /// Nothing of the next request has come.
        case idle
        /// Its header is coming.
        case header
        /// Its body is coming, and is kept until it is whole.
        case body(HTTPRoute.Handler)
        /// Its body is coming, and is handed on.
        case stream(any HTTPExchange)
        /// What becomes of it is not known yet.
        case opening
        /// Its body is coming, and does not count; so many bytes of it are read.
        case drop(HTTPOpening, left: Int)
        /// The answer is being made, or a file is being sent.
        case answering
        /// The rest is read and dropped: the answer was written, and the connection will be closed.
        case closing
    }

    private let routes: RouteTable
    let limits: HTTPLimits
    private let gate: ConnectionGate
    let isEncrypted: Bool
    /// Asked at each request: the handshake is over by then.
    private let clientName: () -> String?
    private var state = State.idle
    private var hasServed = false
    let timer = HTTPTimer()
    private var address = ""
    private(set) var context: ChannelHandlerContext?

    /// What came and is not taken yet; so many bytes of it have no end of a header.
    private var pending = ByteBuffer()
    private var scanned = 0
    private var isProcessing = false
    private var needsFlush = false
    /// Whether the channel wants to read, and may not yet.
    private var wantsRead = false

    // The request that is at hand.
    private var request: HTTPRequest?
    private var reader = HTTPBodyReader(.none)
    private var isHead = false
    private var keepsAlive = false
    /// Whether the client has to be told that the connection is kept (RFC 9112, section 9.3).
    private(set) var isOld = false
    private var body: [UInt8] = []
    private var taken = 0
    private var pace = HTTPPace()

    /// A body that does not count is read up to here; the client of a longer one loses its connection.
    private static let dropped = 64 << 10
    /// Bytes that wait while a request is answered.
    private static let waiting = 64 << 10

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

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        timer.start(context)
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        self.context = nil
        timer.stop()
    }

    func channelActive(context: ChannelHandlerContext) {
        guard gate.enter(context.channel) else { return context.close(promise: nil) }
        address = context.remoteAddress?.ipAddress ?? ""
        timer.expire(after: gate.isDraining ? 1 : limits.idleSeconds)
    }

    func channelInactive(context: ChannelHandlerContext) {
        timer.stop()
        giveBack()
        if case .stream(let exchange) = state { exchange.cancel() }
        state = .closing
        pending = ByteBuffer()
        gate.leave(context.channel)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if event is DrainEvent, case .idle = state {
            // The first request of a connection that was just made is on its way.
            if hasServed { context.close(promise: nil) } else { timer.expire(after: 1) }
        }
        context.fireUserInboundEventTriggered(event)
    }

    // MARK: Bytes

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var part = unwrapInboundIn(data)
        if case .closing = state { return }
        if pending.readableBytes == 0 {
            pending = part
        } else {
            // What was taken out takes no memory, however long the client goes on.
            pending.discardReadBytes()
            pending.writeBuffer(&part)
        }
        process()
    }

    func read(context: ChannelHandlerContext) {
        if isFull { wantsRead = true } else { context.read() }
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        if context.channel.isWritable { process() }
        context.fireChannelWritabilityChanged()
    }

    /// Whether what waits is enough for now.
    private var isFull: Bool {
        guard pending.readableBytes >= Self.waiting else { return false }
        return switch state {
        case .opening, .answering: true
        case .idle, .header, .body, .stream, .drop, .closing: false
        }
    }

    /// Takes what has come as far as that is possible now.
    private func process() {
        guard !isProcessing else { return }
        isProcessing = true
        timer.isHeld = true
        while step() {}
        isProcessing = false
        timer.isHeld = false
        if pending.readableBytes == 0 { pending = ByteBuffer() }
        timer.arm()
        if needsFlush {
            needsFlush = false
            context?.flush()
        }
        if wantsRead, !isFull {
            wantsRead = false
            context?.read()
        }
    }

    /// - Returns: whether there may be more to do.
    private func step() -> Bool {
        switch state {
        case .idle, .header: return readHead()
        case .body, .stream, .drop:
            switch reader.next(&pending) {
            case .later: return false
            case .part(let part): add(part)
            case .end: end()
            case .malformed: refuse(HTTPResponse(.malformed))
            }
            return true
        case .opening, .answering: return false
        case .closing:
            pending = ByteBuffer()
            return false
        }
    }

    /// Reads a header that is whole.
    private func readHead() -> Bool {
        // RFC 9112, section 2.2: some clients end a body with a line too many.
        while pending.readableBytes >= 2, pending.getInteger(at: pending.readerIndex) == 0x0d0a as UInt16 {
            pending.moveReaderIndex(forwardBy: 2)
            scanned = 0
        }
        guard pending.readableBytes > 0, context?.channel.isWritable == true else { return false }
        let found = Result<HTTPHead?, HTTPRefusal> { () throws(HTTPRefusal) in try takeHead() }
        switch found {
        case .success(nil):
            if case .idle = state { timer.expire(after: limits.headerSeconds) }
            state = .header
            return false
        case .failure(let refusal):
            isHead = false
            refuse(HTTPResponse(refusal))
        case .success(let head?): begin(head)
        }
        return true
    }

    /// Takes a header out of what has come; nil before it is whole.
    private func takeHead() throws(HTTPRefusal) -> HTTPHead? {
        let (scanned, limits) = (scanned, limits)
        let count = pending.readableBytes
        let result = pending.withUnsafeReadableBytes { bytes in
            Result<(HTTPHead, Int)?, HTTPRefusal> { () throws(HTTPRefusal) in
                guard ASCII.isToken(bytes[0]) || bytes[0] == ASCII.carriageReturn else { throw .malformed }
                let end = try HTTPHead.end(in: bytes, scanned: scanned)
                guard end ?? count <= limits.header else { throw HTTPRefusal(status: 431) }
                guard let end else { return nil }
                let head = UnsafeRawBufferPointer(rebasing: bytes[..<end])
                return (try HTTPHead(head, fields: limits.fields), end)
            }
        }
        guard let (head, end) = try result.get() else {
            self.scanned = count
            return nil
        }
        pending.moveReaderIndex(forwardBy: end)
        self.scanned = 0
        return head
    }

    // MARK: Requests

    private func begin(_ head: HTTPHead) {
        isHead = head.method == "HEAD"
        isOld = head.isOld
        keepsAlive = head.keepsAlive
        reader = HTTPBodyReader(head.body)
        let route: HTTPRoute
        switch routes.match(method: head.method, path: head.path) {
        case .route(let found): route = found
        case .noSuchPath: return refuse(HTTPResponse(404, "404 Not Found\n"))
        case .notAllowed(let allowed):
            var response = HTTPResponse(405, "405 Method Not Allowed\n")
            response.headers.append(("Allow", allowed))
            return refuse(response)
        }
        let request = HTTPRequest(
            method: head.method, path: head.path, query: head.query, body: [], address: address,
            clientName: clientName(), fields: head.fields)
        switch route.action {
        case .whole(let handler): beginWhole(head, request, route, handler)
        case .streamed(let open): beginStream(head, open(request))
        }
    }

    private func beginWhole(
        _ head: HTTPHead, _ request: HTTPRequest, _ route: HTTPRoute, _ handler: @escaping HTTPRoute.Handler
    ) {
        if !route.mediaTypes.isEmpty {
            let type = request["content-type"]?.prefix { $0 != ";" && $0 != " " }.lowercased() ?? ""
            guard route.mediaTypes.contains(type) else {
                return refuse(HTTPResponse(415, "415 Unsupported Media Type\n"))
            }
        }
        if case .length(let length) = head.body {
            guard length <= limits.body else { return refuse(HTTPResponse(413, "413 Content Too Large\n")) }
            // No more than has come: what is announced and does not come takes no memory.
            body.reserveCapacity(min(length, max(pending.readableBytes, 16 << 10)))
        }
        goOn(head)
        self.request = request
        state = .body(handler)
        timer.expire(after: limits.bodySeconds)
    }

    private func beginStream(_ head: HTTPHead, _ opening: HTTPOpening) {
        switch opening {
        case .later(let decide): wait(head, decide)
        case .exchange(let exchange):
            goOn(head)
            state = .stream(exchange)
            pace = HTTPPace()
            timer.expire(after: limits.stallSeconds)
        case .answer(let response):
            if case .length(let length) = head.body, length > Self.dropped { return refuse(response) }
            guard !head.waits else { return refuse(response) }
            drop(opening)
        case .work: drop(opening)
        }
    }

    /// Reads the body before the answer.
    private func drop(_ opening: HTTPOpening) {
        state = .drop(opening, left: Self.dropped)
        timer.expire(after: limits.bodySeconds)
    }

    /// Takes no more until it is known what becomes of the request.
    private func wait(
        _ head: HTTPHead, _ decide: (@escaping @Sendable (sending HTTPOpening) -> Void) -> Void
    ) {
        guard let context else { return }
        state = .opening
        timer.rest()
        let loop = context.eventLoop
        let bound = NIOLoopBound(self, eventLoop: loop)
        decide { opening in
            // Handed over to the loop, and not used here any more.
            nonisolated(unsafe) let opening = opening
            loop.execute { bound.value.decided(head, opening) }
        }
    }

    private func decided(_ head: HTTPHead, _ opening: HTTPOpening) {
        guard case .opening = state else {
            // The client went away meanwhile.
            if case .exchange(let exchange) = opening { exchange.cancel() }
            return
        }
        beginStream(head, opening)
        process()
    }

    /// Tells a client that waits for it to send the body (RFC 9110, section 10.1.1).
    private func goOn(_ head: HTTPHead) {
        guard head.waits, let context else { return }
        context.writeAndFlush(
            wrapOutboundOut(.byteBuffer(ByteBuffer(staticString: "HTTP/1.1 100 Continue\r\n\r\n"))),
            promise: nil)
    }

    private func add(_ part: ByteBuffer) {
        switch state {
        case .body:
            guard body.count + part.readableBytes <= limits.body else {
                return refuse(HTTPResponse(413, "413 Content Too Large\n"))
            }
            guard gate.take(part.readableBytes) else {
                return refuse(HTTPResponse(503, "503 Service Unavailable\n"))
            }
            taken += part.readableBytes
            part.withUnsafeReadableBytes { body.append(contentsOf: $0) }
        case .stream(let exchange):
            if let response = part.withUnsafeReadableBytes({ exchange.receive($0) }) {
                return refuse(response)
            }
            guard !pace.drips(after: part.readableBytes, limits) else {
                return refuse(HTTPResponse(408, "408 Request Timeout\n"))
            }
            timer.expire(after: limits.stallSeconds)
        case .drop(let opening, let left):
            if left >= part.readableBytes {
                state = .drop(opening, left: left - part.readableBytes)
            } else if case .answer(let response) = opening {
                refuse(response)
            } else {
                refuse(HTTPResponse(413, "413 Content Too Large\n"))
            }
        case .idle, .header, .opening, .answering, .closing: break
        }
    }

    private func end() {
        switch state {
        case .body(let handler):
            guard var request else { return }
            self.request = nil
            swap(&request.body, &body)
            reply { [request] in handler(request, $0) }
        case .stream(let exchange): reply { exchange.finish($0) }
        case .drop(.answer(let response), _):
            state = .answering
            answer(response)
        case .drop(.work(let work), _): reply(work)
        case .idle, .header, .opening, .answering, .closing, .drop: break
        }
    }

    // MARK: Answers

    private func reply(_ body: (@escaping @Sendable (HTTPResponse) -> Void) -> Void) {
        guard let context else { return }
        state = .answering
        timer.rest()
        let loop = context.eventLoop
        let bound = NIOLoopBound(self, eventLoop: loop)
        body { response in
            if loop.inEventLoop { return bound.value.answer(response) }
            // Several answers of one group commit come back to their loops at once.
            loop.execute { bound.value.answer(response) }
        }
    }

    private func answer(_ response: HTTPResponse) {
        guard case .answering = state else { return }
        giveBack()
        hasServed = true
        let closes = !keepsAlive || gate.isDraining
        if let file = response.file, !isHead, file.count > 0 {
            writeHead(response, length: file.count, closes: closes)
            return send(file, closes: closes)
        }
        write(response, closes: closes)
        if !closes { becomeIdle() }
    }

    /// Goes on with the next request.
    func becomeIdle() {
        state = .idle
        timer.expire(after: limits.idleSeconds)
        process()
    }

    /// Answers without reading the rest of the request.
    private func refuse(_ response: HTTPResponse) {
        if case .stream(let exchange) = state { exchange.cancel() }
        state = .closing
        giveBack()
        write(response, closes: true)
    }

    private func write(_ response: HTTPResponse, closes: Bool) {
        let length = response.file.map(\.count) ?? response.length ?? UInt64(response.body.count)
        writeHead(response, length: length, body: isHead ? [] : response.body, closes: closes)
        if closes { close() } else { flush() }
    }

    /// Closes the connection once all that was written is with the client.
    func close() {
        guard let context else { return }
        state = .closing
        if wantsRead { context.read() }
        let done = context.eventLoop.makePromise(of: Void.self)
        // A client that is still sending must read the answer before the connection is reset.
        let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
        done.futureResult.whenComplete { _ in
            bound.value.1.close(mode: .output, promise: nil)
            bound.value.0.timer.expire(after: 2)
        }
        timer.expire(after: limits.stallSeconds)
        context.writeAndFlush(wrapOutboundOut(.byteBuffer(ByteBuffer())), promise: done)
    }

    private func flush() { if isProcessing { needsFlush = true } else { context?.flush() } }

    private func giveBack() {
        request = nil
        if taken > 0 { gate.give(taken) }
        taken = 0
        body = []
    }
}
