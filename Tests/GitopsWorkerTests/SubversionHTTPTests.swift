import GitopsSource
import Glibc
import Testing
import VoltSystem
import VoltTestKit

private let modules = "/usr/lib/apache2/modules"

/// A repository that Apache serves with mod_dav_svn, over http to anyone and over https to an account.
@Suite(
    .enabled(
        if: Files.exists("\(modules)/mod_dav_svn.so") && Files.exists("/usr/bin/svnadmin") && getuid() == 0,
        "needs root and the packages apache2-bin, libapache2-mod-svn and subversion"))
final class SubversionHTTPTests {
    private let bench: Bench
    private let plain = LoopbackPort.free()
    private let secure = LoopbackPort.free()
    private var server: Background?

    init() throws {
        bench = try Bench()
        chmod(bench.path, 0o755)
        try bench.shell(
            """
            mkdir svn logs; svnadmin create svn/repo
            svn mkdir -q -m layout file://$PWD/svn/repo/trunk
            svn checkout -q file://$PWD/svn/repo/trunk wc
            cd wc; printf one > index.html; printf at > 'a@b c'; svn add -q index.html 'a@b c@'
            svn commit -q --username ann -m first; cd ..
            openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj '/CN=test ca' -keyout ca.key -out ca.pem 2>/dev/null
            openssl req -newkey rsa:2048 -nodes -subj /CN=localhost -keyout tls.key -out tls.csr 2>/dev/null
            printf 'subjectAltName=DNS:localhost' > san
            openssl x509 -req -in tls.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile san -out tls.pem 2>/dev/null
            printf 'bob:%s\\n' "$(openssl passwd -apr1 s3cret)" > accounts
            chown -R www-data svn
            """)
        let names = [
            "mpm_event", "authn_core", "authn_file", "authz_core", "authz_user", "auth_basic", "dav",
            "dav_svn", "ssl",
        ]
        // svn asks the first address of a name alone, and localhost may have both.
        let hasIPv6 = String(decoding: (try? Files.read("/proc/net/if_inet6")) ?? [], as: UTF8.self)
            .contains("00000000000000000000000000000001")
        func site(_ port: UInt16, _ lines: String, _ location: String) -> String {
            """
            Listen 127.0.0.1:\(port)
            \(hasIPv6 ? "Listen [::1]:\(port)" : "")
            <VirtualHost *:\(port)>
            \(lines)
            <Location /svn>
            DAV svn
            SVNParentPath \(bench.path)/svn
            \(location)
            </Location>
            </VirtualHost>

            """
        }
        try Files.replace(
            "\(bench.path)/apache.conf",
            with: (names.map { "LoadModule \($0)_module \(modules)/mod_\($0).so\n" }.joined()
                + """
                ServerRoot \(bench.path)
                ServerName localhost
                PidFile \(bench.path)/apache.pid
                ErrorLog \(bench.path)/logs/error
                User www-data
                Group www-data

                """ + site(plain, "", "Require all granted")
                + site(
                    secure,
                    "SSLEngine on\nSSLCertificateFile \(bench.path)/tls.pem\nSSLCertificateKeyFile \(bench.path)/tls.key",
                    "AuthType Basic\nAuthName svn\nAuthUserFile \(bench.path)/accounts\nRequire valid-user"))
                .utf8)
        server = try Background(
            "/usr/sbin/apache2", ["-f", "\(bench.path)/apache.conf", "-DFOREGROUND"],
            environment: bench.tools.environment, log: "\(bench.path)/apache.log")
        try eventually("Apache listens") { listens(plain) && listens(secure) }
    }

    private func access(_ url: String) -> RepositoryAccess {
        bench.access(url, branch: "trunk", system: .svn)
    }

    @Test("over http: the tip, a snapshot, and the next commit")
    func http() throws {
        let access = access("http://127.0.0.1:\(plain)/svn/repo")
        #expect(try bench.tip(access).tip == "2")
        #expect(try bench.snapshot(access, "2").commit == "2")
        #expect(try bench.read("2/index.html") == "one")
        #expect(try bench.read("2/a@b c") == "at")
        try bench.shell("cd wc; printf two > index.html; svn commit -q -m second; chown -R www-data ../svn")
        #expect(try bench.snapshot(access, "3").commit == "3")
        #expect(try bench.read("3/index.html") == "two")
        let absent = try bench.tip(self.access("http://127.0.0.1:\(plain)/svn/other"))
        #expect(absent.status != 0 && absent.tip == nil, "\(absent.failure)")
    }

    @Test(
        "over https: the authority is checked, the account has to be right, and its password is not repeated"
    )
    func https() throws {
        var access = access("https://localhost:\(secure)/svn/repo")
        access.username = "bob"
        access.tokenFile = "\(bench.path)/password"
        try Files.replace("\(bench.path)/password", with: "s3cret\n".utf8)
        let unknown = try bench.tip(access)
        #expect(unknown.status == 5 && unknown.failure.contains("--ca-file"), "\(unknown.failure)")
        access.caFile = "\(bench.path)/ca.pem"
        #expect(try bench.tip(access).tip == "2")
        #expect(try bench.snapshot(access, "2").commit == "2")
        try Files.replace("\(bench.path)/password", with: "wr0ng\n".utf8)
        let wrong = try bench.tip(access)
        #expect(wrong.status != 0 && wrong.tip == nil && !wrong.failure.contains("wr0ng"), "\(wrong.failure)")
        access.tokenFile = nil
        access.username = nil
        #expect(try bench.tip(access).status != 0)
        access.url = "https://127.0.0.1:\(secure)/svn/repo"
        let name = try bench.tip(access)
        #expect(name.status == 5 && name.failure.contains("cannot trust"), "\(name.failure)")
    }

    @Test("through a proxy, which of https sees the name of the server and no more")
    func proxy() throws {
        let secure = secure
        let proxy = try Gate { _ in .tunnel(secure) }
        var access = access("https://localhost:\(secure)/svn/repo")
        access.username = "bob"
        access.tokenFile = "\(bench.path)/password"
        try Files.replace("\(bench.path)/password", with: "s3cret\n".utf8)
        access.caFile = "\(bench.path)/ca.pem"
        access.proxy = "http://127.0.0.1:\(proxy.port)"
        let proxied = try bench.tip(access)
        #expect(proxied.tip == "2", "\(proxied.failure)")
        #expect(!proxy.requests.isEmpty)
        #expect(proxy.requests.allSatisfy { $0.hasPrefix("CONNECT localhost:\(secure) HTTP/1.1") })
        #expect(proxy.requests.allSatisfy { !$0.contains("Authorization") })
    }
}
