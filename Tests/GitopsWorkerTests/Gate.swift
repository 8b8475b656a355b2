import CVoltSystem
import Dispatch
import Glibc
import Synchronization
import VoltSystem
import VoltTestKit

/// A server that sees each HTTP request before the real one does, and can answer wrongly, late or never.
final class Gate: Sendable {
    enum Answer {
        case text(String)
        /// The answer of the real server at a port, and at most so many bytes of it before nothing more comes.
        case forward(UInt16, upTo: Int = .max)
        case hang
        /// What a proxy does after CONNECT: bytes go to and from a port, whatever was asked for.
        case tunnel(UInt16)
    }

    let port: UInt16
    private let listener: Int32
    private let log: Log

    /// What the threads of the connections write, apart from the gate so that they do not keep it.
    private final class Log: Sendable {
        let heads = Mutex<[String]>([])
    }

    /// The heads of all requests so far.
    var requests: [String] { log.heads.withLock { $0 } }

    init(_ answer: @escaping @Sendable (String) -> Answer) throws {
        let (listener, port) = try LoopbackPort.listen()
        self.listener = listener
        let log = Log()
        self.log = log
        self.port = port
        DispatchQueue(label: "gate").async { () -> Void in
            while true {
                let connection = accept(listener, nil, nil)
                guard connection >= 0 else { return }
                // A worker that a test starts must not hold the connection open.
                _ = volt_set_cloexec(connection, 1)
                DispatchQueue(label: "gate.connection").async { () -> Void in
                    defer { close(connection) }
                    while let request = Self.request(from: connection) {
                        let head = String(decoding: request.head, as: UTF8.self)
                        log.heads.withLock { $0.append(head) }
                        switch answer(head) {
                        case .hang: return Self.waitForEnd(of: connection)
                        case .text(let text):
                            try? Files.write(Array(text.utf8), to: connection, named: "gate")
                            return
                        case .tunnel(let port):
                            try? Files.write(
                                Array("HTTP/1.1 200 OK\r\n\r\n".utf8), to: connection, named: "gate")
                            return Self.relay(connection, port)
                        case .forward(let port, let limit):
                            let bytes = Self.ask(port, request.head + request.body)
                            try? Files.write(Array(bytes.prefix(limit)), to: connection, named: "gate")
                            if bytes.count > limit { Self.waitForEnd(of: connection) }
                            return
                        }
                    }
                }
            }
        }
    }

    deinit {
        shutdown(listener, Int32(SHUT_RDWR))
        close(listener)
    }

    private static func loopback(_ port: UInt16) -> sockaddr_in {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = inet_addr("127.0.0.1")
        address.sin_port = port.bigEndian
        return address
    }

    static func connect(to port: UInt16) -> Int32? {
        let connection = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        var address = loopback(port)
        let result = withUnsafeMutablePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                Glibc.connect(connection, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        if result == 0 { return connection }
        close(connection)
        return nil
    }

    private static func relay(_ connection: Int32, _ port: UInt16) {
        guard let server = connect(to: port) else { return }
        defer { close(server) }
        while true {
            var watched = [connection, server].map { pollfd(fd: $0, events: Int16(POLLIN), revents: 0) }
            guard poll(&watched, 2, -1) > 0 else { return }
            for (from, to) in [(0, server), (1, connection)] where watched[from].revents != 0 {
                guard let bytes = part(of: watched[from].fd) else { return }
                try? Files.write(bytes, to: to, named: "gate")
            }
        }
    }

    private static func ask(_ port: UInt16, _ bytes: [UInt8]) -> [UInt8] {
        guard let connection = connect(to: port) else { return [] }
        defer { close(connection) }
        try? Files.write(bytes, to: connection, named: "server")
        var answer: [UInt8] = []
        while let part = part(of: connection) { answer += part }
        return answer
    }

    private static func part(of connection: Int32) -> [UInt8]? {
        var buffer = [UInt8](repeating: 0, count: 1 << 16)
        let count = read(connection, &buffer, buffer.count)
        return count > 0 ? Array(buffer[..<count]) : nil
    }

    private static func waitForEnd(of connection: Int32) { while part(of: connection) != nil {} }

    /// The head with its empty line, and the body, chunked or not, as it came.
    private static func request(from connection: Int32) -> (head: [UInt8], body: [UInt8])? {
        var bytes: [UInt8] = []
        let end = Array("\r\n\r\n".utf8)
        func position(_ needle: [UInt8]) -> Int? {
            guard bytes.count >= needle.count else { return nil }
            return (0...bytes.count - needle.count).first {
                bytes[$0..<$0 + needle.count].elementsEqual(needle)
            }
        }
        while position(end) == nil {
            guard let part = part(of: connection) else { return nil }
            bytes += part
        }
        guard let start = position(end) else { return nil }
        let head = Array(bytes[..<(start + 4)])
        let fields = String(decoding: head, as: UTF8.self).lowercased().split(separator: "\r\n")
        let length =
            fields.first { $0.hasPrefix("content-length:") }.flatMap {
                Int($0.dropFirst(15).drop { $0 == " " })
            } ?? 0
        let isChunked = fields.contains { $0.hasPrefix("transfer-encoding:") && $0.contains("chunked") }
        let last = Array("0\r\n\r\n".utf8)
        while isChunked ? !bytes.suffix(5).elementsEqual(last) : bytes.count < head.count + length {
            guard let part = part(of: connection) else { return nil }
            bytes += part
        }
        return (head, Array(bytes[head.count...]))
    }
}
