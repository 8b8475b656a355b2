import Glibc
import Testing
import VoltCore
import VoltSystem
import VoltTestKit

/// A kind whose tool says what the file `status` holds.
@Suite(.timeLimit(.minutes(2))) struct BootReconcileTests {
    private func deployed() throws -> (Host, String) {
        let host = try Host()
        try host.createSite()
        let commit = try host.git("rev-parse", "HEAD")
        #expect(try host.gitops("sync", "--name", "site").status == 0)
        let probe = "\(host.directory)/bin/volt-probe"
        let script = String(decoding: try Files.read(probe), as: UTF8.self)
        try Files.replace(
            probe,
            with: script.replacing(
                "verb=$1\n", with: "verb=$1\n[ \"$verb\" != status ] || { cat \"$PROBE/status\"; exit 0; }\n"
            ).utf8,
            mode: 0o755)
        return (host, commit)
    }

    private func say(_ host: Host, _ state: String, stopped: String? = nil) throws {
        let more = stopped.map { ",\"stopped\":\"\($0)\"" } ?? ""
        try Files.replace(
            "\(host.directory)/status",
            with: "{\"workload\":\"web\",\"state\":\"\(state)\",\"health\":\"none\",\"restarts\":0\(more)}\n"
                .utf8)
    }

    private func seen(_ host: Host) -> Bool { Files.exists("\(host.directory)/root/lib/gitops/boot-id") }

    @Test("a workload that is gone after a restart of the host is brought back at its last good commit")
    func gone() throws {
        let (host, commit) = try deployed()
        try say(host, "running")
        var server = try Serve(host)
        try host.wait("for the first look") { seen(host) && Files.exists(mark(host)) }
        server.end(SIGTERM)
        // A later commit does not matter: the poll is far away.
        try host.commit("two")
        try say(host, "absent")
        try Files.remove(mark(host))
        // Something that waits for a person does not keep what ran from coming back.
        #expect(try host.gitops("suspend", "--name", "site").status == 0)
        server = try Serve(host)
        try host.wait("for the workload to be applied again") {
            host.applied.filter { $0 == "done \(commit)" }.count == 2
        }
        try host.wait("for the reason in the history") {
            try host.gitops("logs", "--name", "site").stdout.contains("the host was restarted")
        }
        #expect(server.text.contains("brings back \(commit.prefix(7))"))
    }

    private func mark(_ host: Host) -> String { "\(host.directory)/root/run/gitops/started" }

    @Test(
        "after a restart of the host a workload that runs is applied again, and one that was stopped is not")
    func reboot() throws {
        let (host, commit) = try deployed()
        try say(host, "running")
        let boot = "\(host.directory)/root/lib/gitops/boot-id"
        var server = try Serve(host)
        try host.wait("for the first look") { seen(host) && Files.exists(mark(host)) }
        server.end(SIGTERM)
        #expect(
            host.applied.filter { $0 == "done \(commit)" }.count == 1, "it runs, and nothing was restarted")

        try Files.replace(boot, with: "another boot\n".utf8)
        try say(host, "exited", stopped: "by-hand")
        server = try Serve(host)
        try host.wait("for the second look") { try Files.read(boot) != Array("another boot\n".utf8) }
        server.end(SIGTERM)
        #expect(
            host.applied.filter { $0 == "done \(commit)" }.count == 1,
            "what was stopped by hand stays stopped")

        try Files.replace(boot, with: "another boot\n".utf8)
        try say(host, "running")
        server = try Serve(host)
        try host.wait("for the workload to be applied again") {
            host.applied.filter { $0 == "done \(commit)" }.count == 2
        }
        try host.wait("for the reason") {
            try host.gitops("logs", "--name", "site").stdout.contains("the host was restarted")
        }
        server.end(SIGTERM)
    }

    @Test(
        "a workload that the unit of its kind has brought back is left alone, and one that it could not is applied"
    )
    func broughtBack() throws {
        let (host, commit) = try deployed()
        try say(host, "running")
        let boot = "\(host.directory)/root/lib/gitops/boot-id"
        var server = try Serve(host)
        try host.wait("for the first look") { seen(host) && Files.exists(mark(host)) }
        server.end(SIGTERM)
        // What 'volt-probe start --all' would leave.
        try Files.makeDirectory("\(host.directory)/root/run/started")
        try Files.replace("\(host.directory)/root/run/started/probe", with: "1\n".utf8)

        try Files.replace(boot, with: "another boot\n".utf8)
        server = try Serve(host)
        try host.wait("for the second look") { try Files.read(boot) != Array("another boot\n".utf8) }
        server.end(SIGTERM)
        #expect(host.applied.filter { $0 == "done \(commit)" }.count == 1)

        try Files.replace(boot, with: "another boot\n".utf8)
        try say(host, "exited")
        server = try Serve(host)
        try host.wait("for the workload to be applied again") {
            host.applied.filter { $0 == "done \(commit)" }.count == 2
        }
        server.end(SIGTERM)
    }
}
