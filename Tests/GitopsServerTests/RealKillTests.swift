import Dispatch
import GitopsEngine
import Glibc
import Synchronization
import Testing
import VoltCore
import VoltSystem
import VoltTestKit

private let runsContainers =
    getuid() == 0 && Files.exists("/usr/bin/systemd-nspawn") && Files.exists("/bin/busybox")

/// Asks for a page all the time, on a thread of its own.
private final class Visitor: Sendable {
    private struct State {
        var pages: [String: Int] = [:]
        var failures: [String] = []
        var isStopped = false
    }

    private let state = Mutex(State())
    private let done = DispatchGroup()

    init(port: UInt16) {
        done.enter()
        DispatchQueue(label: "visitor").async { [self] in
            while !state.withLock({ $0.isStopped }) {
                do {
                    let page = try HTTPClient(port: port, timeoutSeconds: 5).request(
                        "GET", "/", headers: [("Connection", "close")]
                    ).text
                    state.withLock { $0.pages[page, default: 0] += 1 }
                } catch { state.withLock { $0.failures.append("\(error)") } }
            }
            done.leave()
        }
    }

    /// Ends, and gives how often each page was seen and what went wrong.
    func stop() -> (pages: [String: Int], failures: [String]) {
        state.withLock { $0.isStopped = true }
        done.wait()
        return state.withLock { ($0.pages, $0.failures) }
    }
}

@Suite(
    .serialized, .timeLimit(.minutes(5)),
    .enabled(if: runsContainers, "needs root, systemd-nspawn and busybox"))
struct RealKillTests {
    private func files(_ port: UInt16, _ page: String, health: String = "/") -> [String: String] {
        [
            "index.html": page,
            "Voltfile": """
            FROM busybox
            COPY index.html /www/index.html
            CMD ["/bin/httpd", "-f", "-p", "80", "-h", "/www"]

            """,
            "volt-manifest.yaml": """
            apiVersion: volt/v1
            kind: container
            spec:
              build: .
              ports: ["127.0.0.1:\(port):80"]
              health: { http: { port: 80, path: \(health) }, interval: 200ms, retries: 3, startPeriod: 1s }

            """,
        ]
    }

    private func host(_ port: UInt16) throws -> Host {
        let host = try Host()
        let root = "\(host.directory)/busybox"
        for name in ["bin", "etc", "tmp", "www"] { try Files.makeDirectory("\(root)/\(name)") }
        try #require(try host.tool("cp", "/bin/busybox", "\(root)/bin/busybox").status == 0)
        for name in ["sh", "httpd"] { symlink("busybox", "\(root)/bin/\(name)") }
        try #require(try host.tool("volt-container", "import", "--name", "busybox", root).status == 0)
        try host.commit("one", files: files(port, "one"))
        try host.createSite()
        let sync = try host.gitops("sync", "--name", "site")
        try #require(sync.status == 0, "\(sync.stderr)")
        return host
    }

    @Test(
        "with a real container the old page or the new one answers whenever the server is killed",
        arguments: [AttemptState.fetching, .building, .starting, .checking, .switching])
    func killed(at state: AttemptState) throws {
        let port = LoopbackPort.free()
        let host = try host(port)
        defer { _ = try? host.tool("volt-container", "remove", "--workload", "web", "--volumes") }
        let commit = try host.commit("two", files: files(port, "two"))
        let journal = try Journal(state: "\(host.directory)/root/lib/gitops")
        let first = try Serve(host)
        let visitor = Visitor(port: port)
        try host.deliver(commit, to: first)
        try host.wait("for \(state)") {
            try journal.history(of: "site", limit: 5).contains { attempt in
                try journal.steps(of: attempt.id).contains { $0.state == state }
                    && attempt.trigger == .webhook
            }
        }
        first.end(SIGKILL)
        let second = try Serve(host)
        try host.wait("for the new page") { try host.history().allSatisfy(\.state.isFinal) }
        let (pages, failures) = visitor.stop()
        #expect(failures.isEmpty, "\(failures.prefix(3))")
        #expect(Set(pages.keys).isSubset(of: ["one", "two"]), "\(pages)")
        let page = try HTTPClient(port: port).request("GET", "/", headers: [("Connection", "close")]).text
        #expect(page == "two")
        #expect(try host.history().first { $0.commit == commit && $0.trigger == .webhook }?.state == .done)
        let containers = try host.tool("volt-container", "ps", "-o", "json").stdout
        #expect(
            containers.split(separator: "\n").filter { $0.contains("\"name\"") }.count == 1, "\(containers)")
        #expect(second.end(SIGTERM) == 0)
    }

    @Test("with a real container a commit that never gets healthy leaves the old page, and a rollback sticks")
    func rollback() throws {
        let port = LoopbackPort.free()
        let host = try host(port)
        defer { _ = try? host.tool("volt-container", "remove", "--workload", "web", "--volumes") }
        let visitor = Visitor(port: port)
        try host.commit("bad", files: files(port, "bad", health: "/none"))
        #expect(try host.gitops("sync", "--name", "site").status == 1)
        try host.commit("two", files: files(port, "two"))
        #expect(
            try host.gitops("plan", "--name", "site").stdout.contains(
                "web: replace: the image is to be built"))
        #expect(try host.gitops("sync", "--name", "site").status == 0)
        #expect(try host.gitops("rollback", "--name", "site").status == 0)
        let page = try HTTPClient(port: port).request("GET", "/", headers: [("Connection", "close")]).text
        #expect(page == "one")
        #expect(try host.gitops("sync", "--name", "site").status == 1)
        let (pages, failures) = visitor.stop()
        #expect(failures.isEmpty, "\(failures.prefix(3))")
        #expect(Set(pages.keys) == ["one", "two"])
    }
}
