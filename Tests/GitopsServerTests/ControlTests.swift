import Glibc
import Testing
import VoltCore
import VoltSystem
import VoltTestKit

@Suite(.serialized, .timeLimit(.minutes(5))) struct ControlTests {
    @Test(
        "pushes to a suspended pipeline wait with the reason, over a restart, and resume deploys the newest only"
    )
    func suspension() throws {
        let host = try Host()
        try host.createSite()
        let made = try host.gitops("suspend", "--name", "site", "--reason", "database move")
        #expect(made.status == 0)
        let first = try Serve(host)
        let one = try host.git("rev-parse", "HEAD")
        #expect(try host.deliver(one, to: first) == 202)
        try host.wait("for the first to wait") { try host.statuses() == ["suspended"] }
        let two = try host.commit("two")
        #expect(try host.deliver(two, to: first) == 202)
        try host.wait("for the second to wait") { try host.statuses() == ["suspended", "superseded"] }
        first.end(SIGKILL)
        let second = try Serve(host)
        let refused = try host.gitops("sync", "--name", "site")
        #expect(refused.status == 5)
        #expect(refused.stderr.contains("is suspended by") && refused.stderr.contains("database move"))
        #expect(refused.stderr.contains("volt gitops resume --name site"))
        let status = try host.gitops("status")
        #expect(status.stdout.contains("  suspended\n"))
        #expect(status.stderr.contains("site: suspended by") && status.stderr.contains(": database move"))
        #expect(host.applied.isEmpty)
        #expect(try host.gitops("resume", "--name", "site").status == 0)
        try host.wait("for the deploy") { try host.statuses() == ["success", "superseded"] }
        #expect(host.applied.filter { $0.hasPrefix("done") } == ["done \(two)"])
        #expect(try host.gitops("resume", "--name", "site").stderr == "pipeline 'site' was not suspended\n")
        #expect(second.end(SIGTERM) == 0)
    }

    @Test("a forced sync deploys a suspended pipeline, and a push that waits does not stop it")
    func forced() throws {
        let host = try Host()
        try host.createSite()
        let one = try host.git("rev-parse", "HEAD")
        #expect(try host.gitops("suspend", "--name", "site").status == 0)
        let server = try Serve(host)
        try host.close(gate: "check")
        #expect(try host.gitops("sync", "--name", "site", "--force", "--no-wait").status == 0)
        try host.wait("for the check") { host.applied.contains("check \(one)") }
        let two = try host.commit("two")
        #expect(try host.deliver(two, to: server) == 202)
        try host.wait("for the push to wait") { try host.statuses().first == "suspended" }
        try host.open(gate: "check")
        try host.wait("for the deploy") { try host.statuses() == ["suspended", "success"] }
        #expect(host.applied.last == "done \(one)")
        #expect(try host.gitops("logs", "--name", "site").stdout.contains("manual sync (forced)"))
        #expect(server.end(SIGTERM) == 0)
    }

    @Test("a push outside the windows waits and says until when; a removed window or --force lets it through")
    func windows() throws {
        let host = try Host()
        try host.createSite("--window", "deny 0 0 * * * 1d", "--window", "allow 0 9 * * mon 8h Europe/Berlin")
        let list = try host.gitops("window", "list", "--name", "site").stdout
        let rows = list.split(separator: "\n")
        #expect(
            rows[1].hasPrefix("1       deny 0 0 * * * 1d UTC") && rows[1].contains("  forbids  "), "\(list)")
        #expect(rows[2].hasPrefix("2       allow 0 9 * * mon 8h Europe/Berlin"))
        let one = try host.git("rev-parse", "HEAD")
        // Without a server the attempt stays in the queue, too.
        let waits = try host.gitops("sync", "--name", "site")
        #expect(waits.status == 75)
        #expect(waits.stderr.contains("the window 'deny 0 0 * * * 1d UTC' forbids deploys"))
        #expect(try host.statuses() == ["waiting"])
        #expect(
            try host.gitops("status").stderr.contains(
                "site: waiting: the window 'deny 0 0 * * * 1d UTC' forbids deploys"))
        let forced = try host.gitops("sync", "--name", "site", "--force")
        #expect(forced.status == 0, "\(forced.stderr)")
        #expect(host.applied.last == "done \(one)")
        let server = try Serve(host)
        let two = try host.commit("two")
        #expect(try host.deliver(two, to: server) == 202)
        try host.wait("for the push to wait") { try host.statuses().first == "waiting" }
        #expect(try host.gitops("window", "remove", "--name", "site", "2").status == 0)
        #expect(try host.gitops("window", "remove", "--name", "site", "2").status == 3)
        #expect(try host.gitops("window", "remove", "--name", "site", "1").status == 0)
        try host.wait("for the deploy") { host.applied.last == "done \(two)" }
        #expect(
            try host.gitops("window", "add", "--name", "site", "deny 0 0 * * * 1d Mars/Base").status == 64)
        #expect(server.end(SIGTERM) == 0)
    }

    @Test(
        "a commit waits for approval, over a restart; the approval is of that commit, and the history says whose"
    )
    func approval() throws {
        let host = try Host()
        try host.createSite("--require-approval")
        let one = try host.git("rev-parse", "HEAD")
        let first = try Serve(host)
        #expect(try host.deliver(one, to: first) == 202)
        try host.wait("for the wait") { try host.statuses() == ["waiting for approval"] }
        #expect(host.applied.isEmpty)
        first.end(SIGKILL)
        let second = try Serve(host)
        let two = try host.commit("two")
        #expect(try host.deliver(two, to: second) == 202)
        try host.wait("for the newer") { try host.statuses() == ["waiting for approval", "superseded"] }
        let stale = try host.gitops("approve", "--name", "site", String(one.prefix(10)))
        #expect(stale.status == 4)
        #expect(stale.stderr.contains(two.prefix(12)))
        let sync = try host.gitops("sync", "--name", "site", "--force")
        #expect(sync.status == 75)
        #expect(sync.stderr.contains("volt gitops approve --name site"))
        #expect(host.applied.isEmpty)
        let made = try host.gitops("approve", "--name", "site", String(two.prefix(10)), "--by", "alice")
        #expect(made.status == 0, "\(made.stderr)")
        try host.wait("for the deploy") { host.applied.last == "done \(two)" }
        try host.wait("for the history") { try host.statuses().first == "success" }
        let logs = try host.gitops("logs", "--name", "site").stdout
        #expect(logs.contains("approved by alice, as \(CurrentUser.name) (uid \(getuid()))"))
        #expect(try host.gitops("approve", "--name", "site").status == 3)
        #expect(second.end(SIGTERM) == 0)
    }

    @Test("a rejected commit is held, and a newer one can be approved")
    func rejection() throws {
        let host = try Host()
        try host.createSite("--require-approval")
        let server = try Serve(host)
        let one = try host.git("rev-parse", "HEAD")
        #expect(try host.deliver(one, to: server) == 202)
        try host.wait("for the wait") { try host.statuses() == ["waiting for approval"] }
        #expect(
            try host.gitops("reject", "--name", "site", "--by", "bob", "--reason", "too soon").status == 0)
        try host.wait("for the end") { try host.statuses() == ["held"] }
        #expect(try host.gitops("logs", "--name", "site").stdout.contains("rejected by bob, as"))
        let two = try host.commit("two")
        #expect(try host.deliver(two, to: server) == 202)
        try host.wait("for the wait") { try host.statuses() == ["waiting for approval", "held"] }
        #expect(try host.gitops("approve", "--name", "site").status == 0)
        try host.wait("for the deploy") { host.applied.last == "done \(two)" }
        #expect(server.end(SIGTERM) == 0)
    }

    @Test("a pipeline runs after the one it waits for, and a circle is refused")
    func after() throws {
        let host = try Host()
        try host.createSite()
        func create(_ name: String, _ more: String...) throws -> ToolRunner.Result {
            try host.tool.run(
                [
                    "volt-gitops", "create", "--name", name, "--repo", host.repository, "--provider",
                    "github",
                    "--branch", "main", "--workload", name, "--secret-file", "\(host.directory)/secret",
                    "--allow-file", "--poll-interval", "86400",
                ] + more)
        }
        #expect(try create("app", "--after", "nothing").status == 3)
        #expect(try create("app", "--after", "app").status == 64)
        #expect(try create("app", "--after", "site").status == 0)
        let server = try Serve(host)
        let one = try host.git("rev-parse", "HEAD")
        try host.close(gate: "check")
        // One push reaches both: they watch the same branch.
        #expect(try host.deliver(one, to: server) == 202)
        try host.wait("for the check") { host.applied.contains("check \(one)") }
        try host.wait("for the other to wait") { try host.statuses("app") == ["waiting"] }
        #expect(
            try host.gitops("logs", "--name", "app").stdout.contains(
                "pipeline 'site' comes first and is not done"))
        #expect(host.applied.filter { $0.hasPrefix("prepare") }.count == 1)
        try host.open(gate: "check")
        try host.wait("for both") {
            try host.statuses() == ["success"] && host.statuses("app") == ["success"]
        }
        #expect(try host.gitops("delete", "--name", "site").status == 0)
        let circle = try create("site", "--after", "app")
        #expect(circle.status == 64)
        #expect(circle.stderr.contains("site after app after site"))
        #expect(server.end(SIGTERM) == 0)
    }

    @Test("a pipeline waits while the workload of the one before it is not healthy, and fails after its time")
    func unhealthyBefore() throws {
        let host = try Host()
        try host.createSite()
        #expect(try host.gitops("sync", "--name", "site").status == 0)
        try Files.replace(
            "\(host.directory)/status",
            with: #"{"workload":"web","state":"running","health":"unhealthy","restarts":0}"#.utf8)
        let made = try host.tool.run(
            [
                "volt-gitops", "create", "--name", "app", "--repo", host.repository, "--provider", "github",
                "--branch", "main", "--workload", "app", "--secret-file", "\(host.directory)/secret",
                "--allow-file", "--poll-interval", "86400", "--after", "site", "--after-timeout", "2s",
            ])
        #expect(made.status == 0, "\(made.stderr)")
        let server = try Serve(host)
        #expect(try host.gitops("sync", "--name", "app", "--no-wait").status == 0)
        try host.wait("for the wait") { try host.statuses("app") == ["waiting"] }
        #expect(
            try host.gitops("logs", "--name", "app").stdout.contains(
                "pipeline 'site' comes first and its workload is unhealthy"))
        try host.wait("for the end") { try host.statuses("app").first == "failed" }
        #expect(try host.gitops("logs", "--name", "app").stdout.contains("waited 2s in vain"))
        try Files.remove("\(host.directory)/status")
        let synced = try host.gitops("sync", "--name", "app")
        #expect(synced.status == 0, "\(synced.stderr)")
        #expect(server.end(SIGTERM) == 0)
    }
}

extension Host {
    /// What `logs` shows as the status of each attempt, the newest first.
    func statuses(_ name: String = "site") throws -> [String] {
        let rows = try gitops("logs", "--name", name).stdout.split(separator: "\n").dropFirst()
        let words = [
            "waiting for approval", "suspended", "waiting", "success", "superseded", "failed", "held",
            "queued", "rolled-back", "unseen",
            "deploying",
        ]
        return rows.map { row in words.first { row.contains("  \($0)  ") } ?? "?" }
    }
}

/// The user that runs the tests.
enum CurrentUser {
    static let name = getpwuid(getuid()).map { String(cString: $0.pointee.pw_name) } ?? "?"
}
