import Glibc
import Testing
import VoltCore
import VoltSystem
import VoltTestKit

/// Secrets that age(1) encrypts while the test runs, in real containers.
@Suite(
    .serialized, .timeLimit(.minutes(3)),
    .enabled(if: runsContainers, "real containers need root, systemd-nspawn and a static busybox"))
struct RealSecretsTests {
    private static let token = "t0ken-of-the-test"
    private static let key = "private-key-of-the-test"

    private let host: RealHost
    private var keys: String { "\(host.scratch.path)/root/etc/age/keys.txt" }

    init() throws {
        host = try RealHost()
        try Files.makeDirectory(Files.parent(of: keys), mode: 0o700)
        try #require(try host.run("age-keygen", "-o", keys).status == 0)
    }

    private func encrypt(_ text: String, _ file: String) throws {
        try Files.makeDirectory(Files.parent(of: file))
        let result = try host.run.run(["age", "-e", "-i", keys, "-o", file], input: text)
        try #require(result.status == 0, "\(result.stderr)")
    }

    private func source(_ revision: String, token: String = Self.token, more: String = "") throws -> String {
        let directory = try host.source(revision, page: "page")
        try Files.makeDirectory("\(directory)/site/cgi-bin")
        try Files.replace(
            "\(directory)/site/cgi-bin/show",
            with: """
                #!/bin/sh
                body="$TOKEN $MODE $(cat /run/secrets/tls.key) $(cat /etc/app/name)"
                echo "Content-Length: ${#body}"
                echo
                echo -n "$body"

                """.utf8,
            mode: 0o755)
        try encrypt("TOKEN=\(token)\nMODE=secret\n", "\(directory)/secrets/app.env.age")
        try encrypt(Self.key, "\(directory)/secrets/tls.key.age")
        try Files.replace(
            "\(directory)/volt-manifest.yaml",
            with: """
                apiVersion: volt/v1
                kind: container
                spec:
                  build: .
                  ports: ["127.0.0.1:\(host.port):80"]
                  restart: always
                  secrets:
                    - { file: secrets/app.env.age, env: true }
                    - { file: secrets/tls.key.age, mode: "0440", uid: 1000, gid: 1000 }
                    - { file: secrets/app.env.age, key: MODE, target: /etc/app/name }
                  \(more)
                  health: { http: { port: 80, path: / }, interval: 1s, retries: 2, startPeriod: 1s }
                """.utf8)
        return directory
    }

    private func apply(_ directory: String, _ revision: String) throws -> ToolRunner.Result {
        try host.run.run(host.words(directory, revision))
    }

    private func deploy() throws {
        let result = try apply(try source("r1"), "r1")
        try #require(result.status == 0, "\(result.stdout)\(result.stderr)")
    }

    private func shown() throws -> String { try host.page("/cgi-bin/show") }

    /// Waits until a payload that was just started shows something.
    private func shows(_ text: String) -> Bool {
        let deadline = ContinuousClock.now + .seconds(20)
        while (try? shown()) != text {
            guard ContinuousClock.now < deadline else { return false }
            usleep(100_000)
        }
        return true
    }

    @Test("variables and files reach the payload, survive a restart without the source, and lie on no disk")
    func reach() throws {
        let directory = try source("r1")
        let applied = try apply(directory, "r1")
        try #require(applied.status == 0, "\(applied.stdout)\(applied.stderr)")
        #expect(try shown() == "\(Self.token) secret \(Self.key) secret")
        #expect(
            try host.run(
                "volt-container", "exec", "web-1", "/bin/busybox", "stat", "-c", "%a %u %g",
                "/run/secrets/tls.key"
            )
            .stdout == "440 1000 1000\n")
        #expect(
            try host.run(
                "volt-container", "exec", "-e", "MODE=mine", "web-1", "sh", "-c", "echo $TOKEN $MODE"
            ).stdout
                == "\(Self.token) mine\n")
        // Neither in a file of the host, nor in an argument of a process, nor in what is shown of it.
        for word in [Self.token, Self.key] {
            let found = try host.run("grep", "-rlF", word, "\(host.scratch.path)/root")
            #expect(found.status == 1, "\(found.stdout)")
            let shown = try host.run("volt-container", "inspect", "web-1").stdout
            #expect(shown.contains("tls.key.age") && !shown.contains(word))
            for process in try Files.list("/proc") where Int32(process) != nil {
                let line = (try? Files.read("/proc/\(process)/cmdline")) ?? []
                #expect(!String(decoding: line, as: UTF8.self).contains(word))
            }
        }
        try Files.removeTree("\(directory)/secrets")
        #expect(try host.run("volt-container", "restart", "web-1").status == 0)
        #expect(shows("\(Self.token) secret \(Self.key) secret"))
    }

    @Test("another secret is another container, and a plan names it")
    func change() throws {
        try deploy()
        let next = try source("r2", token: "another")
        let plan = try host.run.run(
            host.words(next, "r2").filter { $0 != "apply" }.reduce(into: [
                "volt-container", "apply", "--dry-run",
            ]) {
                if $1 != "volt-container" { $0.append($1) }
            })
        #expect(plan.stdout.contains("secrets: secrets/app.env.age"), "\(plan.stdout)\(plan.stderr)")
        #expect(try apply(next, "r2").stdout.contains("\"status\":\"deployed\""))
        #expect(try shown().hasPrefix("another "))
    }

    @Test("a secret that cannot be had fails before anything is touched, and says what to do")
    func refused() throws {
        try deploy()
        let plain = try source("r2")
        try Files.replace("\(plain)/secrets/app.env.age", with: "TOKEN=\(Self.token)\n".utf8)
        var failed = try apply(plain, "r2")
        #expect(failed.status == 5 || failed.status == 1)
        #expect(failed.stdout.contains("is not encrypted"), "\(failed.stdout)")
        #expect(!failed.stdout.contains(Self.token))
        failed = try apply(try source("r3", more: "env: { TOKEN: x }"), "r3")
        #expect(failed.stdout.contains("'TOKEN' is set by 'env' and by a secret"), "\(failed.stdout)")
        let linked = try source("r4")
        try Files.remove("\(linked)/secrets/app.env.age")
        symlink(keys, "\(linked)/secrets/app.env.age")
        failed = try apply(linked, "r4")
        #expect(failed.stdout.contains("is a link"), "\(failed.stdout)")
        let fifth = try source("r5", token: "fifth")
        chmod(keys, 0o644)
        failed = try apply(fifth, "r5")
        #expect(failed.stdout.contains("others than its owner can read"), "\(failed.stdout)")
        #expect(try shown().hasPrefix("\(Self.token) "))
        // Without its key a container does not start, and says so; with it, it does.
        try Files.move(keys, to: "\(keys).away")
        let restarted = try host.run("volt-container", "restart", "web-1")
        #expect(restarted.status == 125)
        #expect(restarted.stderr.contains("there is no key to decrypt secrets with"), "\(restarted.stderr)")
        try Files.move("\(keys).away", to: keys)
        chmod(keys, 0o600)
        // The restart policy tries again by itself.
        #expect(shows("\(Self.token) secret \(Self.key) secret"))
    }
}
