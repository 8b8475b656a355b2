internal import Glibc
internal import VoltCore
internal import VoltSystem

/// A blocking HTTP/1.1 client over one kept connection, for tests that talk to a real server.
///
/// It reads answers with a `Content-Length` or with chunks, up to 64 MiB.
public final class HTTPClient {
    /// What a server answered.
    public struct Answer: Sendable {
        /// The status code.
        public let status: Int
        /// The header fields, with names in lower case.
        public let headers: [String: String]
        /// The bytes of the body.
        public let body: [UInt8]
        /// The body as text.
        public var text: String { String(decoding: body, as: UTF8.self) }
    }

    /// The connection broke or the answer was not HTTP.
    public struct Failure: Error, CustomStringConvertible {
        /// What went wrong.
        public let description: String
    }

    private let descriptor: Int32
    private let host: String
    private var buffer: [UInt8] = []

    /// Connects to a port of the loopback interface.
    ///
    /// - Parameters:
    ///   - port: the port at 127.0.0.1.
    ///   - timeoutSeconds: how long a read or a write may take.
    public init(port: UInt16, timeoutSeconds: Int = 30) throws {
        host = "127.0.0.1:\(port)"
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { throw Failure(description: SystemError.current.reason) }
        var limit = timeval(tv_sec: timeoutSeconds, tv_usec: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        var on: Int32 = 1
        setsockopt(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &on, socklen_t(MemoryLayout<Int32>.size))
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = inet_addr("127.0.0.1")
        let result = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard result == 0 else {
            // The socket is closed by deinit, which runs when init throws with everything set.
            throw Failure(description: "cannot connect to \(host): \(SystemError.current.reason)")
        }
    }

    deinit { close(descriptor) }

    /// Sends a request and reads its answer.
    ///
    /// - Parameter headers: fields besides `Host` and `Content-Length`.
    public func request(
        _ method: String, _ path: String, headers: [(String, String)] = [], body: [UInt8] = []
    ) throws -> Answer {
        var head = "\(method) \(path) HTTP/1.1\r\nHost: \(host)\r\n"
        for (name, value) in headers { head += "\(name): \(value)\r\n" }
        if !body.isEmpty || method == "POST" { head += "Content-Length: \(body.count)\r\n" }
        try send(Array((head + "\r\n").utf8) + body)
        return try receive(bodyless: method == "HEAD")
    }

    /// Sends bytes as they are, for requests that are wrong on purpose.
    public func send(_ bytes: [UInt8]) throws {
        do { try Files.write(bytes, to: descriptor, named: host) } catch {
            throw Failure(description: error.message)
        }
    }

    /// Reads one answer.
    ///
    /// - Parameter bodyless: whether the answer has no body, as the one to HEAD.
    public func receive(bodyless: Bool = false) throws -> Answer {
        while true {
            let lines = try headLines()
            let words = lines[0].split(separator: " ", maxSplits: 2)
            guard words.count >= 2, words[0].hasPrefix("HTTP/1."), let status = Int(words[1]) else {
                throw Failure(description: "'\(lines[0])' is not a status line")
            }
            if status == 100 { continue }
            var headers: [String: String] = [:]
            for line in lines.dropFirst() {
                let parts = line.split(separator: ":", maxSplits: 1)
                guard parts.count == 2 else { continue }
                let value = parts[1].drop { $0 == " " }
                headers[parts[0].lowercased()] = String(value)
            }
            var body: [UInt8] = []
            if !bodyless, status != 204, status != 304 {
                if headers["transfer-encoding"] == "chunked" {
                    body = try chunks()
                } else if let length = headers["content-length"].flatMap(Int.init) {
                    body = try take(length)
                }
            }
            return Answer(status: status, headers: headers, body: body)
        }
    }

    private func headLines() throws -> [String] {
        var lines: [String] = []
        while true {
            let line = try takeLine()
            if !line.isEmpty {
                lines.append(line)
            } else if !lines.isEmpty {
                return lines
            }
        }
    }

    private func chunks() throws -> [UInt8] {
        var body: [UInt8] = []
        while true {
            guard let size = Int(try takeLine().prefix { $0 != ";" }, radix: 16) else {
                throw Failure(description: "not a chunk")
            }
            body += try take(size)
            _ = try takeLine()
            if size == 0 { return body }
        }
    }

    private func takeLine() throws -> String {
        while true {
            if let end = buffer.firstIndex(of: 10) {
                var line = buffer[..<end]
                if line.last == 13 { line.removeLast() }
                let text = String(decoding: line, as: UTF8.self)
                buffer.removeSubrange(...end)
                return text
            }
            try fill()
        }
    }

    private func take(_ count: Int) throws -> [UInt8] {
        guard count <= 64 << 20 else { throw Failure(description: "an answer of \(count) bytes") }
        while buffer.count < count { try fill() }
        let bytes = Array(buffer[..<count])
        buffer.removeSubrange(..<count)
        return bytes
    }

    private func fill() throws {
        var part = [UInt8](repeating: 0, count: 1 << 16)
        let count = read(descriptor, &part, part.count)
        guard count != 0 else { throw Failure(description: "the server closed the connection") }
        guard count > 0 else { throw Failure(description: SystemError.current.reason) }
        buffer += part[..<count]
    }
}
