import Glibc
import Testing
import VoltCore
import VoltHTTP
import VoltSystem
import VoltTestKit

@Suite(.serialized, .timeLimit(.minutes(1))) struct WebClientTests {
    private func client(_ change: (inout WebClient.Settings) -> Void = { _ in }) -> WebClient {
        var settings = WebClient.Settings()
        change(&settings)
        return WebClient(settings)
    }

    @Test("a request arrives as it was given, and its answer comes back")
    func exchange() throws {
        let server = try ScriptedHTTPServer { request in
            .answer(201, headers: [("X-Name", "a: b")], body: "got \(request.body.count)")
        }
        let url = try WebURL("\(server.origin)/a/b?c=d%20e")
        let client = client()
        for method in ["POST", "PUT", "PATCH", "DELETE"] {
            let answer = try client.send(
                WebRequest(
                    method, url, headers: [("X-One", "1"), ("Content-Type", "application/json")],
                    secretHeaders: [("Authorization", "Bearer t")], body: Array("{}".utf8)))
            #expect(answer.status == 201 && answer.isSuccess && answer.text == "got 2")
            #expect(answer["x-name"] == "a: b")
            let last = try #require(server.requests.last)
            #expect(last.method == method && last.path == "/a/b" && last.query == "c=d%20e")
            #expect(last.text == "{}" && last.headers["x-one"] == "1")
            #expect(last.headers["authorization"] == "Bearer t")
            #expect(last.headers["content-type"] == "application/json" && last.headers["expect"] == nil)
            #expect(last.headers["user-agent"]?.hasPrefix("volt/") == true)
        }
        let answer = try client.send(WebRequest("GET", url))
        #expect(answer.text == "got 0" && server.requests.last?.headers["content-type"] == nil)
        #expect(try client.send(WebRequest("HEAD", url)).text.isEmpty)
    }

    @Test("a part of a file is sent as it is read, and a file that is too short ends the request")
    func upload() throws {
        let scratch = try ScratchDirectory()
        let server = try ScriptedHTTPServer { .answer(201, body: "got \($0.body.count)") }
        let bytes = (0..<300_000).map { UInt8(truncatingIfNeeded: $0 / 7) }
        try Files.replace("\(scratch.path)/file", with: bytes)
        let file = open("\(scratch.path)/file", O_RDONLY)
        defer { close(file) }
        let client = client()
        for method in ["PUT", "PATCH", "POST"] {
            var request = WebRequest(method, try WebURL("\(server.origin)/up"))
            request.upload = WebUpload(descriptor: file, offset: 1000, count: 200_000)
            #expect(try client.send(request).status == 201)
            let last = try #require(server.requests.last)
            #expect(last.method == method && last.headers["expect"] == nil)
            #expect(last.headers["content-length"] == "200000" && last.body == Array(bytes[1000..<201_000]))
        }
        var short = WebRequest("PUT", try WebURL("\(server.origin)/up"))
        short.upload = WebUpload(descriptor: file, offset: 299_000, count: 5000)
        #expect(throws: VoltError.self) { try client.send(short) }
    }

    @Test("the body of an error is kept, and the status is the caller's to judge")
    func statuses() throws {
        let server = try ScriptedHTTPServer { .answer(Int($0.path.dropFirst()) ?? 0, body: "why") }
        for status in [400, 401, 404, 429, 500, 503] {
            let answer = try client().send(WebRequest("GET", try WebURL("\(server.origin)/\(status)")))
            #expect(answer.status == status && !answer.isSuccess && answer.text == "why")
        }
    }

    @Test("a server that never answers, and one that stops, cost the time limit and no more")
    func stalls() throws {
        let silent = try ScriptedHTTPServer { _ in .silence }
        let cut = try ScriptedHTTPServer { _ in
            .raw(Array("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nab".utf8))
        }
        let start = ContinuousClock.now
        let error = #expect(throws: VoltError.self) {
            try client().send(
                WebRequest("GET", try WebURL(silent.origin)), limits: WebLimits(total: .milliseconds(300)))
        }
        #expect(error?.code == .tryAgain)
        #expect(error?.message.contains("did not answer within 300ms") == true, "\(error?.message ?? "")")
        #expect(ContinuousClock.now - start < .seconds(5))
        let short = #expect(throws: VoltError.self) {
            try client().send(WebRequest("GET", try WebURL(cut.origin)))
        }
        #expect(short?.code == .tryAgain)
        #expect(short?.message.contains("closed the connection") == true, "\(short?.message ?? "")")
        let nobody = #expect(throws: VoltError.self) {
            // The port of a server that has gone.
            silent.stop()
            return try client().send(WebRequest("GET", try WebURL("http://127.0.0.1:1/")))
        }
        #expect(nobody?.message == "cannot connect to 'http://127.0.0.1:1'")
    }

    @Test("a wish to stop ends a request that waits")
    func stop() throws {
        let silent = try ScriptedHTTPServer { _ in .silence }
        let start = ContinuousClock.now
        let error = #expect(throws: VoltError.self) {
            try client().send(WebRequest("GET", try WebURL(silent.origin)), stop: { true })
        }
        #expect(error?.message.hasSuffix("was stopped") == true)
        #expect(ContinuousClock.now - start < .seconds(10))
    }

    @Test("more bytes than the limit end the request: of a body, a header and a file")
    func limits() throws {
        let scratch = try ScratchDirectory()
        let server = try ScriptedHTTPServer { request in
            request.path == "/header"
                ? .endless(head: "HTTP/1.1 200 OK\r\nX: ") : .endless(head: "HTTP/1.1 200 OK\r\n\r\n")
        }
        for path in ["/body", "/header"] {
            let error = #expect(throws: VoltError.self) {
                try client().send(WebRequest("GET", try WebURL(server.origin + path)))
            }
            #expect([.refused, .tryAgain].contains(error?.code), "\(error?.message ?? "")")
        }
        let file = "\(scratch.path)/file"
        #expect(throws: VoltError.self) {
            try client().download(
                WebRequest("GET", try WebURL(server.origin)), to: file, limits: WebLimits(body: 1 << 20))
        }
        #expect(try Files.list(scratch.path).isEmpty)
    }

    @Test("a file appears whole or not at all, and an error page is no file")
    func download() throws {
        let scratch = try ScratchDirectory()
        let body = String(repeating: "0123456789", count: 300_000)
        let server = try ScriptedHTTPServer { request in
            switch request.path {
            case "/file": .answer(200, body: body)
            case "/cut": .raw(Array("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nab".utf8))
            default: .answer(404, body: "none")
            }
        }
        let file = "\(scratch.path)/file"
        let limits = WebLimits(body: 4 << 20)
        let answer = try client().download(
            WebRequest("GET", try WebURL("\(server.origin)/file")), to: file, mode: 0o600, limits: limits)
        #expect(answer.isSuccess && answer.body.isEmpty)
        #expect(try Files.read(file) == Array(body.utf8))
        let missing = try client().download(
            WebRequest("GET", try WebURL("\(server.origin)/no")), to: file, limits: limits)
        #expect(missing.status == 404 && missing.text == "none")
        #expect(throws: VoltError.self) {
            try client().download(
                WebRequest("GET", try WebURL("\(server.origin)/cut")), to: file, limits: limits)
        }
        #expect(try Files.read(file).count == body.utf8.count)
        #expect(try Files.list(scratch.path) == ["file"])
    }

    @Test("a sink that throws ends the request with its error")
    func sink() throws {
        let server = try ScriptedHTTPServer { _ in .endless(head: "HTTP/1.1 200 OK\r\n\r\n") }
        var bytes = 0
        let error = #expect(throws: VoltError.self) {
            _ = try client().send(
                WebRequest("GET", try WebURL(server.origin)), limits: WebLimits(body: 1 << 30)
            ) { (part) throws(VoltError) in
                bytes += part.count
                if bytes > 100_000 { throw VoltError(.conflict, "enough") }
            }
        }
        #expect(error == VoltError(.conflict, "enough"))
    }

    @Test("a redirect to another origin is followed without the secrets, and never with a body")
    func redirects() throws {
        let other = try ScriptedHTTPServer { _ in .answer(200, body: "other") }
        let place = "\(other.origin)/blob"
        let server = try ScriptedHTTPServer { request in
            switch request.path {
            case "/away": .answer(307, headers: [("Location", place)])
            case "/here": .answer(302, headers: [("Location", "there")])
            case "/loop": .answer(301, headers: [("Location", "/loop")])
            case "/see": .answer(303, headers: [("Location", "/there")])
            case "/file": .answer(301, headers: [("Location", "file:///etc/passwd")])
            default: .answer(200, body: request.headers["authorization"] ?? "none")
            }
        }
        func request(_ method: String, _ path: String) throws -> WebRequest {
            WebRequest(
                method, try WebURL(server.origin + path), headers: [("X-Open", "1")],
                secretHeaders: [("Authorization", "secret")], body: method == "POST" ? [1] : [])
        }
        let away = try client().send(try request("GET", "/away"))
        #expect(away.text == "other" && away.url.text == place)
        let seen = try #require(other.requests.first)
        #expect(seen.headers["authorization"] == nil && seen.headers["x-open"] == "1")
        #expect(try client().send(try request("GET", "/here")).text == "secret")
        #expect(try client().send(try request("POST", "/see")).text == "secret")
        #expect(server.requests.last?.method == "GET")
        for (method, path) in [("POST", "/away"), ("POST", "/here"), ("GET", "/loop"), ("GET", "/file")] {
            let error = #expect(throws: VoltError.self) { try client().send(try request(method, path)) }
            #expect(error?.code == .refused, "\(method) \(path)")
        }
        #expect(other.requests.count == 1)
    }

    @Test("http needs the opt-in except for this host, and the address of a cloud's metadata is refused")
    func policy() throws {
        let plain = #expect(throws: VoltError.self) {
            try client().send(WebRequest("GET", try WebURL("http://192.0.2.1/")))
        }
        #expect(plain?.message == "'http://192.0.2.1' is not encrypted")
        // The loopback interface has every address of 127.0.0.0/8, and no link-local one: the check itself.
        for (address, isRefused) in [
            ("169.254.169.254", true), ("::ffff:169.254.169.254", true), ("fe80::1", true), ("febf::1", true),
            ("fd00:ec2::254", true), ("169.253.1.1", false), ("fec0::1", false), ("127.0.0.1", false),
            ("2001:db8::1", false),
        ] {
            #expect(WebClient.isLinkLocal(address) == isRefused, "\(address)")
        }
    }

    @Test("a proxy is used when it is given, and the environment's is not")
    func proxy() throws {
        let proxy = try ScriptedHTTPServer { .answer(200, body: "through the proxy to \($0.path)") }
        Environment.set("http_proxy", "http://127.0.0.1:1")
        let server = try ScriptedHTTPServer { _ in .answer(200, body: "direct") }
        #expect(try client().send(WebRequest("GET", try WebURL(server.origin))).text == "direct")
        let answer = try client { $0.proxy = proxy.origin }.send(WebRequest("GET", try WebURL(server.origin)))
        #expect(answer.text.hasPrefix("through the proxy to "))
    }

    @Test(
        "what is no URL of http or https is refused without being repeated",
        arguments: [
            "", "/path", "ftp://h/", "file:///etc/passwd", "https://", "https://a b/", "https://h:99999/",
            "javascript:alert(1)", "https://h/\u{0}x",
        ])
    func urls(text: String) {
        let error = #expect(throws: VoltError.self) { try WebURL(text) }
        #expect(error?.code == .usage && error?.message == "this is no URL of http or https")
    }

    @Test("a URL is shown as its origin, and its user and password are apart")
    func shownURL() throws {
        let url = try WebURL("https://u:p%40@Hooks.Example:8443/services/T0/secret?k=v#f")
        #expect("\(url)" == "https://hooks.example:8443")
        #expect(url.text == "https://hooks.example:8443/services/T0/secret?k=v")
        #expect(url.user == "u" && url.password == "p@")
        #expect(try WebURL("https://h").text == "https://h/")
        #expect(try WebURL("http://[::1]:80/").isLoopback)
    }

    @Test("a header field with a line end is refused and its value not shown")
    func headerInjection() throws {
        let server = try ScriptedHTTPServer { _ in .answer(200) }
        let error = #expect(throws: VoltError.self) {
            try client().send(
                WebRequest(
                    "GET", try WebURL(server.origin), secretHeaders: [("Authorization", "topsecret\r\nX: 1")])
            )
        }
        #expect(error?.code == .usage && error?.message.contains("topsecret") == false)
        #expect(server.requests.isEmpty)
    }
}
