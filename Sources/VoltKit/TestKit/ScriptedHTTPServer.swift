internal import CVoltSystem
internal import Glibc
internal import Synchronization
internal import VoltSystem

/// A server at 127.0.0.1 that keeps every request and answers as a closure says: also with nothing, or
/// with bytes that are no HTTP. For tests of clients.
public final class ScriptedHTTPServer: Sendable {
    /// What a request gets.
    public enum Reply: Sendable {
        /// A status, header fields and a body.
        case answer(Int, headers: [(String, String)] = [], body: String = "")
        /// Bytes as they are, before the connection is closed.
        case raw([UInt8])
        /// Bytes, then what the closure does, then more bytes.
        case parts([UInt8], @Sendable () -> Void, [UInt8])
        /// Bytes again and again, until the client goes away.
        case endless(head: String)
        /// Nothing, until the server stops or the client goes away.
        case silence
    }

    /// The port at 127.0.0.1.
    public let port: UInt16
    /// `http://127.0.0.1:<port>`.
    public var origin: String { "http://127.0.0.1:\(port)" }
    private let listener: Int32
    private let state = Mutex(State())
    private let script: @Sendable (ServedRequest) -> Reply

    private struct State {
        var requests: [ServedRequest] = []
        var connections: Set<Int32> = []
    }

    /// Listens on a free port and answers from then on.
    ///
    /// - Parameter script: called for each request, on a thread of its connection.
    public init(_ script: @escaping @Sendable (ServedRequest) -> Reply) throws {
        self.script = script
        (listener, port) = try LoopbackPort.listen()
        let descriptor = listener
        // A client that is gone must not end the test.
        signal(SIGPIPE, SIG_IGN)
        Thread.start { [weak self] in
            while true {
                let connection = accept(descriptor, nil, nil)
                if connection < 0, errno == EINTR || errno == ECONNABORTED { continue }
                guard connection >= 0 else { return }
                guard let self else {
                    close(connection)
                    return
                }
                _ = volt_set_cloexec(connection, 1)
                serve(connection)
            }
        }
    }

    deinit { stop() }

    /// The requests so far, in the order they came.
    public var requests: [ServedRequest] { state.withLock { $0.requests } }

    /// Stops to listen and closes what is open.
    public func stop() {
        shutdown(listener, Int32(SHUT_RDWR))
        state.withLock { state in
            for connection in state.connections { shutdown(connection, Int32(SHUT_RDWR)) }
        }
    }

    private func serve(_ connection: Int32) {
        state.withLock { _ = $0.connections.insert(connection) }
        Thread.start { [self] in
            defer {
                state.withLock { _ = $0.connections.remove(connection) }
                close(connection)
            }
            guard let request = ServedRequest(reading: connection) else { return }
            state.withLock { $0.requests.append(request) }
            switch script(request) {
            case .answer(let status, let headers, let body):
                var head = "HTTP/1.1 \(status) \(status < 400 ? "OK" : "Bad")\r\n"
                for (name, value) in headers { head += "\(name): \(value)\r\n" }
                head += "Content-Length: \(body.utf8.count)\r\nConnection: close\r\n\r\n"
                try? Files.write(Array((head + body).utf8), to: connection, named: "connection")
            case .raw(let bytes): try? Files.write(bytes, to: connection, named: "connection")
            case .parts(let first, let pause, let second):
                try? Files.write(first, to: connection, named: "connection")
                pause()
                try? Files.write(second, to: connection, named: "connection")
            case .endless(let head):
                let part = [UInt8](repeating: UInt8(ascii: "x"), count: 1 << 16)
                guard (try? Files.write(Array(head.utf8), to: connection, named: "connection")) != nil else {
                    return
                }
                while (try? Files.write(part, to: connection, named: "connection")) != nil {}
            case .silence:
                var byte: UInt8 = 0
                while read(connection, &byte, 1) > 0 {}
            }
        }
    }
}

/// A thread that ends by itself. A pool of libdispatch would run out of threads on servers that wait.
private enum Thread {
    static func start(_ body: @escaping @Sendable () -> Void) {
        var attributes = pthread_attr_t()
        pthread_attr_init(&attributes)
        pthread_attr_setdetachstate(&attributes, Int32(PTHREAD_CREATE_DETACHED))
        defer { pthread_attr_destroy(&attributes) }
        var thread = pthread_t()
        let box = Unmanaged.passRetained(Box(body))
        let result = pthread_create(
            &thread, &attributes,
            { context in
                if let context { Unmanaged<Box>.fromOpaque(context).takeRetainedValue().body() }
                return nil
            }, box.toOpaque())
        if result != 0 { box.release() }
    }

    private final class Box: Sendable {
        let body: @Sendable () -> Void
        init(_ body: @escaping @Sendable () -> Void) { self.body = body }
    }
}
