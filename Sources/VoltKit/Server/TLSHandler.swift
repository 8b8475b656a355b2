internal import NIOCore

/// Decrypts what comes in and encrypts what goes out. A client that speaks plain HTTP gets one answer that
/// says so; what is neither is closed.
final class TLSHandler: ChannelDuplexHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer
    typealias OutboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private enum State {
        /// Not a byte has come.
        case fresh
        case handshaking
        case open
        /// What comes is dropped.
        case closing
    }

    private let session: TLSSession
    private let limits: HTTPLimits
    private let report: @Sendable (String) -> Void
    private var state = State.fresh
    private var plain = ByteBuffer()
    private var promises: [EventLoopPromise<Void>] = []
    private var timer: Scheduled<Void>?

    /// - Parameter report: told why a handshake came to nothing, in a line for people.
    init(session: TLSSession, limits: HTTPLimits, report: @escaping @Sendable (String) -> Void) {
        self.session = session
        self.limits = limits
        self.report = report
    }

    func channelActive(context: ChannelHandlerContext) {
        expire(after: limits.handshakeSeconds, context) { handler, context in
            handler.fail("it was not over after \(handler.limits.handshakeSeconds) s", context)
        }
        // The connection counts from here on, with its handshake still to come.
        context.fireChannelActive()
    }

    func channelInactive(context: ChannelHandlerContext) {
        timer?.cancel()
        if case .handshaking = state { tell("the client closed the connection", context) }
        state = .closing
        failPending(ChannelError.ioOnClosedChannel)
        context.fireChannelInactive()
    }

    // MARK: In

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let buffer = unwrapInboundIn(data)
        if case .closing = state { return }
        if case .fresh = state {
            // RFC 8446, section 5.1: the first record of a client is a handshake, type 22.
            guard let first = buffer.readableBytesView.first else { return }
            guard first == 22 else { return refuse(first, context) }
            state = .handshaking
        }
        guard session.feed(buffer) else { return context.close(promise: nil) }
        if case .handshaking = state { shakeHands(context) }
        if case .open = state { read(context) }
    }

    private func shakeHands(_ context: ChannelHandlerContext) {
        let result = session.handshake()
        send(context, promise: nil)
        switch result {
        case .bytes:
            state = .open
            timer?.cancel()
        case .starved: return
        case .ended: fail("the client ended it", context)
        case .failed(let reason): fail(reason, context)
        }
    }

    private func read(_ context: ChannelHandlerContext) {
        while case .open = state {
            var buffer = context.channel.allocator.buffer(capacity: 1 << 14)
            switch session.read(into: &buffer) {
            case .bytes: context.fireChannelRead(wrapInboundOut(buffer))
            case .starved:
                // Reading may have made an answer of the protocol's own, such as a new key.
                return send(context, promise: nil)
            case .ended: return close(context: context, mode: .all, promise: nil)
            case .failed:
                send(context, promise: nil)
                return close(context: context, mode: .all, promise: nil)
            }
        }
    }

    /// The first byte is not TLS.
    private func refuse(_ first: UInt8, _ context: ChannelHandlerContext) {
        guard (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(first) else {
            return fail("the client does not speak TLS", context)
        }
        tell("the client speaks plain HTTP", context)
        state = .closing
        let body = "400 Bad Request: this port speaks HTTPS, use https://\n"
        let answer =
            "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\n"
            + "Content-Length: \(body.utf8.count)\r\nConnection: close\r\n\r\n\(body)"
        context.writeAndFlush(wrapOutboundOut(ByteBuffer(string: answer)), promise: nil)
        // A client that is still sending must read the answer before the connection is reset.
        context.close(mode: .output, promise: nil)
        expire(after: 2, context) { $1.close(promise: nil) }
    }

    private func fail(_ reason: String, _ context: ChannelHandlerContext) {
        tell(reason, context)
        state = .closing
        context.close(promise: nil)
    }

    private func tell(_ reason: String, _ context: ChannelHandlerContext) {
        report("TLS handshake of \(context.remoteAddress?.ipAddress ?? "a client") failed: \(reason)")
    }

    // MARK: Out

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        var buffer = unwrapOutboundIn(data)
        plain.writeBuffer(&buffer)
        if let promise { promises.append(promise) }
    }

    func flush(context: ChannelHandlerContext) {
        // Head and body of an answer go out as one record.
        guard plain.readableBytes > 0 || !promises.isEmpty else { return context.flush() }
        guard case .open = state, session.write(&plain) else {
            return failPending(ChannelError.ioOnClosedChannel)
        }
        plain.clear()
        let done = context.eventLoop.makePromise(of: Void.self)
        for promise in promises { done.futureResult.cascade(to: promise) }
        promises = []
        send(context, promise: done)
    }

    func close(context: ChannelHandlerContext, mode: CloseMode, promise: EventLoopPromise<Void>?) {
        if case .open = state, mode != .input {
            flush(context: context)
            session.finish()
            send(context, promise: nil)
            state = .closing
        }
        context.close(mode: mode, promise: promise)
    }

    /// Writes what the session has for the network.
    private func send(_ context: ChannelHandlerContext, promise: EventLoopPromise<Void>?) {
        guard let bytes = session.drain(context.channel.allocator) else {
            promise?.succeed(())
            return
        }
        context.writeAndFlush(wrapOutboundOut(bytes), promise: promise)
    }

    private func failPending(_ error: any Error) {
        plain.clear()
        let failed = promises
        promises = []
        for promise in failed { promise.fail(error) }
    }

    private func expire(
        after seconds: Int64, _ context: ChannelHandlerContext,
        _ body: @escaping (TLSHandler, ChannelHandlerContext) -> Void
    ) {
        timer?.cancel()
        let bound = NIOLoopBound((self, context, body), eventLoop: context.eventLoop)
        timer = context.eventLoop.scheduleTask(in: .seconds(seconds)) {
            let (handler, context, body) = bound.value
            body(handler, context)
        }
    }
}
