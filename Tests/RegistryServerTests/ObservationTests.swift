import Glibc
import RegistryEngine
import Testing
import VoltOCI
import VoltServer
import VoltSystem
import VoltTestKit

@Suite(.timeLimit(.minutes(3))) struct ObservationTests {
    private static let chromium: String? = ["/usr/bin/chromium", "/usr/bin/chromium-browser"].first {
        (path: String) in access(path, X_OK) == 0
    }

    /// A registry with an image whose annotations are hostile, and something about it.
    private func filled() throws -> (subject: Subject, image: OCIDigest) {
        let subject = try Subject { $0.hasPages = true }
        let evil = "<script>document.title='owned'</script><img src=x onerror=alert(1)>"
        let image = try subject.image("one", in: "team/web", more: "\"annotations\":{\"note\":\"\(evil)\"},")
        try #require(try subject.put(image, "1.0", in: "team/web").status == 201)
        let digest = OCIDigest.of(image)
        let about = try subject.image(
            "two", in: "team/web",
            more:
                "\"artifactType\":\"application/x.sbom\",\"subject\":{\"mediaType\":\"x/y\",\"digest\":\"\(digest)\",\"size\":3},"
        )
        try #require(try subject.put(about, "\(OCIDigest.of(about))", in: "team/web").status == 201)
        return (subject, digest)
    }

    @Test(
        "a browser shows repositories, tags, manifests, what is about them and sizes, and runs nothing of them",
        .enabled(if: ObservationTests.chromium != nil, "needs the package chromium"))
    func browser() throws {
        let (subject, image) = try filled()
        let chromium = try #require(Self.chromium)
        let run = ToolRunner(scratch: subject.scratch.path)
        for (path, words) in [
            ("/", ["team/web</a>", "<td>4</td>"]),
            ("/repositories/team/web", ["<td>1.0</td>", "<td>image</td>", String(image.hex.prefix(12))]),
            (
                "/repositories/team/web/manifests/\(image)",
                ["&lt;script&gt;", "application/x.sbom", "<dd>1.0</dd>", "<h2>About it</h2>"]
            ),
        ] {
            let page = try run.run([
                "timeout", "60", chromium, "--headless=new", "--no-sandbox", "--disable-gpu",
                "--no-first-run",
                "--disable-dev-shm-usage", "--disable-background-networking", "--disable-component-update",
                "--user-data-dir=\(subject.scratch.path)/profile", "--virtual-time-budget=2000",
                "--enable-logging=stderr", "--dump-dom", "http://127.0.0.1:\(subject.server.port)\(path)",
            ])
            #expect(page.status == 0, "\(page.stderr.suffix(500))")
            for word in words { #expect(page.stdout.contains(word), "\(path): \(page.stdout.prefix(2500))") }
            #expect(!page.stdout.contains("<title>owned") && !page.stdout.contains("<img"))
            #expect(!page.stderr.contains("Content Security Policy"), "\(page.stderr)")
        }
    }

    @Test("pages are only there when they were asked for, and of what is not there is none")
    func noPages() throws {
        let (subject, image) = try filled()
        for path in [
            "/repositories/none", "/repositories/team/web/manifests/\(OCIDigest.of([1]))",
            "/repositories/../x",
            "/repositories/none/manifests/\(image)", "/other", "/repositories/team/web/manifests/1.0",
        ] { #expect(try subject.request("GET", path).status == 404, "\(path)") }
        #expect(try subject.request("POST", "/").status == 405)
        let plain = try Subject()
        #expect(try plain.request("GET", "/").status == 404)
        #expect(try plain.request("GET", "/healthz").text == "ok\n")
    }

    @Test(
        "answers are counted for Prometheus and written to the access log, without lines of the client's making"
    )
    func observed() throws {
        let scratch = try ScratchDirectory()
        let log = "\(scratch.path)/access.log"
        let subject = try Subject { $0.accessLog = try? AccessLog(log) }
        let digest = try subject.push([UInt8](repeating: 1, count: 5000), to: "a")
        _ = try subject.request("GET", "/v2/a/blobs/\(digest)", headers: [("User-Agent", "a\"b\\c")])
        _ = try subject.request("GET", "/v2/a/manifests/none")
        _ = try subject.request("OPTIONS", "/v2/")
        let numbers = try subject.request("GET", "/metrics")
        #expect(numbers.headers["content-type"]?.contains("version=0.0.4") == true)
        for line in [
            "volt_registry_requests_total{method=\"GET\",status=\"200\"} 1",
            "volt_registry_requests_total{method=\"GET\",status=\"404\"} 1",
            "volt_registry_requests_total{method=\"PUT\",status=\"201\"} 1",
            "volt_registry_requests_total{method=\"POST\",status=\"202\"} 1",
            "volt_registry_requests_total{method=\"other\",status=\"405\"} 1",
            "volt_registry_received_bytes_total 5000", "volt_registry_requests_under_way 0",
        ] { #expect(numbers.text.contains("\(line)\n"), "\(line): \(numbers.text)") }
        #expect(numbers.text.contains("volt_registry_disk_free_bytes "))
        let lines = String(decoding: try Files.read(log), as: UTF8.self).split(separator: "\n")
        #expect(lines.count == 5)
        #expect(lines[1].contains("\" 201 0 5000 \"") && lines[1].hasPrefix("127.0.0.1 - - ["))
        #expect(lines[2].contains("\"GET /v2/a/blobs/\(digest)\" 200 5000 0 \"a?b?c\" "))
    }

    @Test("the access log is opened again after SIGHUP")
    func reopened() throws {
        let scratch = try ScratchDirectory()
        let log = "\(scratch.path)/access.log"
        let server = try ServerProcess(
            ToolRunner(scratch: scratch.path), store: "\(scratch.path)/store", ["--access-log", log])
        func ask() throws {
            _ = try HTTPClient(port: server.port, timeoutSeconds: 20).request("GET", "/v2/")
        }
        try ask()
        try Files.move(log, "\(log).1")
        server.signal(SIGHUP)
        for _ in 0..<1000 where !Files.exists(log) { usleep(5000) }
        try ask()
        #expect(try Files.read(log).split(separator: 10).count == 1)
        #expect(try Files.read("\(log).1").split(separator: 10).count == 1)
        server.end(SIGTERM)
        #expect(server.said.contains("stopped"))
    }

    @Test("a request whose client leaves before it was handed on is not under way any more")
    func abandoned() throws {
        let subject = try Subject()
        try subject.tag("1", in: "a")
        func metric(_ name: String) throws -> String? {
            try subject.request("GET", "/metrics").text.split(separator: "\n").first {
                $0.hasPrefix(name)
            }.map { String($0.dropFirst(name.count)) }
        }
        func wait(for value: String) throws -> Bool {
            for _ in 0..<1000 {
                if try metric("volt_registry_requests_under_way ") == value { return true }
                usleep(2000)
            }
            return false
        }
        var client: HTTPClient? = try HTTPClient(port: UInt16(subject.server.port))
        try client?.send(
            Array("GET /v2/a/tags/list HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhalf".utf8))
        #expect(try wait(for: "1"))
        client = nil
        #expect(try wait(for: "0"))
        #expect(try metric("volt_registry_requests_total{method=\"GET\",status=\"499\"} ") == "1")
    }
}
