import GitopsSource
import Glibc
import Testing
import VoltSystem
import VoltTestKit

@Suite(
    .enabled(
        if: geteuid() == 0 && Files.exists("/usr/sbin/sshd"), "needs root and the package openssh-server"))
struct SSHTests {
    /// An sshd(8) of the test's own, with an ed25519, an ECDSA and an RSA host key.
    private final class Server {
        let bench: Bench
        let port: UInt16
        let commit: String
        private let process: Background

        init() throws {
            bench = try Bench()
            commit = try bench.push("over ssh")
            port = LoopbackPort.free()
            let path = bench.path
            try bench.shell(
                """
                chmod 755 .; mkdir -p /run/sshd
                for t in ed25519 ecdsa rsa; do ssh-keygen -q -t $t -N '' -f host_$t; ssh-keygen -q -t $t -N '' -f user_$t; done
                ssh-keygen -q -t ed25519 -N '' -f other; cat user_*.pub > authorized
                """)
            try Files.replace(
                "\(path)/sshd_config",
                with: """
                    Port \(port)
                    ListenAddress 127.0.0.1
                    HostKey \(path)/host_ed25519
                    HostKey \(path)/host_ecdsa
                    HostKey \(path)/host_rsa
                    AuthorizedKeysFile \(path)/authorized
                    StrictModes no
                    UsePAM no
                    PasswordAuthentication no
                    PermitRootLogin prohibit-password
                    PidFile none

                    """.utf8)
            process = try Background(
                "/usr/sbin/sshd", ["-D", "-e", "-f", "\(path)/sshd_config"],
                environment: bench.tools.environment,
                log: "\(path)/sshd.log")
            let port = port
            try eventually("sshd listens") { listens(port) }
        }

        /// A request with a user key, and the pinned host keys that a script prints.
        func access(user: String = "ed25519", pinned script: String) throws -> RepositoryAccess {
            try bench.shell("{ \(script); } > known_hosts")
            var access = bench.access("ssh://root@127.0.0.1:\(port)\(bench.repository)")
            access.sshKeyFile = "\(bench.path)/user_\(user)"
            access.knownHostsFile = "\(bench.path)/known_hosts"
            return access
        }

        /// A script that prints the line of a host key.
        func pin(_ key: String, as host: String? = nil) -> String {
            "printf '%s ' '\(host ?? "[127.0.0.1]:\(port)")'; cut -d' ' -f1,2 \(key).pub"
        }
    }

    @Test("a pinned host and a key it knows let us in: ed25519 and ECDSA, plain and hashed")
    func welcome() throws {
        let server = try Server()
        for user in ["ed25519", "ecdsa"] {
            for host in ["host_ed25519", "host_ecdsa"] {
                let answer = try server.bench.tip(try server.access(user: user, pinned: server.pin(host)))
                #expect(answer.tip == server.commit, "\(user) \(host): \(answer.failure)")
            }
        }
        let hashed = "\(server.pin("host_ed25519"))) > h; ssh-keygen -q -H -f h >/dev/null 2>&1; (cat h"
        let answer = try server.bench.snapshot(try server.access(pinned: "(\(hashed))"), "1")
        #expect(answer.commit == server.commit, "\(answer.failure)")
        #expect(try server.bench.shell("cat known_hosts").hasPrefix("|1|"))
    }

    @Test(
        "lines that libssh2 does not know are passed over, and a pattern pins its hosts",
        arguments: [
            "echo nonsense", "echo 'x ssh-future AAAA'", "echo 'x ssh-ed25519 !!!!'",
            "printf '@cert-authority * '; cat other.pub",
        ])
    func foreignLines(line: String) throws {
        let server = try Server()
        let plain = try server.bench.tip(try server.access(pinned: "\(line); \(server.pin("host_ed25519"))"))
        #expect(plain.tip == server.commit, "\(plain.failure)")
        let pattern = server.pin("host_ed25519", as: "!nowhere,[127.0.0.*]:\(server.port)")
        let matched = try server.bench.tip(try server.access(pinned: "\(line); \(pattern)"))
        #expect(matched.tip == server.commit, "\(matched.failure)")
    }

    @Test("a host key that is not pinned, is another one, or is revoked is refused with its fingerprint")
    func hostKeys() throws {
        let server = try Server()
        let fingerprint = try server.bench.shell("ssh-keygen -lf host_ed25519.pub | cut -d' ' -f2")
        let tip = { (script: String) in try server.bench.tip(try server.access(pinned: script)) }

        let none = try tip("true")
        #expect(
            none.status == 5 && none.failure.contains("host key of '127.0.0.1:\(server.port)' is not pinned"),
            "\(none.failure)")
        #expect(none.failure.contains("add it with --known-hosts FILE"))
        let elsewhere = try tip(server.pin("host_ed25519", as: "127.0.0.1"))
        #expect(
            elsewhere.status == 5 && elsewhere.failure.contains("is not pinned"),
            "the port counts: \(elsewhere.failure)")
        let changed = try tip(server.pin("other"))
        #expect(changed.status == 5 && changed.failure.contains("has changed"), "\(changed.failure)")
        #expect(changed.failure.contains(fingerprint), "\(changed.failure)")
        let revoked = try tip(
            "\(server.pin("host_ed25519")); printf '@revoked '; \(server.pin("host_ed25519", as: "*"))")
        #expect(revoked.status == 5 && revoked.failure.contains("@revoked"), "\(revoked.failure)")
        let rsa = try tip(server.pin("host_rsa"))
        if try server.bench.signsRSAWithSHA2() {
            #expect(rsa.tip == server.commit, "\(rsa.failure)")
        } else {
            #expect(rsa.status != 0 && rsa.failure.contains("SHA-1"), "\(rsa.failure)")
        }
        #expect(
            try server.bench.tip(server.bench.access("ssh://root@127.0.0.1:\(server.port)/x")).failure
                .contains("is not pinned"))
    }

    @Test("the host key is asked for without a credential, and pinning its line lets us in")
    func scan() throws {
        let server = try Server()
        let url = "ssh://root@127.0.0.1:\(server.port)\(server.bench.repository)"
        let answer = try server.bench.ask(
            SourceRequest(action: .hostKey, repository: server.bench.access(url), mirror: server.bench.mirror)
        )
        guard case .hostKey(let host, let type, let fingerprint, let line) = answer.events.last else {
            Issue.record("no host key: \(answer.failure)")
            return
        }
        #expect(host == "[127.0.0.1]:\(server.port)")
        let file = type == "ssh-ed25519" ? "host_ed25519" : "host_ecdsa"
        #expect(try fingerprint == server.bench.shell("ssh-keygen -lf \(file).pub | cut -d' ' -f2"))
        #expect(try server.bench.tip(server.access(pinned: "echo '\(line)'")).tip == server.commit)
        let none = try server.bench.ask(
            SourceRequest(
                action: .hostKey, repository: server.bench.access("https://127.0.0.1:1/x"),
                mirror: server.bench.mirror))
        #expect(none.status == 64 && none.failure.contains("has no host key"), "\(none.failure)")
    }

    @Test("RSA keys are told from others, whatever their format")
    func keyTypes() throws {
        let bench = try Bench()
        try bench.shell(
            """
            ssh-keygen -q -t rsa -N '' -f new; ssh-keygen -q -t rsa -m PEM -N '' -f old; ssh-keygen -q -t rsa -N x -f locked
            ssh-keygen -q -t ed25519 -N '' -f ed; ssh-keygen -q -t ecdsa -m PEM -N '' -f ec; echo nonsense > none
            """)
        for (name, isRSA) in [
            "new": true, "old": true, "locked": true, "ed": false, "ec": false, "none": false,
        ] {
            #expect(PrivateKeyFile.isRSA(try Files.read("\(bench.path)/\(name)")) == isRSA, "\(name)")
        }
    }

    @Test("a key that the server does not take is told, and an RSA key with the reason")
    func userKeys() throws {
        let server = try Server()
        let rsa = try server.bench.tip(try server.access(user: "rsa", pinned: server.pin("host_ed25519")))
        if try server.bench.signsRSAWithSHA2() {
            #expect(rsa.tip == server.commit, "\(rsa.failure)")
        } else {
            #expect(rsa.status == 5 && rsa.failure.contains("signs with SHA-1"), "\(rsa.failure)")
        }
        var access = try server.access(pinned: server.pin("host_ed25519"))
        access.sshKeyFile = "\(server.bench.path)/other"
        let other = try server.bench.tip(access)
        #expect(other.status == 5 && other.failure.contains("does not take the key"), "\(other.failure)")
        access.sshKeyFile = nil
        let none = try server.bench.tip(access)
        #expect(none.status == 5 && none.failure.contains("--ssh-key FILE"), "\(none.failure)")
        access.sshKeyFile = "\(server.bench.path)/absent"
        #expect(try server.bench.tip(access).status == 3)
        var gone = try server.access(pinned: server.pin("host_ed25519"))
        gone.url = "ssh://root@127.0.0.1:\(server.port)/nowhere/x.git"
        let absent = try server.bench.tip(gone)
        #expect(absent.status == 3 && absent.failure.contains("not found"), "\(absent.failure)")
    }
}
