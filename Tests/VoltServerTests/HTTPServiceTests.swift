import Glibc
import Synchronization
import Testing
import VoltCore
import VoltServer
import VoltSystem
import VoltTestKit

@Suite struct HTTPServiceTests {
    private final class Said: Sendable {
        let lines = Mutex<[String]>([])
        var all: [String] { lines.withLock { $0 } }
    }

    private func service(_ options: HTTPService.Options, _ said: Said) -> HTTPService {
        HTTPService(options, clock: SystemClock()) { line in said.lines.withLock { $0.append(line) } }
    }

    private func certificate(_ tool: ToolRunner, days: String) throws {
        let made = try tool(
            "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
            "-days", days, "-subj", "/CN=localhost", "-keyout", "server.key", "-out", "server.pem")
        try #require(made.status == 0, "\(made.stderr)")
    }

    @Test("it answers /healthz beside its routes, and a second one is told who holds the port")
    func port() throws {
        let said = Said()
        let first = service(.init(address: "127.0.0.1", port: 0), said)
        first.routes = [HTTPRoute("GET", "/page") { _, answer in answer(HTTPResponse(200, "page\n")) }]
        try first.prepare()
        let url = try first.bind()
        defer { first.drain() }
        #expect(url == "http://127.0.0.1:\(first.port)")
        let client = try HTTPClient(port: UInt16(first.port), timeoutSeconds: 20)
        #expect(try client.request("GET", "/healthz").text == "ok\n")
        #expect(
            try HTTPClient(port: UInt16(first.port), timeoutSeconds: 20).request("GET", "/page").text
                == "page\n")
        var options = HTTPService.Options(address: "127.0.0.1", port: first.port)
        options.portHint = "take another"
        do throws(VoltError) {
            _ = try service(options, said).bind()
            Issue.record("the port is free")
        } catch {
            #expect(error.code == .missing && error.hint == "take another")
            #expect(
                error.message.hasPrefix(
                    "cannot listen on port \(first.port): it is taken by process \(getpid()) ("),
                "\(error.message)")
        }
    }

    @Test("a certificate that ends soon is warned of, at the start and when it is read again")
    func expiry() throws {
        let scratch = try ScratchDirectory()
        let tool = ToolRunner(scratch: scratch.path)
        let files = HTTPService.TLSFiles(
            certificate: "\(scratch.path)/server.pem", key: "\(scratch.path)/server.key")
        try certificate(tool, days: "30")
        let said = Said()
        let server = service(.init(address: "127.0.0.1", port: 0, tls: files), said)
        try server.prepare()
        #expect(try server.bind() == "https://127.0.0.1:\(server.port)")
        defer { server.drain() }
        try server.run()
        #expect(said.all == [])
        try certificate(tool, days: "3")
        server.reload()
        #expect(said.all.first == "read the certificate '\(files.certificate)' again")
        #expect(said.all.last?.hasPrefix("warning: the certificate '\(files.certificate)' ends at ") == true)
        try Files.replace(files.certificate, with: "nothing".utf8)
        server.reload()
        #expect(said.all.last?.hasPrefix("error: the certificate in use stays: ") == true)
    }
}
