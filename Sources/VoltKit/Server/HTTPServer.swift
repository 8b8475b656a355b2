internal import CVoltSystem
internal import NIOCore
internal import NIOPosix
internal import Synchronization
public import VoltCore

/// An HTTP/1.1 server for a handful of small routes, with limits on everything a client can use.
public final class HTTPServer: Sendable {
    private let group: MultiThreadedEventLoopGroup
    private let channel: any Channel
    private let gate: ConnectionGate
    private let hasStopped = Atomic(false)

    /// The port it listens on.
    public let port: Int

    /// Starts to listen.
    ///
    /// - Parameters:
    ///   - address: an address of this host, or nil for every address, IPv6 and IPv4.
    ///   - port: 0 for a free one.
    ///   - socket: a TCP socket that listens already, such as one of the service manager, which this server
    ///     closes in the end; address and port do not count then.
    ///   - tls: the certificate of an HTTPS server; nil for plain HTTP.
    ///   - report: told why a TLS handshake failed, in a line for people, on any thread.
    /// - Throws: `VoltError` with code `missing` when the port is taken.
    public init(
        address: String?, port: Int, socket: Int32? = nil, routes: [HTTPRoute],
        limits: HTTPLimits = HTTPLimits(), threads: Int,
        tls: TLSIdentity? = nil, report: @escaping @Sendable (String) -> Void = { _ in }
    ) throws(VoltError) {
        let group = MultiThreadedEventLoopGroup(numberOfThreads: threads)
        let gate = ConnectionGate(limits: limits)
        let bootstrap = Self.bootstrap(
            group, gate: gate, routes: RouteTable(routes), limits: limits, tls: tls, report: report)
        do {
            let channel: any Channel
            if let socket {
                channel = try bootstrap.withBoundSocket(socket).wait()
            } else if let address {
                channel = try bootstrap.bind(host: address, port: port).wait()
            } else {
                // A machine without IPv6 has no "::".
                do { channel = try bootstrap.bind(host: "::", port: port).wait() } catch let error as IOError
                    where error.errnoCode == 97 || error.errnoCode == 99
                {
                    channel = try bootstrap.bind(host: "0.0.0.0", port: port).wait()
                }
            }
            // SwiftNIO leaves its epolls and sockets to the children of this process.
            volt_close_on_exec(3)
            self.channel = channel
            self.port = channel.localAddress?.port ?? port
        } catch {
            try? group.syncShutdownGracefully()
            let place = "\(address ?? "*"):\(port)"
            if let error = error as? IOError, error.errnoCode == 98 {
                throw VoltError(.missing, "cannot listen on '\(place)': the port is taken")
            }
            throw VoltError(.failed, "cannot listen on '\(place)': \(error)")
        }
        self.group = group
        self.gate = gate
    }

    private static func bootstrap(
        _ group: MultiThreadedEventLoopGroup, gate: ConnectionGate, routes: RouteTable, limits: HTTPLimits,
        tls: TLSIdentity?, report: @escaping @Sendable (String) -> Void
    ) -> ServerBootstrap {
        ServerBootstrap(group: group)
            .serverChannelOption(.backlog, value: 1024)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
            // Between two reads a connection decides whether it wants another.
            .childChannelOption(.maxMessagesPerRead, value: 1)
            .childChannelOption(
                .recvAllocator,
                value: AdaptiveRecvByteBufferAllocator(minimum: 1 << 10, initial: 1 << 11, maximum: 1 << 18)
            )
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    var session: TLSSession?
                    if let tls {
                        session = TLSSession(tls.context)
                        guard session != nil else { throw ChannelError.ioOnClosedChannel }
                    }
                    let asksClients = tls?.clientAuthoritiesFile != nil
                    let connection = HTTPConnection(
                        routes: routes, limits: limits, gate: gate, isEncrypted: tls != nil,
                        clientName: { [session] in asksClients ? session?.clientName : nil })
                    let pipeline = channel.pipeline.syncOperations
                    try pipeline.withUnsafeTransportIfAvailable(of: NIOBSDSocket.Handle.self) {
                        _ = volt_set_cloexec($0, 1)
                    }
                    // Who does not read the answers is not read from: else they pile up in memory.
                    try pipeline.addHandler(BackPressureHandler())
                    if let session {
                        try pipeline.addHandler(TLSHandler(session: session, limits: limits, report: report))
                    }
                    let reader = HTTPRequestReader(connection: connection, limits: limits)
                    // More than a field of a header is not kept, but behind a request for another protocol.
                    try pipeline.addHandler(
                        ByteToMessageHandler(reader, maximumBufferSize: 2 * limits.header))
                    try pipeline.addHandler(connection)
                }
            }
    }

    /// Stops to listen, lets the requests that are being answered end, and closes everything.
    ///
    /// This blocks the calling thread for at most ten seconds and the time of the argument. A second call does nothing.
    ///
    /// - Parameter workers: ends the threads that answer requests, after those had their time and before the threads of
    ///   the connections end: nobody takes an answer after that.
    public func stop(_ workers: () -> Void = {}) {
        guard !hasStopped.exchange(true, ordering: .relaxed) else { return }
        // A connection that was accepted is handed from thread to thread before it is one of the gate's, and would be closed
        // with the listener, unanswered: made there, told here, begun there.
        try? channel.setOption(.autoRead, value: false).wait()
        for _ in 0..<3 {
            for loop in group.makeIterator() { try? loop.submit {}.wait() }
        }
        try? channel.close().wait()
        gate.drain()
        let deadline = NIODeadline.now() + .seconds(10)
        while gate.count > 0, NIODeadline.now() < deadline { pause() }
        workers()
        try? group.syncShutdownGracefully()
    }

    private func pause() { try? group.next().scheduleTask(in: .milliseconds(10)) {}.futureResult.wait() }
}

/// The routes by their path.
struct RouteTable: Sendable {
    enum Match {
        case route(HTTPRoute)
        case noSuchPath
        case notAllowed(String)
    }
    private let byPath: [String: [HTTPRoute]]
    /// Those that take everything below a path, the longest first.
    private let below: [(prefix: String, route: HTTPRoute)]

    init(_ routes: [HTTPRoute]) {
        byPath = Dictionary(grouping: routes.filter { !$0.path.hasSuffix("/**") }, by: \.path)
        below = routes.filter { $0.path.hasSuffix("/**") }.map { (String($0.path.dropLast(2)), $0) }
            .sorted { $0.0.utf8.count > $1.0.utf8.count }
    }

    func match(method: String, path: String) -> Match {
        guard let routes = byPath[path] ?? byPath[Self.parent(of: path)] else {
            return below.first { path.hasPrefix($0.prefix) }.map { .route($0.route) } ?? .noSuchPath
        }
        if let route = routes.first(where: {
            $0.method.isEmpty || $0.method == method || $0.method == "GET" && method == "HEAD"
        }) {
            return .route(route)
        }
        let allowed = routes.flatMap { $0.method == "GET" ? ["GET", "HEAD"] : [$0.method] }
        return .notAllowed(allowed.joined(separator: ", "))
    }

    /// `/a/*` for `/a/b`.
    private static func parent(of path: String) -> String {
        path.lastIndex(of: "/").map { "\(path[...$0])*" } ?? ""
    }
}
