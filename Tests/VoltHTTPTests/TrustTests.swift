import Glibc
import Testing
import VoltCore
import VoltHTTP
import VoltSystem
import VoltTestKit

/// A server over TLS of stunnel(8), in front of one that answers over HTTP.
private final class Tunnel {
    let port = LoopbackPort.free()
    private let pid: Int32

    /// - Parameter options: lines for the service.
    init(_ scratch: String, certificate: String, key: String, to port: UInt16, options: String = "") throws {
        let file = "\(scratch)/stunnel-\(self.port).conf"
        try Files.replace(
            file,
            with: """
                foreground = yes
                pid =
                [web]
                accept = 127.0.0.1:\(self.port)
                connect = 127.0.0.1:\(port)
                cert = \(scratch)/\(certificate)
                key = \(scratch)/\(key)
                \(options)

                """.utf8)
        pid = try Processes.spawnDetached("/usr/bin/stunnel4", [file], environment: ["PATH": "/usr/bin:/bin"])
        let deadline = ContinuousClock.now + .seconds(10)
        while !isListening, ContinuousClock.now < deadline { usleep(10_000) }
        try #require(isListening, "stunnel does not listen")
    }

    /// Whether the port is in state 0A, LISTEN, of proc(5) net/tcp.
    private var isListening: Bool {
        let table = String(decoding: (try? Files.read("/proc/net/tcp")) ?? [], as: UTF8.self)
        let number = String(port, radix: 16, uppercase: true)
        return table.contains(":\(String(repeating: "0", count: 4 - number.count))\(number) 00000000:0000 0A")
    }

    deinit {
        kill(pid, SIGKILL)
        waitpid(pid, nil, 0)
    }
}

@Suite(
    .timeLimit(.minutes(1)),
    .enabled(
        if: Files.exists("/usr/bin/stunnel4") && Files.exists("/usr/bin/openssl"), "needs stunnel4, openssl"))
final class TrustTests {
    private let scratch: ScratchDirectory
    private let run: ToolRunner
    private let web: ScriptedHTTPServer

    init() throws {
        scratch = try ScratchDirectory()
        run = ToolRunner(scratch: scratch.path)
        web = try ScriptedHTTPServer { request in
            .answer(200, body: "secret is \(request.headers["x-secret"] ?? "")")
        }
        for name in ["root", "other"] {
            try openssl(
                "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                "-days", "2",
                "-subj", "/CN=test \(name)", "-keyout", "\(name).key", "-out", "\(name).pem")
        }
        try openssl(
            "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj",
            "/CN=localhost",
            "-keyout", "leaf.key", "-out", "leaf.csr")
        try Files.replace("\(scratch.path)/san", with: "subjectAltName=DNS:localhost".utf8)
        try openssl(
            "x509", "-req", "-in", "leaf.csr", "-CA", "root.pem", "-CAkey", "root.key", "-CAcreateserial",
            "-extfile", "san", "-days", "2", "-out", "leaf.pem")
        // Only openssl-ca(1) makes a certificate that has ended, in all releases.
        let authority = """
            [ca]
            default_ca = here
            [here]
            database = index.txt
            new_certs_dir = .
            rand_serial = yes
            default_md = sha256
            policy = names
            [names]
            commonName = supplied

            """
        try Files.replace("\(scratch.path)/ca.cnf", with: authority.utf8)
        try Files.replace("\(scratch.path)/index.txt", with: "".utf8)
        try openssl(
            "ca", "-batch", "-notext", "-config", "ca.cnf", "-cert", "root.pem", "-keyfile", "root.key",
            "-in",
            "leaf.csr", "-extfile", "san", "-startdate", "20200101000000Z", "-enddate", "20200102000000Z",
            "-out",
            "expired.pem")
    }

    private func openssl(_ words: String...) throws {
        let result = try run.run(["openssl"] + words)
        try #require(result.status == 0, "\(result.stderr)")
    }

    private func ask(_ url: String, trusting file: String?) throws(VoltError) -> String {
        let settings = try WebClient.Settings(caFile: file.map { "\(scratch.path)/\($0)" })
        let request = WebRequest("GET", try WebURL(url), secretHeaders: [("X-Secret", "s3cret")])
        return try WebClient(settings).send(request).text
    }

    @Test(
        "a server is asked when its certificate is of a trusted authority and of its name, else it gets nothing"
    )
    func trust() throws {
        let tunnel = try Tunnel(scratch.path, certificate: "leaf.pem", key: "leaf.key", to: web.port)
        let url = "https://localhost:\(tunnel.port)/"
        #expect(try ask(url, trusting: "root.pem") == "secret is s3cret")
        let asked = web.requests.count
        for (url, file) in [
            (url, nil), (url, "other.pem"), ("https://127.0.0.1:\(tunnel.port)/", "root.pem"),
        ] {
            let error = try #require(throws: VoltError.self) { try ask(url, trusting: file) }
            #expect(error.code == .refused, "\(url) \(file ?? "the system's"): \(error.message)")
            #expect(!error.message.contains("s3cret"))
        }
        #expect(web.requests.count == asked)
    }

    @Test("an expired certificate and an old protocol are refused")
    func old() throws {
        let expired = try Tunnel(scratch.path, certificate: "expired.pem", key: "leaf.key", to: web.port)
        let error = try #require(throws: VoltError.self) {
            try ask("https://localhost:\(expired.port)/", trusting: "root.pem")
        }
        #expect(error.code == .refused, "\(error.message)")
        // Security level 0 is what lets the server offer the old protocol at all.
        let old = try Tunnel(
            scratch.path, certificate: "leaf.pem", key: "leaf.key", to: web.port,
            options: "sslVersion = TLSv1.1\nciphers = ALL:@SECLEVEL=0\nsecurityLevel = 0")
        #expect(throws: VoltError.self) { try ask("https://localhost:\(old.port)/", trusting: "root.pem") }
        #expect(web.requests.isEmpty)
    }
}
