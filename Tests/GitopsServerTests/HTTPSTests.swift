import Glibc
import Testing
import VoltSystem
import VoltTestKit

@Suite(
    .serialized, .timeLimit(.minutes(2)),
    .enabled(
        if: Files.exists("/usr/bin/curl") && Files.exists("/usr/bin/openssl"), "needs curl and openssl"))
struct HTTPSTests {
    private func certificate(_ host: Host, name: String) throws {
        let made = try host.tool(
            "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
            "-days", "3", "-subj", "/CN=\(name)", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout",
            "tls.key",
            "-out", "tls.pem")
        try #require(made.status == 0, "\(made.stderr)")
    }

    @Test(
        "a signed delivery over HTTPS is deployed, status says https, and SIGHUP brings the new certificate")
    func deliveries() throws {
        let host = try Host()
        try host.createSite()
        try certificate(host, name: "first.example")
        let server = try Serve(
            host, with: ["--tls-cert", "tls.pem", "--tls-key", "tls.key"], scheme: "https")
        #expect(server.text.contains("warning: the certificate '\(host.directory)/tls.pem' ends at "))
        let commit = try host.git("rev-parse", "HEAD")
        let body = host.push(commit: commit)
        try Files.replace("\(host.directory)/body", with: body)
        func deliver(_ id: String) throws -> ToolRunner.Result {
            let headers = host.headers(delivery: id, body: body).flatMap { ["-H", "\($0.0): \($0.1)"] }
            return try host.tool.run(
                ["curl", "-sS", "-o", "/dev/null", "-w", "%{http_code}", "--cacert", "tls.pem"] + headers
                    + ["--data-binary", "@body", "https://127.0.0.1:\(server.port)/hooks/github"])
        }
        #expect(try deliver("one").stdout == "202")
        try host.wait("for the deploy") { host.applied.contains("done \(commit)") }
        #expect(try host.gitops("status").stderr.contains("running at https://127.0.0.1:\(server.port)"))
        // The file of curl's trust changes with it: only the new certificate can satisfy it.
        try certificate(host, name: "second.example")
        kill(server.pid, SIGHUP)
        try host.wait("for the new certificate") { server.text.contains("read the certificate") }
        #expect(try deliver("two").stdout == "202")
        try Files.replace("\(host.directory)/tls.key", with: [], mode: 0o600)
        kill(server.pid, SIGHUP)
        try host.wait("for the refusal") { server.text.contains("error: the certificate in use stays: ") }
        #expect(try deliver("three").stdout == "202")
        #expect(server.end(SIGTERM) == 0)
    }

    @Test("one option without the other is a usage error, and files that cannot be used end the start")
    func options() throws {
        let host = try Host()
        let alone = try host.gitops("serve", "--port", "0", "--tls-cert", "tls.pem")
        #expect(alone.status == 64)
        #expect(alone.stderr.contains("--tls-cert and --tls-key are given together"))
        let missing = try host.gitops("serve", "--port", "0", "--tls-cert", "tls.pem", "--tls-key", "tls.key")
        #expect(missing.status == 3)
        #expect(missing.stderr.contains("cannot open the certificate '\(host.directory)/tls.pem'"))
    }
}
