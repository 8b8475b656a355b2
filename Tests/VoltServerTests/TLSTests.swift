import Glibc
import Testing
import VoltCore
import VoltServer
import VoltSystem
import VoltTestKit

/// A directory with keys and certificates that openssl made.
private final class Certificates {
    let scratch: String
    let tool: ToolRunner

    init() throws {
        scratch =
            "\(Environment.current["TMPDIR"] ?? "/tmp")/volt-tls-\(getpid())-\(UInt32.random(in: 0...UInt32.max))"
        try Files.makeDirectory(scratch)
        tool = ToolRunner(scratch: scratch)
        try make("server", name: "first.example")
    }

    deinit { try? Files.removeTree(scratch) }

    /// `NAME.pem` and `NAME.key`, signed by itself.
    func make(_ file: String, name: String, days: String = "30") throws {
        let result = try tool(
            "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
            "-days", days, "-subj", "/CN=\(name)", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1",
            "-keyout", "\(file).key", "-out", "\(file).pem")
        try #require(result.status == 0, "\(result.stderr)")
    }

    func path(_ name: String) -> String { "\(scratch)/\(name)" }

    func identity(_ file: String = "server") throws -> TLSIdentity {
        try TLSIdentity(certificateFile: path("\(file).pem"), keyFile: path("\(file).key"))
    }
}

/// An HTTPS server on a port of its own.
private final class Subject {
    let certificates: Certificates
    let identity: TLSIdentity
    let server: HTTPServer

    init(_ change: (inout HTTPLimits) -> Void = { _ in }) throws {
        var limits = HTTPLimits()
        change(&limits)
        certificates = try Certificates()
        identity = try certificates.identity()
        server = try HTTPServer(
            address: "127.0.0.1", port: 0,
            routes: [
                HTTPRoute("GET", "/page") { _, reply in reply(HTTPResponse(200, "page\n")) },
                HTTPRoute("POST", "/echo") { request, reply in
                    var response = HTTPResponse(200, "")
                    response.body = request.body
                    reply(response)
                },
            ], limits: limits, threads: 1, tls: identity)
    }

    deinit { server.stop() }

    func curl(_ words: String...) throws -> ToolRunner.Result {
        try certificates.tool.run(
            ["curl", "-sS", "--max-time", "20", "--cacert", certificates.path("server.pem")] + words)
    }

    func url(_ path: String) -> String { "https://127.0.0.1:\(server.port)\(path)" }

    /// `openssl s_client` with a request, or with nothing, as its input.
    func client(_ words: String..., input: String = "") throws -> ToolRunner.Result {
        try certificates.tool.run(
            ["timeout", "20", "openssl", "s_client", "-connect", "127.0.0.1:\(server.port)"] + words,
            input: input)
    }

    /// A plain connection: TLS has to be written by hand.
    func raw() throws -> HTTPClient { try HTTPClient(port: UInt16(server.port), timeoutSeconds: 20) }

    /// The server still answers.
    func expectAlive() throws {
        let answer = try curl(url("/page"))
        #expect(answer.stdout == "page\n", "\(answer.stderr)")
    }
}

@Suite(
    .timeLimit(.minutes(2)),
    .enabled(
        if: Files.exists("/usr/bin/curl") && Files.exists("/usr/bin/openssl"), "needs curl and openssl"))
struct TLSTests {
    @Test("curl gets a page by TLS 1.2 and by 1.3, with HTTP/1.1 chosen", arguments: ["1.2", "1.3"])
    func page(version: String) throws {
        let subject = try Subject()
        let answer = try subject.curl(
            "--tlsv\(version)", "--tls-max", version, "-w", "%{http_version} %{ssl_verify_result}",
            subject.url("/page"))
        #expect(answer.stdout == "page\n1.1 0", "\(answer.stderr)")
    }

    @Test(
        "a kept connection takes one request after the other, and a body of several records comes back whole")
    func bodies() throws {
        let subject = try Subject()
        let body = String((0..<2_000_000).map { Character(UnicodeScalar(UInt8(33 + $0 * 7919 % 90))) })
        try Files.replace(subject.certificates.path("body"), with: body.utf8)
        let upload = ["--data-binary", "@body", subject.url("/echo")]
        let answer = try subject.certificates.tool.run(
            ["curl", "-sS", "-w", "%{num_connects}", "--cacert", "server.pem"] + upload + ["--next", "-sS"]
                + ["--cacert", "server.pem", "-w", "%{num_connects}"] + upload)
        #expect(answer.stdout == body + "1" + body + "0", "\(answer.stderr)")
    }

    @Test(
        "TLS 1.1 and ciphers without forward secrecy are refused",
        arguments: [
            ["-tls1_1", "-cipher", "ALL:@SECLEVEL=0"], ["-tls1_2", "-cipher", "AES128-SHA"],
            ["-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-SHA"],
        ])
    func oldProtocols(words: [String]) throws {
        let subject = try Subject()
        let result = try subject.certificates.tool.run(
            ["timeout", "20", "openssl", "s_client", "-connect", "127.0.0.1:\(subject.server.port)"] + words)
        #expect(result.status != 0)
        #expect(result.stdout.contains("Cipher is (NONE)"), "\(result.stdout)\(result.stderr)")
        try subject.expectAlive()
    }

    @Test("a client that offers other protocols only is refused, and one that offers none is served")
    func alpn() throws {
        let subject = try Subject()
        #expect(try subject.client("-alpn", "h2").stderr.contains("no application protocol"))
        #expect(try subject.client("-alpn", "h2,http/1.1").stdout.contains("ALPN protocol: http/1.1"))
        #expect(try subject.client().stdout.contains("No ALPN negotiated"))
    }

    @Test("a renegotiation is refused")
    func renegotiation() throws {
        let subject = try Subject()
        // 'R' on a line of its own asks for one.
        let result = try subject.client("-tls1_2", input: "R\n")
        #expect(result.stderr.contains("RENEGOTIATING"))
        #expect(result.stderr.contains("no renegotiation"), "\(result.stderr)")
        try subject.expectAlive()
    }

    @Test("plain HTTP sent to the port gets a 400 that says what to do")
    func plainHTTP() throws {
        let subject = try Subject()
        let answer = try subject.raw().request("GET", "/page")
        #expect(answer.status == 400)
        #expect(answer.text.contains("use https://"))
        try subject.expectAlive()
    }

    @Test(
        "bytes that are no TLS are closed at once, and the server goes on",
        arguments: [
            [0, 1, 2, 3], [0x80, 0x2E, 1, 3, 1], [0x16] + [UInt8](repeating: 0xFF, count: 400),
            [0x16, 3, 1, 0xFF, 0xFF, 1], [0x16, 3, 1, 0, 4, 1, 0, 0, 0],
            [0x16, 3, 1, 0, 0, 0x16, 3, 1, 0, 0],
        ] as [[UInt8]])
    func garbage(bytes: [UInt8]) throws {
        // The fourth is a record that never ends: the time for handshakes ends it.
        let subject = try Subject { $0.handshakeSeconds = 1 }
        let start = ContinuousClock.now
        let client = try subject.raw()
        try client.send(bytes)
        #expect(throws: HTTPClient.Failure.self) { try client.receive() }
        #expect(ContinuousClock.now - start < .seconds(10))
        try subject.expectAlive()
    }

    @Test(
        "a handshake that stops halfway, or never begins, is closed after its time and gives its place back")
    func halfHandshake() throws {
        let subject = try Subject {
            $0.handshakeSeconds = 1
            $0.connectionsPerAddress = 3
        }
        let hello = try Self.hello(subject)
        let silent = try subject.raw()
        let half = try subject.raw()
        try half.send(Array(hello.prefix(100)))
        let answered = try subject.raw()
        try answered.send(hello)
        // Three handshakes are under way: they fill the places of this address.
        #expect(try subject.curl(subject.url("/page")).status != 0)
        let start = ContinuousClock.now
        for client in [silent, half, answered] {
            #expect(throws: HTTPClient.Failure.self) { while true { _ = try client.receive() } }
        }
        #expect(ContinuousClock.now - start < .seconds(10))
        let end = ContinuousClock.now + .seconds(10)
        var page = ""
        while page.isEmpty, ContinuousClock.now < end { page = try subject.curl(subject.url("/page")).stdout }
        #expect(page == "page\n")
    }

    @Test("a record that is cut, or changed on its way, ends its connection alone")
    func brokenRecords() throws {
        let subject = try Subject { $0.handshakeSeconds = 1 }
        let hello = try Self.hello(subject)
        // After the server's answer a client's next record is garbage, and then one cut in its middle.
        let start = ContinuousClock.now
        for record in [[0x17, 3, 3, 0, 32] + [UInt8](repeating: 7, count: 32), [0x17, 3, 3, 0x40, 0, 1, 2]] {
            let client = try subject.raw()
            try client.send(hello)
            try client.send(record)
            #expect(throws: HTTPClient.Failure.self) { while true { _ = try client.receive() } }
        }
        #expect(ContinuousClock.now - start < .seconds(15))
        try subject.expectAlive()
    }

    @Test("a certificate read again serves the connections from then on, and those before stay")
    func reload() throws {
        let subject = try Subject()
        func name() throws -> String {
            let answer = try subject.client().stdout
            return answer.split(separator: "\n").first { $0.hasPrefix("subject=") }.map(String.init) ?? answer
        }
        #expect(try name().contains("first.example"))
        let tool = subject.certificates.tool
        // A client of its own that is connected while the certificate changes.
        try Files.makeDirectory(subject.certificates.path("pipes"))
        let pipe = subject.certificates.path("pipes/in")
        mkfifo(pipe, 0o600)
        let out = subject.certificates.path("kept")
        let writer = open(pipe, O_RDWR)
        defer { close(writer) }
        let output = creat(out, 0o600)
        let pid = try Processes.spawnDetached(
            "/usr/bin/openssl", ["s_client", "-quiet", "-connect", "127.0.0.1:\(subject.server.port)"],
            environment: tool.environment, descriptors: [0: open(pipe, O_RDONLY), 1: output, 2: output])
        defer {
            kill(pid, SIGKILL)
            waitpid(pid, nil, 0)
        }
        /// Asks, and waits until so many pages have come in all.
        func ask(_ count: Int) throws {
            let request = Array("GET /page HTTP/1.1\r\nHost: a\r\n\r\n".utf8)
            try Files.write(request, to: writer, named: pipe)
            let end = ContinuousClock.now + .seconds(15)
            while String(decoding: try Files.read(out), as: UTF8.self).ranges(of: "\r\n\r\npage\n").count
                < count
            {
                try #require(ContinuousClock.now < end)
                usleep(5000)
            }
        }
        try ask(1)
        try subject.certificates.make("server", name: "second.example")
        try subject.identity.reload()
        #expect(try name().contains("second.example"))
        try ask(2)
        try Files.replace(subject.certificates.path("server.pem"), with: "nothing\n".utf8)
        #expect(throws: VoltError.self) { try subject.identity.reload() }
        #expect(try name().contains("second.example"))
    }

    @Test("files that cannot be used are named with the reason")
    func badFiles() throws {
        let made = try Certificates()
        try made.make("other", name: "other.example")
        func failure(_ certificate: String, _ key: String) -> VoltError? {
            do {
                _ = try TLSIdentity(certificateFile: made.path(certificate), keyFile: made.path(key))
                return nil
            } catch { return error }
        }
        #expect(failure("server.pem", "server.key") == nil)
        let missing = failure("none.pem", "server.key")
        #expect(missing?.code == .notFound)
        #expect(
            missing?.message
                == "cannot open the certificate '\(made.path("none.pem"))': no such file or directory")
        #expect(failure("server.pem", "none.key")?.code == .notFound)
        let mixed = failure("server.pem", "other.key")
        #expect(mixed?.code == .usage)
        #expect(mixed?.message.contains("does not belong to the certificate") == true)
        #expect(failure("server.key", "server.key")?.message.contains("has no 'BEGIN CERTIFICATE'") == true)
        #expect(failure("server.pem", "server.pem")?.message.contains("is open to every user") == true)
        chmod(made.path("server.pem"), 0o600)
        #expect(failure("server.pem", "server.pem")?.message.contains("has no 'BEGIN PRIVATE KEY'") == true)
        chmod(made.path("server.key"), 0o604)
        let open = failure("server.pem", "server.key")
        #expect(open?.code == .refused)
        #expect(open?.hint?.contains("chmod o=") == true)
        let locked = try made.tool(
            "openssl", "pkey", "-in", "other.key", "-aes128", "-passout", "pass:x", "-out", "locked.key")
        try #require(locked.status == 0)
        #expect(failure("other.pem", "locked.key")?.message.contains("has a passphrase") == true)
        #expect(failure(".", "other.key")?.message.contains("is not a file") == true)
    }

    @Test("the certificates between the server's and the root are sent with it")
    func chain() throws {
        let made = try Certificates()
        try made.make("root", name: "root.example")
        let leaf = try made.tool(
            "openssl", "req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
            "-subj", "/CN=leaf.example", "-keyout", "leaf.key", "-out", "leaf.csr")
        try #require(leaf.status == 0)
        let signed = try made.tool(
            "openssl", "x509", "-req", "-in", "leaf.csr", "-CA", "root.pem", "-CAkey", "root.key", "-days",
            "9",
            "-out", "leaf.crt")
        try #require(signed.status == 0)
        try Files.replace(
            made.path("leaf.pem"),
            with: try Files.read(made.path("leaf.crt")) + Files.read(made.path("root.pem")))
        let identity = try made.identity("leaf")
        let server = try HTTPServer(address: "127.0.0.1", port: 0, routes: [], threads: 1, tls: identity)
        defer { server.stop() }
        let shown = try made.tool(
            "timeout", "20", "openssl", "s_client", "-showcerts", "-connect", "127.0.0.1:\(server.port)")
        #expect(shown.stdout.ranges(of: "BEGIN CERTIFICATE").count == 2)
        #expect(identity.expiry > SystemClock().now())
    }

    /// A client's first flight, as openssl sends it: caught by a listener that never answers.
    private static func hello(_ subject: Subject) throws -> [UInt8] {
        let trace = try subject.client("-msg", "-tls1_3").stdout
        var bytes: [UInt8] = []
        var wants = false
        for line in trace.split(separator: "\n") {
            if line.hasPrefix(">>>") || line.hasPrefix("<<<") { wants = line.hasSuffix("ClientHello") }
            guard wants, line.hasPrefix("    ") else { continue }
            bytes += line.split(separator: " ").compactMap { UInt8($0, radix: 16) }
        }
        try #require(bytes.count > 100)
        return [0x16, 3, 1, UInt8(bytes.count >> 8), UInt8(bytes.count & 0xFF)] + bytes
    }
}
