import Glibc
import Synchronization
import Testing
import VoltCore
import VoltSupervise
import VoltSystem
import VoltTestKit

private let example = "\(Golden.root())/examples/volt-echo-kind"
private let built = "\(example)/.build/debug"

/// `examples/volt-echo-kind`, a kind of workload in Swift, as docs/extending.md has it.
@Suite(
    .serialized, .timeLimit(.minutes(5)),
    .enabled(if: getuid() == 0, "needs root"),
    .enabled(
        if: Files.exists("\(built)/volt-echo"),
        "run: swift build --package-path examples/volt-echo-kind"))
final class EchoKindTests {
    private let host: Host
    private let port = LoopbackPort.free()

    /// A host with the kind and a pipeline, on which the commit `one` runs.
    init() throws {
        host = try Host()
        let made = try host.tool(
            "make", "-s", "-C", example, "install", "PREFIX=\(host.directory)", "BUILD=\(built)")
        try #require(made.status == 0, "\(made.stderr)")
        try commit("one")
        try host.createSite()
        try sync()
        try #require(served() == "one")
    }

    deinit {
        _ = try? host.tool("volt-echo", "remove", "--workload", "web")
        for process in Self.processes(with: host.directory) { kill(process, SIGKILL) }
    }

    @discardableResult
    private func commit(_ text: String, port: String? = nil) throws -> String {
        let manifest = """
            apiVersion: volt/v1
            kind: echo
            spec:
              text: "\(text)"
              port: \(port ?? String(self.port))

            """
        return try host.commit(
            "\(text) \(UInt32.random(in: 0...UInt32.max))", files: ["volt-manifest.yaml": manifest])
    }

    private func sync(_ words: String...) throws {
        let made = try host.tool.run(["volt-gitops", "sync", "--name", "site"] + words)
        try #require(made.status == 0, "\(made.stderr)")
    }

    /// The text that the published port answers with, or nil.
    private func served() -> String? { Self.served(port) }

    private static func served(_ port: UInt16) -> String? {
        guard let client = try? HTTPClient(port: port, timeoutSeconds: 10),
            let answer = try? client.request("GET", "/"), answer.status == 200
        else { return nil }
        return String(decoding: answer.body, as: UTF8.self)
    }

    private func instances() throws -> [String] {
        try Files.list("\(host.directory)/root/lib/echo/instances")
    }

    private func record() throws -> RunRecord {
        let name = try #require(try instances().first)
        return try #require(RunRecord(in: "\(host.directory)/root/lib/echo/instances/\(name)"))
    }

    /// The processes whose command names a directory.
    private static func processes(with directory: String) -> [Int32] {
        ((try? Files.list("/proc")) ?? []).compactMap { Int32($0) }.filter { process in
            process != getpid()
                && String(decoding: (try? Files.read("/proc/\(process)/cmdline")) ?? [], as: UTF8.self)
                    .contains(directory)
        }
    }

    @Test("a push replaces a kind in Swift without a lost connection, and a broken one leaves the old one")
    func deploys() throws {
        let stops = Atomic(false)
        let counts = Mutex<[String: Int]>([:])
        let port = port
        try withThread {
            while !stops.load(ordering: .acquiring) {
                let text = Self.served(port) ?? "lost"
                counts.withLock { $0[text, default: 0] += 1 }
            }
        } while: {
            defer { stops.store(true, ordering: .releasing) }
            try commit("two")
            #expect(try host.gitops("plan", "--name", "site").stdout.contains("web: replace: text"))
            try sync()
            #expect(served() == "two")
            usleep(100_000)
        }
        let seen = counts.withLock { $0 }
        #expect(Set(seen.keys) == ["one", "two"], "\(seen)")
        #expect(try instances() == ["web-2"])

        try commit("")
        let broken = try host.gitops("sync", "--name", "site")
        #expect(broken.status == 1)
        #expect(broken.stderr.contains("'web-3' ended with 1 before it was healthy"), "\(broken.stderr)")
        #expect(
            try host.gitops("show", "3").stdout.contains("volt-echo: error: there is no text to answer with"))
        #expect(served() == "two")
        #expect(try instances() == ["web-2"])

        #expect(try host.gitops("rollback", "--name", "site").status == 0)
        #expect(served() == "one")

        #expect(try host.gitops("delete", "--name", "site", "--remove-workload").status == 0)
        #expect(served() == nil)
        #expect(try instances() == [])
        #expect(Self.processes(with: host.directory) == [])
        #expect(try host.tool("volt-echo", "list", "-o", "json").stdout.filter { !$0.isWhitespace } == "[]")
    }

    @Test("a manifest that is wrong names its line, and changes nothing")
    func manifest() throws {
        try commit("two", port: "70000")
        let made = try host.gitops("sync", "--name", "site")
        #expect(made.status == 1)
        #expect(made.stderr.contains("volt-manifest.yaml:5:9: '70000' is not a port"), "\(made.stderr)")
        #expect(served() == "one")
    }

    @Test("a process that was killed is started again, and a supervisor that was killed by the next sync")
    func killed() throws {
        let first = try record()
        kill(first.main, SIGKILL)
        try host.wait("for the process to be started again") {
            try record().restarts == 1 && served() == "one"
        }
        #expect(try record().supervisor == first.supervisor)

        let second = try record()
        kill(second.supervisor, SIGKILL)
        try host.wait("for the process to end with its supervisor") { !Processes.isAlive(second.main) }
        #expect(
            try host.tool("volt-echo", "status", "--workload", "web", "-o", "json").stdout.contains(
                #""state" : "exited""#))
        // The port is still open.
        _ = try HTTPClient(port: port)
        try sync("--force")
        #expect(served() == "one")
        #expect(try instances() == ["web-2"])
    }

    @Test("a port process that was killed is started again by the next command")
    func portProcess() throws {
        let socket = "\(host.directory)/root/run/ports/web"
        for process in Self.processes(with: socket) { kill(process, SIGKILL) }
        try host.wait("for the port to close") { served() == nil }
        #expect(try host.tool("volt-echo", "status", "--workload", "web").status == 0)
        #expect(served() == "one")
    }

    /// Runs a body in a thread of its own while another runs here.
    private func withThread(_ body: @escaping @Sendable () -> Void, while other: () throws -> Void) throws {
        let box = Unmanaged.passRetained(Body(run: body))
        var thread = pthread_t()
        pthread_create(
            &thread, nil,
            { argument in
                argument.map { Unmanaged<Body>.fromOpaque($0).takeRetainedValue().run() }
                return nil
            }, box.toOpaque())
        defer { pthread_join(thread, nil) }
        try other()
    }

    private final class Body: Sendable {
        let run: @Sendable () -> Void
        init(run: @escaping @Sendable () -> Void) { self.run = run }
    }
}
