import Glibc
import Testing
import VoltCore
import VoltTestKit

@testable import GitopsEngine

@Suite(.serialized, .timeLimit(.minutes(5))) struct RollbackTests {
    private func status(_ host: Host) throws -> (table: String, notes: String) {
        let result = try host.gitops("status")
        return (String(result.stdout.split(separator: "\n").last ?? ""), result.stderr)
    }

    @Test("a commit that fails is tried again at growing intervals, then held until a newer one comes")
    func retries() throws {
        let host = try Host()
        try host.createSite("--retry-after", "1s")
        let server = try Serve(host)
        let good = try host.git("rev-parse", "HEAD")
        try host.deliver(good, to: server)
        try host.wait("for the good commit") { try host.history().first?.state == .done }
        let bad = try host.commit("bad", files: ["broken": ""])
        try host.deliver(bad, to: server)
        try host.wait("for the hold") { try status(host).table.hasSuffix("held") }
        let tries = try host.history().filter { $0.commit == bad }.reversed()
        #expect(tries.map(\.state) == [.failed, .failed, .failed])
        #expect(tries.map(\.trigger) == [.webhook, .retry, .retry])
        let starts = tries.compactMap(\.startedAt)
        #expect(starts[1].since(starts[0]) >= .seconds(1))
        #expect(starts[2].since(starts[1]) >= .seconds(2))
        #expect(tries.last?.decision?.contains("is held because it failed 3 times") == true)
        #expect(try status(host).notes.contains("is held: it failed 3 times"))
        #expect(host.running == good)

        // Neither a push nor a sync brings it back; --force does, and is honest about how it ends.
        try host.deliver(bad, to: server)
        try host.wait("for the answer") { try host.history().first?.state == .held }
        let sync = try host.gitops("sync", "--name", "site")
        #expect(sync.status == 1)
        #expect(sync.stderr.contains("--force"))
        #expect(host.applied.filter { $0 == "prepare \(bad)" }.count == 3)
        #expect(
            try host.gitops("sync", "--name", "site", "--force").stderr.contains("the health check failed"))
        #expect(host.applied.filter { $0 == "prepare \(bad)" }.count == 4)

        let newer = try host.commit("newer", without: ["broken"])
        try host.deliver(newer, to: server)
        try host.wait("for the newer commit") { host.running == newer }
        try host.wait("for the status") { try status(host).table.hasSuffix("success") }
    }

    @Test("a failure that leaves nothing running brings the last good commit back, and holds the bad one")
    func automatic() throws {
        let host = try Host()
        try host.createSite()
        let server = try Serve(host)
        let good = try host.git("rev-parse", "HEAD")
        try host.deliver(good, to: server)
        try host.wait("for the good commit") { try host.history().first?.state == .done }
        let bad = try host.commit("bad", files: ["fatal": ""])
        try host.deliver(bad, to: server)
        try host.wait("for the rollback") {
            try host.history().first { $0.trigger == .rollback }?.state == .done
        }
        #expect(host.running == good)
        let history = try host.history()
        #expect(history[1].commit == bad)
        #expect(history[1].state == .failed)
        #expect(history[1].decision?.contains("rolled back to \(good.prefix(7))") == true)
        #expect(history[0].commit == good)
        #expect(history[0].decision?.contains("rollback of attempt \(history[1].id)") == true)
        #expect(try status(host).table.hasSuffix("held"))
        try host.deliver(bad, to: server)
        try host.wait("for the answer") { try host.history().first?.state == .held }
        #expect(host.running == good)
    }

    @Test("a sync without a server brings the last good commit back, too")
    func automaticAlone() throws {
        let host = try Host()
        try host.createSite()
        let good = try host.git("rev-parse", "HEAD")
        #expect(try host.gitops("sync", "--name", "site").status == 0)
        try host.commit("bad", files: ["fatal": ""])
        let sync = try host.gitops("sync", "--name", "site")
        #expect(sync.status == 1)
        #expect(sync.stderr.contains("rolled back to \(good.prefix(7))"))
        #expect(host.running == good)
        #expect(try host.history().map(\.state) == [.done, .failed, .done])
    }

    @Test("a rollback by hand sticks against pushes, and ends with a newer commit")
    func byHand() throws {
        let host = try Host()
        try host.createSite()
        let server = try Serve(host)
        let first = try host.git("rev-parse", "HEAD")
        try host.deliver(first, to: server)
        try host.wait("for the first") { try host.history().first?.state == .done }
        let second = try host.commit("two")
        try host.deliver(second, to: server)
        try host.wait("for the second") {
            try host.history().first?.commit == second && host.running == second
        }
        let back = try host.gitops("rollback", "--name", "site")
        #expect(back.status == 0, "\(back.stderr)")
        #expect(host.running == first)
        #expect(try status(host).table.hasSuffix("held"))
        #expect(
            try status(host).notes.contains(
                "\(second.prefix(7)) is held: \(first.prefix(7)) was brought back"))
        try host.deliver(second, to: server)
        try host.wait("for the answer") { try host.history().first?.state == .held }
        #expect(host.running == first)
        #expect(try host.gitops("rollback", "--name", "site", "--to", "2").status == 0)
        #expect(host.running == second)
        #expect(try host.gitops("rollback", "--name", "site", "--to", String(first.prefix(8))).status == 0)
        #expect(host.running == first)
        let unknown = try host.gitops("rollback", "--name", "site", "--to", "fffffff")
        #expect(unknown.status == 3)
        #expect(unknown.stderr.contains("kept are \(first.prefix(7))"))
        let third = try host.commit("three")
        try host.deliver(third, to: server)
        try host.wait("for the third") { host.running == third }
        try host.wait("for the status") { try status(host).table.hasSuffix("success") }
        #expect(try host.gitops("sync", "--name", "site").status == 0)
    }

    @Test("a rollback that nobody asked for is told as such, and not as a success")
    func automaticIsTold() throws {
        let receiver = try ScriptedHTTPServer { _ in .answer(200) }
        let host = try Host()
        try host.createSite(
            "--notify", receiver.origin, "--notify-on", "failures", "--status-token-file",
            "\(host.directory)/secret", "--status-api", "\(receiver.origin)/api", "--status-repo", "team/site"
        )
        let server = try Serve(host)
        let good = try host.git("rev-parse", "HEAD")
        try host.deliver(good, to: server)
        try host.wait("for the good commit") { try host.history().first?.state == .done }
        let bad = try host.commit("bad", files: ["fatal": ""])
        try host.deliver(bad, to: server)
        try host.wait("for the rollback") { try host.statuses() == ["rolled-back", "failed", "success"] }
        func told(_ words: String...) -> Bool {
            receiver.requests.contains { request in words.allSatisfy(request.text.contains) }
        }
        try host.wait("for the event") { told(#""event":"rolled-back""#, good) }
        #expect(!told(#""event":"success""#))
        try host.wait("for the status of the commit") { told("rolled back to this commit") }
        let status = try host.gitops("status").stderr
        #expect(status.contains("site: rolled back to \(good.prefix(7)) by attempt"), "\(status)")
        #expect(server.text.contains("rolled-back: rollback of attempt"))
        let metrics = try server.request("GET", "/metrics").text
        #expect(metrics.contains(#"volt_gitops_attempts_total{pipeline="site",state="rolled-back"} 1"#))
        #expect(metrics.contains(#"volt_gitops_attempts_total{pipeline="site",state="success"} 1"#))
        let next = try host.commit("next", without: ["fatal"])
        try host.deliver(next, to: server)
        try host.wait("for the recovery") { told(#""event":"success""#, next) }
    }

    @Test("rollbacks go back past what is held, say so, and a held commit comes back by its name only")
    func pastHeld() throws {
        let host = try Host()
        try host.createSite()
        var commits: [String] = []
        for name in ["one", "two", "three"] {
            commits.append(try host.commit(name + " again"))
            try #require(try host.gitops("sync", "--name", "site").status == 0)
        }
        // The tip that a poll saw before the later ones came by other ways is good all the same.
        let journal = try Journal(state: "\(host.directory)/root/lib/gitops")
        try journal.record(Journal.Poll(at: Timestamp(milliseconds: 1), seen: commits[0]), of: "site")
        func back(_ more: String...) throws -> ToolRunner.Result {
            try host.tool.run(["volt-gitops", "rollback", "--name", "site"] + more)
        }
        #expect(try back().status == 0)
        #expect(host.running == commits[1])
        let second = try back()
        #expect(second.status == 0, "\(second.stderr)")
        #expect(host.running == commits[0])
        #expect(second.stderr.contains("passed over \(commits[2].prefix(7))"), "\(second.stderr)")
        #expect(second.stderr.contains("was brought back in its place"))
        let third = try back()
        #expect(third.status == 3)
        #expect(third.stderr.contains("no earlier commit that was good"), "\(third.stderr)")
        #expect(third.stderr.contains("--to"))
        let named = try back("--to", commits[2])
        #expect(named.status == 0)
        #expect(host.running == commits[2])
        #expect(named.stderr.contains("warning: \(commits[2].prefix(7)) was held"), "\(named.stderr)")
        // What was left behind once stays bad when a newer commit has ended its hold.
        let four = try host.commit("four")
        #expect(try host.gitops("sync", "--name", "site").status == 0)
        #expect(host.running == four)
        #expect(try back().status == 0)
        #expect(host.running == commits[2])
        let last = try back()
        #expect(last.status == 3, "\(last.stderr)")
    }

    @Test("other settings of the pipeline free a commit that failed")
    func configuration() throws {
        let host = try Host()
        try host.createSite("--attempts", "1")
        try host.commit("bad", files: ["broken": ""])
        #expect(try host.gitops("sync", "--name", "site").status == 1)
        #expect(try status(host).table.hasSuffix("held"))
        let journal = try Journal(state: "\(host.directory)/root/lib/gitops")
        var pipeline = try journal.pipeline("site")
        pipeline.pollInterval = 7
        try journal.update(pipeline)
        #expect(try status(host).table.hasSuffix("held"))
        pipeline.timeout = 700
        try journal.update(pipeline)
        #expect(try status(host).table.hasSuffix("failed"))
        #expect(try host.gitops("sync", "--name", "site").status == 1)
        #expect(host.applied.filter { $0.hasPrefix("prepare") }.count == 2)
    }
}
