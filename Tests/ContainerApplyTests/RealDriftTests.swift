import Glibc
import Testing
import VoltCore
import VoltSystem
import VoltTestKit

@Suite(
    .serialized, .timeLimit(.minutes(3)),
    .enabled(if: runsContainers, "real containers need root, systemd-nspawn and a static busybox"))
struct RealDriftTests {
    /// A pipeline with `--drift MODE` over a repository of the host's source, and its server.
    private final class Site {
        let host: RealHost
        private let server: Int32
        private let log: String

        init(drift mode: String) throws {
            host = try RealHost()
            let source = try host.source("repository", page: "good")
            let git = ["git", "-C", source, "-c", "user.name=a", "-c", "user.email=a@example.invalid"]
            for words in [["init", "-q", "-b", "main"], ["add", "-A"], ["commit", "-q", "-m", "one"]] {
                try #require(try host.run.run(git + words).status == 0)
            }
            let created = try host.run(
                "volt-gitops", "create", "--name", "site", "--repo", "file://\(source)", "--provider",
                "github",
                "--branch", "main", "--workload", "web", "--insecure-no-secret", "--allow-file",
                "--poll-interval", "86400", "--drift", mode, "--drift-interval", "1s")
            try #require(created.status == 0, "\(created.stderr)")
            let synced = try host.run("volt-gitops", "sync", "--name", "site")
            try #require(synced.status == 0, "\(synced.stderr)")
            log = "\(host.scratch.path)/serve.log"
            let output = creat(log, 0o600)
            defer { close(output) }
            server = try Processes.spawnDetached(
                "\(ToolRunner.products)/volt-gitops", ["serve", "--port", "0", "--listen", "127.0.0.1"],
                environment: host.run.environment, descriptors: [2: output])
        }

        deinit {
            kill(server, SIGTERM)
            var status: Int32 = 0
            while waitpid(server, &status, 0) < 0, errno == EINTR {}
        }

        func wait(_ what: String, until holds: () throws -> Bool) throws {
            let end = ContinuousClock.now + .seconds(60)
            while try !holds() {
                let text = String(decoding: (try? Files.read(log)) ?? [], as: UTF8.self)
                try #require(ContinuousClock.now < end, "waited in vain: \(what)\n\(text)")
                usleep(20_000)
            }
        }

        func logs() throws -> String { try host.run("volt-gitops", "logs", "--name", "site").stdout }

        func status() throws -> ToolRunner.Result { try host.run("volt-gitops", "status") }

        func container() throws -> String {
            let lines = try host.run("volt-container", "ps", "--all").stdout.split(separator: "\n")
            let names = lines.compactMap { $0.split(separator: " ").first }.filter { $0.hasPrefix("web-") }
            return String(try #require(names.last))
        }
    }

    @Test("a container that was removed is made good, and the history says why")
    func removed() throws {
        let site = try Site(drift: "repair")
        #expect(try site.host.page() == "good")
        #expect(try site.host.run("volt-container", "rm", "--force", try site.container()).status == 0)
        try site.wait("for the repair") {
            try site.logs().contains("success") && site.logs().contains("drift")
        }
        try site.wait("for the page") { (try? site.host.page()) == "good" }
        #expect(try site.logs().contains("drift: the workload is gone"))
    }

    @Test("a workload that was applied from elsewhere is made good, and the history says what differed")
    func applied() throws {
        let site = try Site(drift: "repair")
        let applied = try site.host.apply("manual", page: "bad")
        try #require(applied.status == 0, "\(applied.stdout)")
        try site.wait("for the page") { (try? site.host.page()) == "good" }
        try site.wait("for the history") { try site.logs().contains("  success  ") }
        #expect(try site.logs().contains("drift: 'manual' was applied by other means than this pipeline"))
    }

    @Test(
        "another container under the name of the workload's is replaced, and the history says what differed")
    func replaced() throws {
        let site = try Site(drift: "repair")
        let name = try site.container()
        #expect(try site.host.run("volt-gitops", "suspend", "--name", "site").status == 0)
        #expect(try site.host.run("volt-container", "rm", "--force", name).status == 0)
        let other = try site.host.run(
            "volt-container", "create", "--name", name, "busybox", "/bin/sleep", "1000")
        try #require(other.status == 0, "\(other.stderr)")
        #expect(try site.host.run("volt-container", "start", name).status == 0)
        #expect(try site.host.run("volt-gitops", "resume", "--name", "site").status == 0)
        try site.wait("for the page") { (try? site.host.page()) == "good" }
        try site.wait("for the history") { try site.logs().contains("  success  ") }
        #expect(try site.logs().contains("drift: what runs was changed: its configuration is"))
        #expect(try site.host.run("volt-container", "rm", "--force", name).status == 0)
    }

    @Test("a container that was stopped by hand is reported and stays stopped until the next deploy")
    func stopped() throws {
        let site = try Site(drift: "repair")
        #expect(try site.host.run("volt-container", "stop", try site.container()).status == 0)
        try site.wait("for the report") { try site.status().stdout.contains("  drifted\n") }
        #expect(try site.status().stderr.contains("the workload was stopped by hand"))
        #expect(try site.status().stderr.contains("what was stopped on purpose stays stopped"))
        #expect(try !site.logs().contains("drift"))
        let synced = try site.host.run("volt-gitops", "sync", "--name", "site")
        #expect(synced.status == 0, "\(synced.stderr)")
        #expect(try site.host.page() == "good")
        #expect(try site.status().stdout.contains("  success\n"))
    }

    @Test("with --drift report what differs is shown and nothing is done")
    func report() throws {
        let site = try Site(drift: "report")
        #expect(try site.host.run("volt-container", "rm", "--force", try site.container()).status == 0)
        try site.wait("for the report") { try site.status().stdout.contains("  drifted\n") }
        #expect(
            try site.status().stderr.contains("the workload is gone (it is only reported (--drift report))"))
        #expect(try !site.logs().contains("drift"))
    }
}
