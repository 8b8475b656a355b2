internal import NIOCore
internal import NIOHTTP1

/// One connection: takes one request after the other from the parser, hands each to its route, and writes the answer.
/// What a client sends before it has its answer waits, and from some bytes on is not read.
final class HTTPConnection: ChannelDuplexHandler {
    typealias InboundIn = HTTPServerRequestPart
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

    /// What came and is not taken yet.
    private var backlog = HTTPBacklog()
    private var isProcessing = false
    private var needsFlush = false
    /// Whether the channel wants to read, and may not yet.
    private var wantsRead = false

    // The request that is at hand.
    private var request: HTTPRequest?
    private var framing = HTTPFraming()
    private var isHead = false
    private var keepsAlive = false
    /// Whether the client has to be told that the connection is kept (RFC 9112, section 9.3).
    private(set) var isOld = false
    private var body: [UInt8] = []
    private var taken = 0
    private var pace = HTTPPace()

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
        backlog = HTTPBacklog()
        gate.leave(context.channel)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        switch error {
        case let error as HTTPParserError: come(.refusal(HTTPRefusal(error)))
        // Bytes behind those of which the parser said so.
        case is ByteToMessageDecoderError: break
        default: context.close(promise: nil)
        }
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if event is DrainEvent, case .idle = state {
            // The first request of a connection that was just made is on its way.
            if hasServed { context.close(promise: nil) } else { timer.expire(after: 1) }
        }
        context.fireUserInboundEventTriggered(event)
    }

    // MARK: Pieces

    /// Whether what comes still counts.
    var listens: Bool { if case .closing = state { false } else { true } }

    /// Bytes came, which are not parsed yet.
    func beginBytes(_ bytes: ByteBuffer) {
        isProcessing = true
        timer.isHeld = true
        guard case .idle = state, backlog.isEmpty, context?.channel.isWritable == true else { return }
        // RFC 9112, section 2.2: some clients end a body with a line too many.
        guard bytes.readableBytesView.contains(where: { $0 != 13 && $0 != 10 }) else { return }
        state = .header
        timer.expire(after: limits.headerSeconds)
    }

    /// All that the bytes made has come.
    func endBytes() {
        isProcessing = false
        process()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) { come(.part(unwrapInboundIn(data))) }

    private func come(_ piece: HTTPPiece) {
        if backlog.isEmpty, canTake(piece) { return take(piece) }
        backlog.append(piece)
        if backlog.isTooLong { context?.close(promise: nil) }
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
        guard backlog.isLong else { return false }
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
        while let piece = backlog.first, canTake(piece) {
            backlog.removeFirst()
            take(piece)
        }
        isProcessing = false
        timer.isHeld = false
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

    /// Whether it is the turn of a piece.
    private func canTake(_ piece: HTTPPiece) -> Bool {
        switch state {
        case .opening, .answering: false
        case .body, .stream, .drop, .closing: true
        // Who does not read the answers gets no more of them.
        case .idle, .header: context?.channel.isWritable == true
        }
    }

    private func take(_ piece: HTTPPiece) {
        if case .closing = state { return }
        switch piece {
        case .part(.head(let head)): begin(head)
        case .part(.body(let part)): add(part)
        case .part(.end): end()
        case .refusal(let refusal):
            switch state {
            case .idle, .header: isHead = false
            case .body, .stream, .opening, .drop, .answering, .closing: break
            }
            refuse(HTTPResponse(refusal))
        }
    }

    // MARK: Requests

    private func begin(_ head: HTTPRequestHead) {
        let method = head.method.rawValue
        isHead = method == "HEAD"
        isOld = head.version == .http1_0
        let framed = Result<HTTPFraming, HTTPRefusal> { () throws(HTTPRefusal) in try HTTPFraming(head) }
        switch framed {
        case .success(let framing): self.framing = framing
        case .failure(let refusal): return refuse(HTTPResponse(refusal))
        }
        keepsAlive = head.isKeepAlive && !framing.isLast
        let target = head.uri.utf8
        let question = target.firstIndex(of: UInt8(ascii: "?"))
        let path = question.map { String(head.uri[..<$0]) } ?? head.uri
        let route: HTTPRoute
        switch routes.match(method: method, path: path) {
        case .route(let found): route = found
        case .noSuchPath: return refuse(HTTPResponse(404, "404 Not Found\n"))
        case .notAllowed(let allowed):
            var response = HTTPResponse(405, "405 Method Not Allowed\n")
            response.headers.append(("Allow", allowed))
            return refuse(response)
        }
        let request = HTTPRequest(
            method: method, path: path,
            query: question.map { String(head.uri[target.index(after: $0)...]) } ?? "", body: [],
            address: address, clientName: clientName(), fields: head.headers)
        switch route.action {
        case .whole(let handler): beginWhole(request, route, handler)
        case .streamed(let open): beginStream(open(request))
        }
    }

    private func beginWhole(
        _ request: HTTPRequest, _ route: HTTPRoute, _ handler: @escaping HTTPRoute.Handler
    ) {
        if !route.mediaTypes.isEmpty {
            let type = request["content-type"]?.prefix { $0 != ";" && $0 != " " }.lowercased() ?? ""
            guard route.mediaTypes.contains(type) else {
                return refuse(HTTPResponse(415, "415 Unsupported Media Type\n"))
            }
        }
        if let length = framing.length, length > limits.body {
            return refuse(HTTPResponse(413, "413 Content Too Large\n"))
        }
        goOn()
        self.request = request
        state = .body(handler)
        timer.expire(after: limits.bodySeconds)
    }

    private func beginStream(_ opening: HTTPOpening) {
        switch opening {
        case .later(let decide): wait(decide)
        case .exchange(let exchange):
            goOn()
            state = .stream(exchange)
            pace = HTTPPace()
            timer.expire(after: limits.stallSeconds)
        case .answer(let response):
            guard framing.length ?? 0 <= Self.dropped, !framing.waits else { return refuse(response) }
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
    private func wait(_ decide: (@escaping @Sendable (sending HTTPOpening) -> Void) -> Void) {
        guard let context else { return }
        state = .opening
        timer.rest()
        let loop = context.eventLoop
        let bound = NIOLoopBound(self, eventLoop: loop)
        decide { opening in
            // Handed over to the loop, and not used here any more.
            nonisolated(unsafe) let opening = opening
            loop.execute { bound.value.decided(opening) }
        }
    }

    private func decided(_ opening: HTTPOpening) {
        guard case .opening = state else {
            // The client went away meanwhile.
            if case .exchange(let exchange) = opening { exchange.cancel() }
            return
        }
        beginStream(opening)
        process()
    }

    /// Tells a client that waits for it to send the body (RFC 9110, section 10.1.1).
    private func goOn() {
        guard framing.waits, let context else { return }
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
            // No more than has come: what is announced and does not come takes no memory.
            if body.isEmpty, let length = framing.length {
                body.reserveCapacity(min(length, max(part.readableBytes, 16 << 10)))
            }
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
