import GitopsEngine
import Glibc
import Testing
import VoltCore
import VoltSystem
import VoltTestKit

/// After `kill -9` of the server at any step, what runs is the old or the new commit, and the history comes to
/// an end.
@Suite(.serialized, .timeLimit(.minutes(5))) struct KillTests {
    /// A host on which a first commit runs, with a second one that is not deployed yet.
    private func host(_ files: [String: String] = [:]) throws -> (host: Host, old: String, new: String) {
        let host = try Host()
        try host.createSite()
        #expect(try host.gitops("sync", "--name", "site").status == 0)
        let old = try host.git("rev-parse", "HEAD")
        return (host, old, try host.commit("two", files: files))
    }

    /// Waits until nothing is under way, and checks that every attempt has ended.
    private func settle(_ host: Host, _ what: String) throws -> [Attempt] {
        var history: [Attempt] = []
        try host.wait("for the end of \(what)") {
            history = try host.history()
            return history.allSatisfy(\.state.isFinal)
        }
        #expect(history.allSatisfy { $0.finishedAt != nil && $0.decision != nil })
        return history
    }

    @Test(
        "a deploy over a running commit survives the death of the server at each step",
        arguments: ["prepare", "start", "check", "switch", "stop-old"])
    func applying(step: String) throws {
        let (host, old, new) = try host()
        let first = try Serve(host)
        try host.close(gate: "\(step)-\(new)")
        try host.deliver(new, to: first)
        try host.wait("for step \(step)") { host.applied.contains("\(step) \(new)") }
        first.end(SIGKILL)
        #expect(host.running == (step == "stop-old" ? new : old))
        let second = try Serve(host)
        // The orphan was ended before the second server took up the work.
        #expect(host.applied.contains("stopped \(new)"))
        #expect([old, new].contains(host.running))
        try host.open(gate: "\(step)-\(new)")
        let history = try settle(host, step)
        #expect(host.running == new)
        #expect(history.first?.state == .done)
        #expect(second.end(SIGTERM) == 0)
    }

    @Test("an attempt that was accepted or fetching when the server died is taken up again")
    func fetching() throws {
        let (host, old, new) = try host()
        let mirrors = "\(host.directory)/root/lib/gitops/mirrors"
        let mirror = try #require(try Files.list(mirrors).first)
        // Whoever holds this lock makes every fetch wait.
        let lock = try FileLock.wait(for: "\(mirrors)/\(mirror)/lock")
        let first = try Serve(host)
        try host.deliver(new, to: first)
        try host.wait("for the fetch") { try host.history().first?.state == .fetching }
        first.end(SIGKILL)
        let second = try Serve(host)
        try host.wait("for the fetch") { try host.history().first?.state == .fetching }
        #expect(host.running == old)
        second.end(SIGKILL)
        _ = consume lock
        let third = try Serve(host)
        _ = try settle(host, "the fetch")
        #expect(host.running == new)
        #expect(third.text.contains("it is resumed"))
    }

    @Test(
        "a rollback survives the death of the server", arguments: ["prepare", "check", "switch", "stop-old"])
    func rollingBack(step: String) throws {
        let (host, old, bad) = try host(["fatal": ""])
        let first = try Serve(host)
        try host.close(gate: "\(step)-\(old)")
        let before = host.applied.count
        try host.deliver(bad, to: first)
        try host.wait("for the rollback") { host.applied.dropFirst(before).contains("\(step) \(old)") }
        first.end(SIGKILL)
        let second = try Serve(host)
        try host.open(gate: "\(step)-\(old)")
        let history = try settle(host, "the rollback")
        #expect(host.running == old)
        #expect(history.first { $0.trigger == .rollback }?.state == .done)
        #expect(history.first { $0.commit == bad }?.state == .failed)
        #expect(try host.gitops("status").stdout.contains("held"))
        #expect(second.end(SIGTERM) == 0)
    }

    @Test(
        "an attempt at which the server dies again and again is closed, and the last good commit is brought back"
    )
    func deadly() throws {
        let (host, old, new) = try host()
        try host.close(gate: "switch-\(new)")
        for turn in 1...3 {
            let server = try Serve(host)
            if turn == 1 { try host.deliver(new, to: server) }
            try host.wait("for turn \(turn)") {
                host.applied.filter { $0 == "switch \(new)" }.count == turn
            }
            server.end(SIGKILL)
        }
        let server = try Serve(host)
        let history = try settle(host, "the rollback")
        #expect(host.running == old)
        #expect(history.first { $0.commit == new }?.state == .interrupted)
        #expect(
            history.first { $0.commit == new }?.decision?.contains("the server died 3 times at it") == true)
        #expect(history.first { $0.trigger == .rollback }?.state == .done)
        #expect(server.text.contains("brings back \(old.prefix(7))"))
    }

    @Test("a newer push without a known commit cancels an attempt that is checking")
    func newestUnknown() throws {
        let (host, _, second) = try host()
        let server = try Serve(host)
        try host.close(gate: "check-\(second)")
        try host.deliver(second, to: server)
        try host.wait("for the check") { host.applied.contains("check \(second)") }
        // The tip is the same: there is nothing newer, and the attempt goes on.
        #expect(try host.gitops("sync", "--name", "site", "--no-wait").status == 0)
        usleep(1_500_000)
        #expect(!host.applied.contains("stopped \(second)"))
        let third = try host.commit("three")
        #expect(try host.gitops("sync", "--name", "site").status == 0)
        #expect(host.applied.contains("stopped \(second)"))
        #expect(host.running == third)
        let history = try settle(host, "the push")
        #expect(
            history.first { $0.commit == second }?.decision?.contains(
                "the newer commit \(third.prefix(7)) came")
                == true)
    }
}
