import Glibc
import Synchronization
import Testing
import VoltCore
import VoltServer
import VoltSystem
import VoltTestKit

/// A server with an echo, a page, and a route whose answers the test lets go.
private final class Subject: Sendable {
    let server: HTTPServer
    private let held: Held

    private final class Held: Sendable {
        let answers = Mutex<[@Sendable (HTTPResponse) -> Void]>([])
    }

    init(_ change: (inout HTTPLimits) -> Void = { _ in }) throws {
        var limits = HTTPLimits()
        change(&limits)
        let held = Held()
        self.held = held
        server = try HTTPServer(
            address: "127.0.0.1", port: 0,
            routes: [
                HTTPRoute("GET", "/page") { _, reply in reply(HTTPResponse(200, "page\n")) },
                HTTPRoute("POST", "/echo") { request, reply in
                    var response = HTTPResponse(200, "")
                    response.body = request.body
                    reply(response)
                },
                HTTPRoute("POST", "/json", mediaTypes: ["application/json"]) { _, reply in
                    reply(HTTPResponse(202, "{}\n", type: "application/json"))
                },
                HTTPRoute("GET", "/held") { _, reply in held.answers.withLock { $0.append(reply) } },
            ], limits: limits, threads: 1)
    }

    func client() throws -> HTTPClient { try HTTPClient(port: UInt16(server.port), timeoutSeconds: 20) }

    /// Waits until a request to `/held` has come; at most ten seconds.
    func awaitHeld() {
        let end = ContinuousClock.now + .seconds(10)
        while held.answers.withLock({ $0.isEmpty }), ContinuousClock.now < end { usleep(1000) }
    }

    /// Answers the requests to `/held`.
    func letGo() {
        for reply in held.answers.withLock({ $0 }) { reply(HTTPResponse(200, "late\n")) }
    }

    deinit { server.stop() }
}

@Suite(.timeLimit(.minutes(2))) struct HTTPServerTests {
    @Test("what a server opens is not inherited by the programs that its process starts")
    func closeOnExec() throws {
        func open() throws -> [String: String] {
            var open: [String: String] = [:]
            for name in try Files.list("/proc/self/fd") {
                var buffer = [CChar](repeating: 0, count: 256)
                guard readlink("/proc/self/fd/\(name)", &buffer, 255) > 0 else { continue }
                open[name] = String(
                    decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
            }
            return open
        }
        let before = try open()
        let subject = try Subject()
        let client = try subject.client()
        #expect(try client.request("GET", "/page").status == 200)
        let new = try open().filter { before[$0.key] != $0.value }
        // A loop, the socket that listens, and both ends of a connection.
        #expect(new.values.filter { $0.hasPrefix("socket:") }.count >= 3)
        #expect(new.values.contains { $0.contains("eventpoll") })
        for (name, link) in new {
            guard let number = Int32(name) else { continue }
            let flags = fcntl(number, F_GETFD)
            #expect(flags < 0 || flags & FD_CLOEXEC != 0, "\(link)")
        }
    }

    @Test("a kept connection answers one request after the other")
    func keepAlive() throws {
        let subject = try Subject()
        let client = try subject.client()
        for number in 0..<50 {
            let answer = try client.request("POST", "/echo", body: Array("body \(number)".utf8))
            #expect(answer.status == 200)
            #expect(answer.text == "body \(number)")
        }
    }

    @Test("requests sent at once are answered in their order")
    func pipelining() throws {
        let subject = try Subject()
        let client = try subject.client()
        let one = "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\n"
        try client.send(Array(((0..<9).map { one + String($0) }).joined().utf8))
        for number in 0..<9 { #expect(try client.receive().text == String(number)) }
    }

    @Test("bodies that are sent at once are taken each for its request")
    func pipelinedBodies() throws {
        let subject = try Subject()
        let client = try subject.client()
        let bodies = (0..<8).map { [UInt8](repeating: 97 + $0, count: 100_000) }
        // The server reads some of a body after it answered the request before.
        for body in bodies {
            try client.send(
                Array("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: \(body.count)\r\n\r\n".utf8) + body)
        }
        for body in bodies { #expect(try client.receive().body == body) }
    }

    @Test("requests that wait for an answer are not read without end, and are all answered")
    func pipelinedBehind() throws {
        let subject = try Subject()
        let client = try subject.client()
        try client.send(Array("GET /held HTTP/1.1\r\nHost: a\r\n\r\n".utf8))
        subject.awaitHeld()
        let body = String(repeating: "x", count: 50_000)
        let one = "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)"
        for _ in 0..<6 { try client.send(Array(one.utf8)) }
        subject.letGo()
        #expect(try client.receive().text == "late\n")
        for _ in 0..<6 { #expect(try client.receive().body.count == 50_000) }
    }

    @Test("a header that comes byte by byte, with an empty line before it, is a request")
    func byteByByte() throws {
        let subject = try Subject()
        let client = try subject.client()
        for byte in "\r\nPOST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nok".utf8 {
            try client.send([byte])
        }
        #expect(try client.receive().text == "ok")
        #expect(try client.request("GET", "/page").text == "page\n")
    }

    @Test("HEAD is answered where GET is, with the length and without the body")
    func head() throws {
        let subject = try Subject()
        let client = try subject.client()
        let answer = try client.request("HEAD", "/page")
        #expect(answer.status == 200)
        #expect(answer.headers["content-length"] == "5")
        #expect(try client.request("GET", "/page").text == "page\n")
    }

    @Test(
        "what a server does not have is refused",
        arguments: [
            ("GET", "/none", 404, nil), ("GET", "/page/", 404, nil), ("POST", "/page", 405, "GET, HEAD"),
            ("GET", "/echo", 405, "POST"), ("DELETE", "/echo", 405, "POST"),
        ] as [(String, String, Int, String?)])
    func refusals(method: String, path: String, status: Int, allow: String?) throws {
        let subject = try Subject()
        let answer = try subject.client().request(method, path)
        #expect(answer.status == status)
        #expect(answer.headers["allow"] == allow)
    }

    @Test(
        "a body of another media type is 415",
        arguments: [
            ("application/json", 202), ("application/JSON; charset=utf-8", 202), ("text/plain", 415),
            ("", 415),
        ])
    func mediaTypes(type: String, status: Int) throws {
        let subject = try Subject()
        let answer = try subject.client().request(
            "POST", "/json", headers: [("Content-Type", type)], body: [123, 125])
        #expect(answer.status == status)
    }

    @Test("a Content-Length over the limit is 413 before a byte of the body is sent")
    func announcedLength() throws {
        let subject = try Subject { $0.body = 1000 }
        let client = try subject.client()
        try client.send(Array("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 1001\r\n\r\n".utf8))
        #expect(try client.receive().status == 413)
        #expect(throws: HTTPClient.Failure.self) { try client.receive() }
    }

    @Test("a chunked body over the limit is 413 while it is read, and one at the limit is taken")
    func chunkedLength() throws {
        let subject = try Subject { $0.body = 1000 }
        let part = "1F4\r\n" + String(repeating: "x", count: 500) + "\r\n"
        let head = "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
        let client = try subject.client()
        try client.send(Array((head + part + part + "0\r\n\r\n").utf8))
        #expect(try client.receive().body.count == 1000)
        let other = try subject.client()
        try other.send(Array((head + part + part + part).utf8))
        #expect(try other.receive().status == 413)
    }

    @Test("Expect: 100-continue gets its 100")
    func expectContinue() throws {
        let subject = try Subject()
        let client = try subject.client()
        try client.send(
            Array("POST /echo HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n".utf8))
        try client.send(Array("ok".utf8))
        #expect(try client.receive().text == "ok")
    }

    @Test(
        "what is not HTTP is 400 or closed, and the server goes on",
        arguments: [
            "hello\r\n\r\n", "GET /page HTTP/9.9\r\n\r\n", "GET /page HTTP/1.1\r\nHost a\r\n\r\n",
            "POST /echo HTTP/1.1\r\nContent-Length: x\r\n\r\n",
            "POST /echo HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
            "POST /echo HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
            "POST /echo HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", "\u{0}\u{1}\u{2}\u{3}",
        ])
    func malformed(bytes: String) throws {
        let subject = try Subject { $0.headerSeconds = 1 }
        let client = try subject.client()
        try client.send(Array(bytes.utf8))
        let status = (try? client.receive())?.status
        #expect(status == nil || status == 400 || status == 505)
        #expect(try subject.client().request("GET", "/page").status == 200)
    }

    @Test("a header that never ends is cut at its limit")
    func hugeHeader() throws {
        let subject = try Subject()
        let client = try subject.client()
        var failed = false
        do {
            try client.send(Array("GET /page HTTP/1.1\r\n".utf8))
            for number in 0..<1000 {
                try client.send(Array("X-\(number): \(String(repeating: "a", count: 1000))\r\n".utf8))
            }
            let answer = try client.receive()
            failed = answer.status == 431 || answer.status == 400
        } catch { failed = true }
        #expect(failed)
        #expect(try subject.client().request("GET", "/page").status == 200)
    }

    @Test("a header that comes byte by byte ends the connection after the time for headers")
    func slowHeader() throws {
        let subject = try Subject { $0.headerSeconds = 1 }
        let client = try subject.client()
        let start = ContinuousClock.now
        try client.send(Array("GET /page HT".utf8))
        #expect(throws: HTTPClient.Failure.self) { try client.receive() }
        #expect(ContinuousClock.now - start < .seconds(10))
    }

    @Test("a body that does not come ends the connection after the time for bodies")
    func slowBody() throws {
        let subject = try Subject { $0.bodySeconds = 1 }
        let client = try subject.client()
        try client.send(Array("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc".utf8))
        #expect(throws: HTTPClient.Failure.self) { try client.receive() }
    }

    @Test(
        "a request that drips byte by byte is ended after the time for the whole of it",
        arguments: [
            "GET /page HTTP/1.1\r\nHost: ",
            "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n",
        ])
    func drip(start: String) throws {
        let subject = try Subject {
            $0.headerSeconds = 1
            $0.bodySeconds = 1
        }
        let client = try subject.client()
        let begin = ContinuousClock.now
        try client.send(Array(start.utf8))
        // A byte each 20 ms keeps any clock awake that begins anew with each.
        #expect(throws: HTTPClient.Failure.self) {
            while ContinuousClock.now - begin < .seconds(15) {
                try client.send([UInt8(ascii: "a")])
                usleep(20_000)
            }
        }
        #expect(ContinuousClock.now - begin < .seconds(10))
    }

    @Test("a client that sends requests and reads no answer is not read from any more, and then closed")
    func readsNothing() throws {
        let subject = try Subject {
            $0.headerSeconds = 2
            $0.bodySeconds = 2
            $0.idleSeconds = 2
        }
        let client = try subject.client()
        let body = String(repeating: "x", count: 64 << 10)
        let requests = Array("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 65536\r\n\r\n\(body)".utf8)
        var sent = 0
        // The buffers of both sockets take some megabytes; without a limit it would go on for ever.
        #expect(throws: HTTPClient.Failure.self) {
            while sent < 1 << 28 {
                try client.send(requests)
                sent += requests.count
            }
        }
        #expect(sent < 1 << 28)
        #expect(try subject.client().request("GET", "/page").status == 200)
    }

    @Test("bodies that are too large together are 503, and there is room again when one has ended")
    func bodiesTogether() throws {
        let subject = try Subject { $0.bodies = 1000 }
        let holder = try subject.client()
        let part = [UInt8](repeating: 97, count: 800)
        try holder.send(Array("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 900\r\n\r\n".utf8) + part)
        func other() throws -> Int {
            try subject.client().request("POST", "/echo", body: [UInt8](repeating: 98, count: 500)).status
        }
        let end = ContinuousClock.now + .seconds(10)
        while try other() != 503 { try #require(ContinuousClock.now < end, "all bodies were taken") }
        try holder.send([UInt8](repeating: 97, count: 100))
        #expect(try holder.receive().body.count == 900)
        #expect(try other() == 200)
    }

    @Test("a connection that says nothing is closed after the time for silence")
    func idle() throws {
        let subject = try Subject { $0.idleSeconds = 1 }
        let client = try subject.client()
        #expect(try client.request("GET", "/page").status == 200)
        #expect(throws: HTTPClient.Failure.self) { try client.receive() }
    }

    @Test("more connections of one address than allowed are closed, and a place that is left is given again")
    func connectionsPerAddress() throws {
        let subject = try Subject { $0.connectionsPerAddress = 2 }
        var first: HTTPClient? = try subject.client()
        let second = try subject.client()
        #expect(try first?.request("GET", "/page").status == 200)
        #expect(try second.request("GET", "/page").status == 200)
        let third = try subject.client()
        #expect(throws: HTTPClient.Failure.self) { try third.request("GET", "/page") }
        first = nil
        let end = ContinuousClock.now + .seconds(10)
        var status: Int?
        while status == nil, ContinuousClock.now < end {
            status = (try? subject.client().request("GET", "/page"))?.status
        }
        #expect(status == 200)
    }

    @Test("stopping lets a request that is being answered end, and takes no more")
    func gracefulStop() throws {
        let subject = try Subject()
        let port = UInt16(subject.server.port)
        let busy = try subject.client()
        try busy.send(Array("GET /held HTTP/1.1\r\nHost: a\r\n\r\n".utf8))
        subject.awaitHeld()
        let stopped = Mutex(false)
        let answer = try withThread {
            subject.server.stop()
            stopped.withLock { $0 = true }
        } while: {
            // The listening socket is closed first.
            let end = ContinuousClock.now + .seconds(10)
            while (try? HTTPClient(port: port)) != nil, ContinuousClock.now < end { usleep(1000) }
            #expect(!stopped.withLock { $0 })
            subject.letGo()
            return try busy.receive()
        }
        #expect(answer.text == "late\n")
        #expect(answer.headers["connection"] == "close")
        #expect(stopped.withLock { $0 })
    }

    @Test("a port that is taken is an error with the code for a missing component")
    func taken() throws {
        let subject = try Subject()
        let error = #expect(throws: VoltError.self) {
            try HTTPServer(address: "127.0.0.1", port: subject.server.port, routes: [], threads: 1)
        }
        #expect(error?.code == .missing)
        #expect(error?.message.contains("127.0.0.1:\(subject.server.port)") == true)
    }
}

/// Runs one thing on a thread of its own while another runs here, and waits for both.
private func withThread<Result>(
    _ body: @escaping @Sendable () -> Void, while other: () throws -> Result
) rethrows -> Result {
    var thread = pthread_t()
    let argument = Unmanaged.passRetained(ThreadBody(run: body)).toOpaque()
    pthread_create(
        &thread, nil,
        { pointer in
            if let pointer { Unmanaged<ThreadBody>.fromOpaque(pointer).takeRetainedValue().run() }
            return nil
        }, argument)
    defer { pthread_join(thread, nil) }
    return try other()
}

private final class ThreadBody {
    let run: @Sendable () -> Void
    init(run: @escaping @Sendable () -> Void) { self.run = run }
}

@Suite(.timeLimit(.minutes(1))) struct HandedSocketTests {
    @Test("what connects between two servers on a socket that is kept open is answered by the second")
    func handOver() throws {
        let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(listener) }
        // sockaddr_in of 127.0.0.1, any port.
        let address: [UInt8] = [UInt8(AF_INET), 0, 0, 0, 127, 0, 0, 1] + [UInt8](repeating: 0, count: 8)
        let bound = address.withUnsafeBytes { bytes in
            bytes.withMemoryRebound(to: sockaddr.self) { names in
                bind(listener, names.baseAddress, socklen_t(address.count))
            }
        }
        try #require(bound == 0 && listen(listener, 16) == 0)
        func server(_ word: String) throws -> HTTPServer {
            try HTTPServer(
                address: nil, port: 0, socket: dup(listener),
                routes: [HTTPRoute("GET", "/word") { _, reply in reply(HTTPResponse(200, word)) }], threads: 1
            )
        }
        let first = try server("first")
        let port = UInt16(first.port)
        try #require(port != 0)
        #expect(try HTTPClient(port: port).request("GET", "/word").text == "first")
        first.stop()
        let between = try HTTPClient(port: port)
        let second = try server("second")
        defer { second.stop() }
        #expect(try between.request("GET", "/word").text == "second")
    }

    @Test("a connection that was just made is answered by a server that stops")
    func fresh() throws {
        let server = try HTTPServer(
            address: "127.0.0.1", port: 0,
            routes: [HTTPRoute("GET", "/word") { _, reply in reply(HTTPResponse(200, "word")) }], threads: 1)
        let served = try HTTPClient(port: UInt16(server.port))
        #expect(try served.request("GET", "/word").status == 200)
        let fresh = try HTTPClient(port: UInt16(server.port))
        // The server has accepted it when it answers one that came later.
        #expect(try HTTPClient(port: UInt16(server.port)).request("GET", "/word").status == 200)
        let text = try withThread {
            server.stop()
        } while: {
            let end = ContinuousClock.now + .seconds(10)
            while (try? HTTPClient(port: UInt16(server.port))) != nil, ContinuousClock.now < end {
                usleep(1000)
            }
            return try fresh.request("GET", "/word").text
        }
        #expect(text == "word")
    }
}
