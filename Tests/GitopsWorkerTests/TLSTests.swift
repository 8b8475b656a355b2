import Dispatch
import GitopsSource
import Glibc
import Testing
import VoltSystem
import VoltTestKit

@Suite(.enabled(if: Files.exists("/usr/bin/stunnel4"), "needs the package stunnel4"))
struct TLSTests {
    @Test("https is read with the right authority and refused with a wrong one, none, or another name")
    func authority() throws {
        let bench = try Bench()
        let commit = try bench.push("over TLS")
        let server = try GitHTTPServer(directory: bench.path)
        DispatchQueue(label: "git-http").async { server.serve() }
        defer { server.stop() }
        let port = LoopbackPort.free()
        try bench.shell(
            """
            for ca in ca other; do
                openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj "/CN=test $ca" -keyout $ca.key -out $ca.pem 2>/dev/null
            done
            openssl req -newkey rsa:2048 -nodes -subj /CN=localhost -keyout tls.key -out tls.csr 2>/dev/null
            printf 'subjectAltName=DNS:localhost' > san
            openssl x509 -req -in tls.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile san -out tls.pem 2>/dev/null
            """)
        try Files.replace(
            "\(bench.path)/stunnel.conf",
            with: """
                foreground = yes
                pid =
                [git]
                accept = 127.0.0.1:\(port)
                connect = 127.0.0.1:\(server.port)
                cert = \(bench.path)/tls.pem
                key = \(bench.path)/tls.key

                """.utf8)
        let tunnel = try Background(
            "/usr/bin/stunnel4", ["\(bench.path)/stunnel.conf"], environment: bench.tools.environment,
            log: "\(bench.path)/stunnel.log")
        defer { withExtendedLifetime(tunnel) {} }
        try eventually("stunnel listens") { listens(port) }

        var access = bench.access("https://localhost:\(port)/site.git")
        let unknown = try bench.tip(access)
        #expect(unknown.status == 5 && unknown.failure.contains("--ca-file"), "\(unknown.failure)")
        access.caFile = "\(bench.path)/other.pem"
        let wrong = try bench.tip(access)
        #expect(wrong.status == 5 && wrong.failure.contains("cannot trust"), "\(wrong.failure)")
        access.caFile = "\(bench.path)/ca.pem"
        #expect(try bench.tip(access).tip == commit)
        #expect(try bench.snapshot(access, "1").commit == commit)
        // Through a proxy, which sees the name of the server and no more.
        let proxy = try Gate { _ in .tunnel(port) }
        access.proxy = "http://127.0.0.1:\(proxy.port)"
        let proxied = try bench.tip(access)
        #expect(proxied.tip == commit, "\(proxied.failure)")
        #expect(proxy.requests.allSatisfy { $0.hasPrefix("CONNECT localhost:\(port) HTTP/1.1") })
        #expect(proxy.requests.count == 1)
        access.proxy = nil
        access.url = "https://127.0.0.1:\(port)/site.git"
        let name = try bench.tip(access)
        #expect(name.status == 5 && name.failure.contains("cannot trust"), "\(name.failure)")
        access.caFile = "\(bench.path)/absent.pem"
        #expect(try bench.tip(access).status != 0)
    }
}
