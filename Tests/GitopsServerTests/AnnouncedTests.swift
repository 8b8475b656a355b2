import GitopsEngine
import Glibc
import Testing
import VoltCore
import VoltSystem
import VoltTestKit

/// A signed delivery that comes before its commit can be fetched. `VOLT_GITOPS_REFETCH` makes the waits short.
@Suite(.serialized, .timeLimit(.minutes(2))) struct AnnouncedTests {
    /// A host on which the first commit runs, and a commit after it that the branch does not have any more. The
    /// first poll of a server then finds nothing new, whenever it comes.
    private func prepared(_ more: String...) throws -> (host: Host, one: String, gone: String) {
        let host = try Host()
        let made = try host.tool.run(
            [
                "volt-gitops", "create", "--name", "site", "--repo", host.repository, "--provider", "github",
                "--branch", "main", "--workload", "web", "--secret-file", "\(host.directory)/secret",
                "--allow-file", "--poll-interval", "86400",
            ] + more)
        try #require(made.status == 0, "\(made.stderr)")
        try #require(try host.gitops("sync", "--name", "site").status == 0)
        let one = try host.git("rev-parse", "HEAD")
        let gone = try host.commit("two")
        try host.git("reset", "-q", "--hard", one)
        return (host, one, gone)
    }

    @Test("a commit that shows up a moment after its delivery is deployed by the same attempt")
    func late() throws {
        let (host, _, two) = try prepared()
        let server = try Serve(host)
        try host.deliver(two, to: server)
        try host.wait("for the wait") { server.text.contains("\(two.prefix(7)) was announced") }
        try host.git("reset", "-q", "--hard", two)
        try host.wait("for the deploy") { try host.statuses() == ["success", "success"] }
        #expect(host.running == two)
        #expect(try host.history().first?.commit == two)
    }

    @Test("a commit that never shows up is said to be unseen: no success, no failure, and no loop")
    func never() throws {
        let receiver = try ScriptedHTTPServer { _ in .answer(200) }
        let (host, one, two) = try prepared("--notify", receiver.origin)
        let server = try Serve(host, with: ["--ui"])
        try host.deliver(two, to: server)
        try host.wait("for the end") { try host.statuses() == ["unseen", "success"] }
        let last = try #require(try host.history().first)
        #expect(last.commit == two)
        #expect(last.decision?.contains("\(two.prefix(7)) was announced and never came") == true)
        #expect(host.running == one && host.applied.filter { $0.hasPrefix("prepare") }.count == 1)
        let status = try host.gitops("status")
        #expect(status.stdout.contains("  unseen\n"))
        #expect(status.stderr.contains("\(two.prefix(7)) was announced and never came"))
        #expect(try server.request("GET", "/").text.contains(">unseen</span>"))
        try host.wait("for the event") { receiver.requests.contains { $0.text.contains("\"unseen\"") } }
        #expect(receiver.requests.last?.text.contains(two) == true)
        // A delivery that is sent again is no duplicate of it, and the next commit is deployed as ever.
        let three = try host.commit("three")
        try host.deliver(three, to: server)
        try host.wait("for the next") { try host.statuses().first == "success" && host.running == three }
    }

    @Test("another tip is deployed when the announced commit never comes, and both are said")
    func otherTip() throws {
        let receiver = try ScriptedHTTPServer { _ in .answer(200) }
        let (host, _, dropped) = try prepared("--notify", receiver.origin)
        let server = try Serve(host)
        try host.wait("for the first poll") {
            try host.gitops("status", "-o", "json").stdout.contains("polledAt")
        }
        let tip = try host.commit("forced")
        try host.deliver(dropped, to: server)
        try host.wait("for the deploy") { try host.statuses() == ["success", "success"] }
        #expect(host.running == tip)
        #expect(
            try host.gitops("status").stderr.contains("\(dropped.prefix(7)) was announced and never came"))
        #expect(
            try host.history().first?.note.contains("\(dropped.prefix(7)) was announced and never came")
                == true)
        try host.wait("for the event") {
            receiver.requests.contains { $0.text.contains("\"unseen\"") && $0.text.contains(dropped) }
        }
    }

    @Test("a delivery of a commit that the tip descends from waits for nothing")
    func older() throws {
        let (host, one, two) = try prepared()
        try host.git("reset", "-q", "--hard", two)
        let server = try Serve(host)
        try host.deliver(one, to: server)
        try host.wait("for the deploy") { try host.statuses().first == "success" && host.running == two }
        #expect(!server.text.contains("was announced"))
    }
}
