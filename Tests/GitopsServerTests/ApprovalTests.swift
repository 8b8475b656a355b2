import GitopsEngine
import Glibc
import Testing
import VoltCore
import VoltSystem
import VoltTestKit

/// An approval is of the commit that it names, and the newest commit is what waits.
@Suite(.serialized, .timeLimit(.minutes(5))) struct ApprovalTests {
    private func approve(_ host: Host, _ words: String...) throws -> ToolRunner.Result {
        try host.tool.run(["volt-gitops", "approve", "--name", "site", "--by", "alice"] + words)
    }

    @Test("a poll sees the newer commit while one waits, and only the newer one can be approved")
    func polled() throws {
        let host = try Host()
        try host.createSite("--require-approval", "--poll-interval", "1")
        let one = try host.git("rev-parse", "HEAD")
        let server = try Serve(host)
        try host.wait("for the first") { try host.statuses() == ["waiting for approval"] }
        let two = try host.commit("two")
        try host.wait("for the second") { try host.statuses() == ["waiting for approval", "superseded"] }
        for words in [[String(one.prefix(10))], ["1"], []] {
            let stale = try host.tool.run(["volt-gitops", "approve", "--name", "site"] + words)
            #expect(stale.status == 4 && stale.stderr.contains(two.prefix(12)), "\(words): \(stale.stderr)")
        }
        #expect(host.applied.isEmpty)
        let made = try approve(host, String(two.prefix(10)))
        #expect(made.status == 0, "\(made.stderr)")
        try host.wait("for the deploy") { try host.statuses() == ["success", "superseded"] }
        #expect(host.applied.last == "done \(two)")
        let notes = try host.history().map(\.note)
        #expect(notes[0].contains("approved by alice") && !notes[1].contains("approved"), "\(notes)")
        #expect(server.end(SIGTERM) == 0)
    }

    @Test("an approval that comes before the newer commit is seen is not written beside the newer one")
    func overtaken() throws {
        let host = try Host()
        try host.createSite("--require-approval")
        let one = try host.git("rev-parse", "HEAD")
        #expect(try host.gitops("sync", "--name", "site").status == 75)
        let two = try host.commit("two")
        #expect(try approve(host, String(one.prefix(10))).status == 0)
        // The server that starts now finds a decision and no deploy, as after a kill between the two.
        let server = try Serve(host)
        try host.wait("for the newer") { try host.statuses() == ["waiting for approval", "superseded"] }
        let history = try host.history()
        #expect(history.map(\.commit) == [two, one])
        #expect(history.allSatisfy { !$0.note.contains("approved") }, "\(history.map(\.note))")
        #expect(try approve(host, "1").status == 4)
        #expect(host.applied.isEmpty)
        #expect(try approve(host, "2").status == 0)
        try host.wait("for the deploy") { try host.history().first?.state == .done }
        #expect(host.applied.last == "done \(two)")
        #expect(server.end(SIGTERM) == 0)
    }

    @Test("a server that is killed after an approval deploys the approved commit when it is back")
    func killed() throws {
        let host = try Host()
        try host.createSite("--require-approval")
        let one = try host.git("rev-parse", "HEAD")
        let first = try Serve(host)
        try host.deliver(one, to: first)
        try host.wait("for the wait") { try host.statuses() == ["waiting for approval"] }
        first.end(SIGKILL)
        #expect(try approve(host).status == 0)
        let second = try Serve(host)
        try host.wait("for the deploy") { try host.statuses() == ["success"] }
        #expect(host.applied.last == "done \(one)")
        #expect(try host.history()[0].note.contains("approved by alice"))
        #expect(second.end(SIGTERM) == 0)
    }

    @Test("while a newer commit is still being fetched, the older one is approved no more")
    func fetching() throws {
        let host = try Host()
        try host.createSite("--require-approval")
        let one = try host.git("rev-parse", "HEAD")
        #expect(try host.gitops("sync", "--name", "site").status == 75)
        let mirrors = "\(host.directory)/root/lib/gitops/mirrors"
        let mirror = try #require(try Files.list(mirrors).first)
        let server = try Serve(host)
        let two = try host.commit("two")
        // Whoever holds this lock makes every fetch wait.
        let lock = try FileLock.wait(for: "\(mirrors)/\(mirror)/lock")
        // The first poll of a server comes soon after its start.
        try host.wait("for the newer attempt") { try host.history().count == 2 }
        let stale = try approve(host, String(one.prefix(10)))
        #expect(stale.status == 4 && stale.stderr.contains(two.prefix(12)), "\(stale.status) \(stale.stderr)")
        _ = consume lock
        try host.wait("for the newer") { try host.statuses() == ["waiting for approval", "superseded"] }
        #expect(host.applied.isEmpty)
        #expect(server.end(SIGTERM) == 0)
    }
}
