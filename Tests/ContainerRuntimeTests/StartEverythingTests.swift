import FoundationEssentials
import Glibc
import Testing
import VoltRollout
import VoltSystem
import VoltTestKit

/// `volt container start --all` with containers that are of no workload; a start of the host is played by the end of
/// all processes and the loss of what is below /run.
@Suite(.enabled(if: runsContainers, "needs root, systemd-nspawn and busybox-static"), .timeLimit(.minutes(2)))
struct StartEverythingTests {
    let host: RuntimeHost

    init() throws { host = try RuntimeHost() }

    private func start(expecting status: Int32 = 0) throws -> [String: StartResult] {
        let result = try host.volt("start", "--all", "-o", "json")
        #expect(result.status == status, "\(result.stderr)")
        let all = try JSONDecoder().decode([StartResult].self, from: Data(result.stdout.utf8))
        return Dictionary(uniqueKeysWithValues: all.map { ($0.name, $0) })
    }

    private func run(_ name: String, _ words: [String], _ options: String...) throws {
        let result = try host.run.run(
            ["volt-container", "run", "--detach", "--name", name] + options + ["busybox"] + words)
        #expect(result.status == 0, "\(result.stderr)")
    }

    private func crash() throws {
        let directory = host.scratch.path
        for state in try host.states() { if let process = state.supervisor { kill(process, SIGKILL) } }
        for port in try host.run("pgrep", "-f", "volt-container--port \(directory)").stdout.split(
            separator: "\n")
        {
            if let process = Int32(port) { kill(process, SIGKILL) }
        }
        usleep(200_000)
        try Files.removeTree("\(directory)/root/run")
    }

    @Test("what should run is started again with its ports, and the rest is left as it is, with the reason")
    func afterStart() throws {
        let port = LoopbackPort.free()
        try run(
            "web", ["httpd", "-f", "-p", "80", "-h", "/www"], "--restart", "always", "-p",
            "127.0.0.1:\(port):80")
        try run("once", ["sleep", "1000"])
        try run("job", ["true"], "--restart", "on-failure")
        try run("idle", ["sleep", "1000"], "--restart", "always")
        try host.volt("create", "--name", "new", "busybox", "true")
        try host.volt("stop", "idle")
        _ = try host.wait(for: "job") { $0.state == "exited" }
        #expect(try start()["web"]?.result == .running)
        let pid = try host.state("web").pid
        #expect(try start()["web"]?.result == .running && host.state("web").pid == pid)

        try crash()
        let results = try start()
        #expect(results["web"]?.result == .started)
        #expect(try host.page(port) == "hello\n")
        #expect(results["once"]?.reason == "it has finished, and its restart policy is 'no'")
        #expect(results["job"]?.reason == "it has finished, and its restart policy is 'on-failure'")
        #expect(results["idle"]?.reason == "it was stopped by hand")
        #expect(results["new"]?.reason == "it was never started")
        #expect(results.values.filter { $0.result == .skipped }.count == 4)
    }

    @Test(
        "one that was asked to end by the host comes back, and one that cannot be started keeps no other from it"
    )
    func partly() throws {
        try run(
            "svc", ["sh", "-c", "trap 'exit 0' TERM; while :; do sleep 0.02; done"], "--restart", "on-failure"
        )
        let port = LoopbackPort.free()
        try run(
            "web", ["httpd", "-f", "-p", "80", "-h", "/www"], "--restart", "always", "-p",
            "127.0.0.1:\(port):80")
        usleep(200_000)
        kill(try #require(try host.state("svc").supervisor), SIGTERM)
        _ = try host.wait(for: "svc") { $0.state == "exited" && $0.exitCode == 0 }
        try crash()
        try run("thief", ["httpd", "-f", "-p", "80", "-h", "/www"], "-p", "127.0.0.1:\(port):80")
        let results = try start(expecting: 2)
        #expect(results["svc"]?.result == .started)
        #expect(results["web"]?.result == .failed)
        #expect(results["web"]?.reason?.contains("\(port)") == true, "\(results["web"]?.reason ?? "")")
        #expect(results["thief"]?.result == .running)
        // It gets its port as soon as that is free.
        try host.volt("rm", "--force", "thief")
        #expect(try start()["web"]?.result == .running)
        #expect(try host.page(port) == "hello\n")
    }

    @Test("names, --all and the options of the latter exclude each other")
    func usage() throws {
        for words in [
            ["start"], ["start", "--all", "web"], ["start", "web", "-o", "json"],
            ["start", "web", "--timeout", "1s"],
        ] {
            #expect(try host.run.run(["volt-container"] + words).status == 64, "\(words)")
        }
    }
}
