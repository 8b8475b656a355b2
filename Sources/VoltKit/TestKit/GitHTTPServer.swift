internal import CVoltSystem
internal import Dispatch
internal import Glibc
internal import VoltCore
internal import VoltSystem

/// The repositories below a directory over HTTP, as `git http-backend` serves them: the smart protocol
/// for fetches, and for pushes into a repository that allows them. For the demo and for tests.
public final class GitHTTPServer: Sendable {
    /// The port at 127.0.0.1.
    public let port: UInt16
    private let listener: Int32
    private let directory: String

    /// Listens on a free port; `serve` answers.
    ///
    /// - Parameter directory: an absolute directory with bare repositories in it.
    public init(directory: String) throws {
        self.directory = directory
        (listener, port) = try LoopbackPort.listen()
    }

    deinit { close(listener) }

    /// Answers requests, each connection on a thread of its own, until `stop`.
    public func serve() {
        let queue = DispatchQueue(label: "git-http", attributes: .concurrent)
        while true {
            let connection = accept(listener, nil, nil)
            guard connection >= 0 else {
                if errno == EINTR || errno == ECONNABORTED { continue }
                return
            }
            _ = volt_set_cloexec(connection, 1)
            queue.async { [self] in
                answer(connection)
                close(connection)
            }
        }
    }

    /// Makes `serve` return.
    public func stop() { shutdown(listener, Int32(SHUT_RDWR)) }

    /// One request a connection, as HTTP/1.0 has it.
    private func answer(_ connection: Int32) {
        guard let request = ServedRequest(reading: connection) else { return }
        let base = "/tmp/volt-git-http-\(getpid())-\(UInt64.random(in: 0...UInt64.max))"
        defer { for suffix in ["in", "out"] { unlink("\(base).\(suffix)") } }
        do {
            let input = volt_open("\(base).in", O_RDWR | O_CREAT | O_EXCL, 0o600)
            try Files.write(request.body, to: input, named: base)
            lseek(input, 0, SEEK_SET)
            let output = volt_open("\(base).out", O_WRONLY | O_CREAT, 0o600)
            defer {
                close(input)
                close(output)
            }
            var environment = [
                "PATH": Environment.current["PATH"] ?? "/usr/bin:/bin", "GIT_PROJECT_ROOT": directory,
                "GIT_HTTP_EXPORT_ALL": "1", "REQUEST_METHOD": request.method, "PATH_INFO": request.path,
                "QUERY_STRING": request.query, "REMOTE_ADDR": "127.0.0.1",
                "CONTENT_LENGTH": String(request.body.count), "GIT_CONFIG_NOSYSTEM": "1",
                // The repositories may belong to another user than the server.
                "GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "safe.directory", "GIT_CONFIG_VALUE_0": "*",
            ]
            environment["CONTENT_TYPE"] = request.headers["content-type"]
            environment["HTTP_CONTENT_ENCODING"] = request.headers["content-encoding"]
            environment["HTTP_GIT_PROTOCOL"] = request.headers["git-protocol"]
            let pid = try Processes.spawnDetached(
                "/usr/bin/env", ["git", "http-backend"], environment: environment,
                descriptors: [0: input, 1: output])
            var status: Int32 = 0
            while waitpid(pid, &status, 0) < 0, errno == EINTR {}
            try send(try Files.read("\(base).out", limit: 1 << 30), to: connection)
        } catch {
            try? Files.write(
                Array(
                    "HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
                        .utf8),
                to: connection, named: "connection")
        }
    }

    /// Makes an HTTP answer of a CGI answer (RFC 3875, section 6).
    private func send(_ bytes: [UInt8], to connection: Int32) throws {
        var status = "200 OK"
        var head = ""
        var rest = bytes[...]
        while let end = rest.firstIndex(of: 10) {
            var line = rest[..<end]
            if line.last == 13 { line.removeLast() }
            rest = rest[(end + 1)...]
            if line.isEmpty { break }
            let text = String(decoding: line, as: UTF8.self)
            if text.lowercased().hasPrefix("status:") {
                status = String(text.dropFirst("status:".count).drop { $0 == " " })
            } else {
                head += "\(text)\r\n"
            }
        }
        let first = "HTTP/1.1 \(status)\r\n\(head)Content-Length: \(rest.count)\r\nConnection: close\r\n\r\n"
        try Files.write(Array(first.utf8) + rest, to: connection, named: "connection")
    }
}
