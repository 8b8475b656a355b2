import Glibc
import Testing
import VoltServer
import VoltTestKit

/// What a server makes of the bytes of a request.
@Suite(.timeLimit(.minutes(2))) struct HTTPRequestTests {
    /// A server that answers with what it read.
    private final class Subject: Sendable {
        let server: HTTPServer

        init(_ change: (inout HTTPLimits) -> Void = { _ in }) throws {
            var limits = HTTPLimits()
            // What is not answered ends soon.
            limits.headerSeconds = 2
            limits.bodySeconds = 2
            change(&limits)
            server = try HTTPServer(
                address: "127.0.0.1", port: 0,
                routes: [
                    HTTPRoute("", "/**") { request, reply in
                        var lines = ["\(request.method) \(request.path) ?\(request.query)"]
                        lines += request.headers.map { "\($0.name)=\($0.value)" }
                        lines.append("first=\(request["x-one"] ?? "none") count=\(request.count("X-ONE"))")
                        lines.append("all=\(request.all("x-One")) none=\(request["x"] ?? "none")")
                        lines.append(String(decoding: request.body, as: UTF8.self))
                        reply(HTTPResponse(200, lines.joined(separator: "\n")))
                    }
                ], limits: limits, threads: 1)
        }

        func client() throws -> HTTPClient { try HTTPClient(port: UInt16(server.port), timeoutSeconds: 20) }

        /// The status of the answer to bytes that come in pieces; nil when the connection ends without one.
        func status(_ text: String, piece: Int = .max) throws -> Int? {
            (try? client().receive(text, piece: piece))?.status
        }

        /// The body of a request with chunks that come in pieces.
        func body(_ chunks: String, piece: Int) throws -> (status: Int?, body: String) {
            let head = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
            let client = try client()
            try client.send(Array(head.utf8))
            let answer = try? client.receive(chunks, piece: piece)
            return (answer?.status, answer?.text.split(separator: "\n").last.map(String.init) ?? "")
        }

        deinit { server.stop() }
    }

    @Test("the parts of a request line, and fields in any case")
    func parts() throws {
        let subject = try Subject()
        let answer = try subject.client().receive(
            "POST /a/b?c=d?e HTTP/1.1\r\nHost: x\r\nX-One:  1 \t\r\nx-two:\r\nX-ONE: 2\r\nContent-length: 2\r\n\r\nok"
        )
        #expect(
            answer.text == """
                POST /a/b ?c=d?e
                Host=x
                X-One=1
                x-two=
                X-ONE=2
                Content-length=2
                first=1 count=2
                all=["1", "2"] none=none
                ok
                """)
    }

    @Test(
        "whether a connection is kept",
        arguments: [
            ("HTTP/1.1", "", true), ("HTTP/1.1", "Connection: close\r\n", false),
            ("HTTP/1.1", "Connection: upgrade, Close\r\n", false),
            ("HTTP/1.1", "Connection: closed\r\n", true), ("HTTP/1.0", "", false),
            ("HTTP/1.0", "Connection: Keep-Alive\r\n", true),
            ("HTTP/1.1", "Connection: Upgrade\r\nUpgrade: websocket\r\n", false),
        ])
    func keepsAlive(version: String, field: String, keeps: Bool) throws {
        let subject = try Subject()
        let client = try subject.client()
        let answer = try client.receive("GET /one \(version)\r\n\(field)\r\n")
        #expect(answer.status == 200)
        #expect((answer.headers["connection"] != "close") == keeps)
        let next = try? client.receive("GET /two HTTP/1.1\r\n\r\n")
        #expect((next?.text.hasPrefix("GET /two") == true) == keeps)
    }

    @Test("what follows a request for another protocol is not answered, and ends when it is long")
    func upgrade() throws {
        let subject = try Subject()
        let client = try subject.client()
        let one = "GET /one HTTP/1.1\r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\n"
        #expect(throws: HTTPClient.Failure.self) {
            #expect(try client.receive(one + "GET /two HTTP/1.1\r\n\r\n").text.hasPrefix("GET /one"))
            while true { try client.send([UInt8](repeating: 97, count: 1 << 16)) }
        }
        #expect(throws: HTTPClient.Failure.self) { try client.receive() }
    }

    @Test(
        "what two readers could read as two requests is refused",
        arguments: [
            " GET / HTTP/1.1\r\n\r\n",
            "GET /a b HTTP/1.1\r\n\r\n",
            "GET /\u{7f} HTTP/1.1\r\n\r\n", "G(T / HTTP/1.1\r\n\r\n", "GET / http/1.1\r\n\r\n",
            "GET / HTTP/1.1\r\nA : b\r\n\r\n", "GET / HTTP/1.1\r\n A: b\r\n\r\n",
            "GET / HTTP/1.1\r\nA: b\r\n c\r\n\r\n", "GET / HTTP/1.1\r\n: b\r\n\r\n",
            "GET / HTTP/1.1\r\nA: b\rc\r\n\r\n", "GET / HTTP/1.1\r\nA: \u{0}\r\n\r\n",
            "GET / HTTP/1.1\r\nA: b\nContent-Length: 1\r\n\r\n",
            "GET / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n",
            "GET / HTTP/1.1\r\nContent-Length: 1, 1\r\n\r\n", "GET / HTTP/1.1\r\nContent-Length: +1\r\n\r\n",
            "GET / HTTP/1.1\r\nContent-Length:\r\n\r\n",
            "GET / HTTP/1.1\r\nContent-Length: 99999999999999999999\r\n\r\n",
            "GET / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
            "GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n",
            "GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
            "GET / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n",
        ])
    func smuggling(text: String) throws {
        let subject = try Subject()
        #expect(try subject.status(text) == 400)
        #expect(try subject.status(text, piece: 1) == 400)
    }

    @Test("a refusal waits for the answers to the requests before it, and nothing behind it is read")
    func refusedBehind() throws {
        let subject = try Subject()
        let client = try subject.client()
        let one = "GET /one HTTP/1.1\r\n\r\n"
        #expect(try client.receive(one + "GET / HTTP/1.1\r\nA : b\r\n\r\n" + one).text.hasPrefix("GET /one"))
        #expect(try client.receive().status == 400)
        #expect(throws: HTTPClient.Failure.self) { try client.receive() }
    }

    @Test(
        "what does not end behind the version is of another version, and spaces between the parts do not count",
        arguments: [
            ("GET / HTTP/1.1\nHost: a\r\n\r\n", 505), ("GET / HTTP/1.1 \r\n\r\n", 505),
            ("GET /\r\n\r\n", 505), ("GET  / HTTP/1.1\r\n\r\n", 200), ("GET /  HTTP/1.1\r\n\r\n", 200),
        ])
    func requestLine(text: String, status: Int) throws {
        let subject = try Subject()
        #expect(try subject.status(text) == status)
        #expect(try subject.status(text, piece: 1) == status)
    }

    @Test("other versions, other transfer codings and too many fields have a status of their own")
    func statuses() throws {
        let subject = try Subject { $0.fields = 3 }
        for version in ["HTTP/2.0", "HTTP/1.2", "HTTP/0.9"] {
            #expect(try subject.status("GET / \(version)\r\n\r\n") == 505)
        }
        for coding in ["gzip, chunked", "identity", "xchunked"] {
            #expect(try subject.status("POST / HTTP/1.1\r\nTransfer-Encoding: \(coding)\r\n\r\n") == 501)
        }
        let fields = (0..<4).map { "A\($0): b\r\n" }
        #expect(try subject.status("GET / HTTP/1.1\r\n\(fields.joined())\r\n") == 431)
        #expect(try subject.status("GET / HTTP/1.1\r\n\(fields[..<3].joined())\r\n") == 200)
    }

    @Test("a header over its limit is 431, and one near it is taken")
    func headerLimit() throws {
        let subject = try Subject { $0.header = 1000 }
        let value = String(repeating: "a", count: 450)
        #expect(try subject.status("GET / HTTP/1.1\r\nA: \(value)\r\nB: \(value)\r\n\r\n") == 200)
        #expect(try subject.status("GET / HTTP/1.1\r\nA: \(value)\r\nB: \(value)\(value)\r\n\r\n") == 431)
        #expect(
            try subject.status("GET / HTTP/1.1\r\nA: \(value)\(value)\(value)\r\n\r\n", piece: 100) == 431)
        #expect(try subject.status("GET /\(value)\(value)\(value) HTTP/1.1\r\n\r\n", piece: 100) == 431)
    }

    @Test("the end of a head is found however its bytes come")
    func end() throws {
        let text = "GET /x HTTP/1.1\r\nX-One: b\r\n\r\n"
        let subject = try Subject()
        let client = try subject.client()
        for cut in 0...text.utf8.count {
            try client.send(Array(text.utf8.prefix(cut)))
            usleep(2000)
            let answer = try client.receive(String(decoding: text.utf8.dropFirst(cut), as: UTF8.self))
            #expect(answer.text.hasPrefix("GET /x ?\nX-One=b\nfirst=b count=1"))
        }
    }

    @Test("a body in chunks is the same in whatever pieces it comes", arguments: [1, 2, 3, 5, 100])
    func chunks(piece: Int) throws {
        let text = "4\r\nWiki\r\n00A;x=\"y\"\r\n0123456789\r\n1;z\r\n.\r\n0\r\nTrailer: one\r\n\r\n"
        let subject = try Subject()
        let whole = try subject.body(text, piece: piece)
        #expect(whole.status == 200 && whole.body == "Wiki0123456789.")
        #expect(try subject.body(String(text.dropLast()), piece: piece).status == nil)
    }

    @Test(
        "chunks that are not of the form are refused",
        arguments: [
            "4\nWiki\r\n0\r\n\r\n", "4\r\nWikix\r\n0\r\n\r\n", "4\r\nWiki\n0\r\n\r\n", "-1\r\n",
            "0x4\r\nWiki\r\n",
            " 4\r\nWiki\r\n", "4 \r\nWiki\r\n", "\r\n", ";a\r\n", "fffffffffffffffff\r\n", "0\r\nA\r\n\r\n",
            "0\r\nA: b\n\r\n", "4;a\rb\r\nWiki\r\n",
        ])
    func badChunks(text: String) throws {
        let subject = try Subject()
        #expect(try subject.body(text, piece: 1).status == 400)
        #expect(try subject.body(text, piece: 100).status == 400)
    }

    @Test("the fields behind the last chunk count as those of the header")
    func trailers() throws {
        let subject = try Subject { $0.header = 4000 }
        let trailer = "A: \(String(repeating: "b", count: 1000))\r\n"
        #expect(try subject.body("0\r\n" + String(repeating: trailer, count: 5), piece: 100).status == 431)
        #expect(try subject.body("0\r\n" + trailer + trailer + "\r\n", piece: 100).status == 200)
    }

    @Test("no name and no value of an answer ends its line")
    func answerFields() throws {
        let server = try HTTPServer(
            address: "127.0.0.1", port: 0,
            routes: [
                HTTPRoute("GET", "/") { _, reply in
                    let fields = [("A", "b\r\nC: d"), ("E\r\nF", "g"), ("H I", "j"), ("K", "l\u{0}m")]
                    reply(HTTPResponse(200, headers: fields, body: []))
                }
            ], threads: 1)
        defer { server.stop() }
        let headers = try HTTPClient(port: UInt16(server.port)).request("GET", "/").headers
        #expect(headers["a"] == "b  C: d" && headers["k"] == "l m")
        #expect(Set(headers.keys) == ["a", "k", "content-length"])
    }
}

extension HTTPClient {
    /// The answer to bytes that are sent in pieces.
    fileprivate func receive(_ text: String, piece: Int = .max) throws -> Answer {
        var rest = Array(text.utf8)[...]
        while !rest.isEmpty {
            // What was refused meanwhile is not sent to its end.
            guard (try? send(Array(rest.prefix(piece)))) != nil else { break }
            rest = rest.dropFirst(piece)
        }
        return try receive()
    }
}
