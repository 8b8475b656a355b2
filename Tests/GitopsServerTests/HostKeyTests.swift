import GitopsEngine
import Glibc
import Testing
import VoltCore
import VoltSystem
import VoltTestKit

@Suite(
    .enabled(
        if: geteuid() == 0 && Files.exists("/usr/sbin/sshd"), "needs root and the package openssh-server"))
struct HostKeyTests {
    /// An sshd(8) with an ed25519 host key, which serves the repository of a host.
    private final class Server {
        let host: Host
        let port: Int
        let pid: Int32
        var url: String { "ssh://root@127.0.0.1:\(port)\(host.directory)/repository" }
        var fingerprint: String {
            get throws {
                let words = try host.tool.run(["ssh-keygen", "-lf", "\(host.directory)/hostkey.pub"]).stdout
                    .split(
                        separator: " ")
                return String(words[1])
            }
        }

        init() throws {
            host = try Host()
            let path = host.directory
            try Files.makeDirectory("/run/sshd")
            for name in ["hostkey", "user"] {
                let made = try host.tool.run([
                    "ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", "\(path)/\(name)",
                ])
                try #require(made.status == 0, "\(made.stderr)")
            }
            // Free at the time of the call; sshd(8) has no port of the kernel's choice.
            port = Int(LoopbackPort.free())
            try Files.replace(
                "\(path)/sshd_config",
                with: """
                    Port \(port)
                    ListenAddress 127.0.0.1
                    HostKey \(path)/hostkey
                    AuthorizedKeysFile \(path)/user.pub
                    StrictModes no
                    UsePAM no
                    PasswordAuthentication no
                    PermitRootLogin prohibit-password
                    PidFile none

                    """.utf8)
            let log = creat("\(path)/sshd.log", 0o600)
            defer { close(log) }
            pid = try Processes.spawnDetached(
                "/usr/sbin/sshd", ["-D", "-e", "-f", "\(path)/sshd_config"],
                environment: host.tool.environment,
                descriptors: [2: log])
            try host.wait("for sshd") {
                String(decoding: try Files.read("\(path)/sshd.log"), as: UTF8.self).contains(
                    "Server listening")
            }
        }

        deinit {
            kill(pid, SIGKILL)
            var status: Int32 = 0
            while waitpid(pid, &status, 0) < 0, errno == EINTR {}
        }

        func create(_ more: String...) throws -> ToolRunner.Result {
            try host.tool.run(
                [
                    "volt-gitops", "create", "--name", "site", "--repo", url, "--provider", "github",
                    "--branch",
                    "main", "--workload", "web", "--insecure-no-secret", "--ssh-key",
                    "\(host.directory)/user",
                ] + more)
        }
    }

    @Test(
        "the fingerprint is printed, and the key pinned only when it is accepted; then the repository deploys"
    )
    func accepted() throws {
        let server = try Server()
        let fingerprint = try server.fingerprint
        let shown = try server.create("--scan-host-key")
        #expect(shown.status == 5)
        #expect(shown.stdout == "[127.0.0.1]:\(server.port) ssh-ed25519 \(fingerprint)\n")
        #expect(shown.stderr.contains("add --accept-host-key \(fingerprint)"), "\(shown.stderr)")
        let wrong = try server.create("--accept-host-key", "SHA256:AAAA")
        #expect(
            wrong.status == 5 && wrong.stderr.contains("and not the accepted SHA256:AAAA"), "\(wrong.stderr)")
        #expect(try !server.host.gitops("list").stdout.contains("site"))
        let good = try server.create("--accept-host-key", fingerprint)
        #expect(good.status == 0, "\(good.stderr)")
        let sync = try server.host.gitops("sync", "--name", "site")
        #expect(sync.status == 0, "\(sync.stderr)")
        #expect(try server.host.running == server.host.git("rev-parse", "HEAD"))
        let directory = "\(server.host.directory)/root/lib/gitops/known-hosts"
        #expect(try Files.list(directory) == ["site"])
        #expect(try server.host.gitops("delete", "--name", "site").status == 0)
        #expect(try Files.list(directory) == [])
    }

    @Test("an RSA key is warned of when the pipeline is created, where libssh2 uses it with SHA-1 only")
    func rsa() throws {
        let host = try Host()
        _ = try host.tool.run(["ssh-keygen", "-q", "-t", "rsa", "-N", "", "-f", "\(host.directory)/rsa"])
        let result = try host.tool.run([
            "volt-gitops", "create", "--name", "site", "--repo", "git@git.invalid:team/site.git",
            "--provider", "github",
            "--branch", "main", "--workload", "web", "--insecure-no-secret", "--ssh-key",
            "\(host.directory)/rsa",
        ])
        #expect(result.status == 0, "\(result.stderr)")
        let libraries = try host.tool.run(["volt-gitops--worker", "--libraries"]).stdout
        let isOld = libraries.contains(#""signsRSAWithSHA2":false"#)
        #expect(libraries.contains(#""signsRSAWithSHA2""#))
        #expect(result.stderr.contains("is an RSA key: libssh2") == isOld, "\(result.stderr)")
        #expect(result.stderr.contains("use an ed25519 key") == isOld)
    }
}
