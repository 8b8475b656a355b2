import Glibc
import Testing
import VoltCore
import VoltSystem
import VoltTestKit

@Suite(.serialized, .timeLimit(.minutes(5))) struct ReconcileTests {
    /// A server that has looked at the workloads as it started.
    private func serveSettled(_ host: Host) throws -> Serve {
        let server = try Serve(host)
        try host.wait("for the look at the workloads") {
            Files.exists("\(host.directory)/root/lib/gitops/boot-id")
        }
        return server
    }

    @Test("a workload that is gone is reported by default, and repaired with --drift repair")
    func drift() throws {
        for mode in ["report", "repair"] {
            let host = try Host()
            try host.createSite("--drift", mode, "--drift-interval", "1s")
            let one = try host.git("rev-parse", "HEAD")
            #expect(try host.gitops("sync", "--name", "site").status == 0)
            // What is gone after a reboot is brought back, whatever the mode; this one goes while the host is up.
            let server = try serveSettled(host)
            try Files.replace(
                "\(host.directory)/status",
                with: #"{"workload":"web","state":"absent","health":"none","restarts":0}"#.utf8)
            if mode == "report" {
                try host.wait("for the report") { try host.gitops("status").stdout.contains("  drifted\n") }
                #expect(
                    try host.gitops("status").stderr.contains(
                        "site: drifted: the workload is gone (it is only"))
                #expect(try host.statuses() == ["success"])
                #expect(try host.gitops("suspend", "--name", "site").status == 0)
                #expect(try host.gitops("status").stdout.contains("  suspended\n"))
            } else {
                try host.wait("for the repair") { try host.statuses() == ["success", "success"] }
                #expect(host.applied.filter { $0.hasPrefix("done") } == ["done \(one)", "done \(one)"])
                let logs = try host.gitops("logs", "--name", "site").stdout
                #expect(logs.contains("drift: the workload is gone"))
                // The probe still says that it is gone: the next try waits.
                try host.wait("for the next look") {
                    try host.gitops("status").stderr.contains("it was repaired a moment ago")
                }
            }
            try Files.remove("\(host.directory)/status")
            try host.wait("for the end of it") { try !host.gitops("status").stderr.contains("drifted") }
            #expect(server.end(SIGTERM) == 0)
        }
    }

    @Test("a manifest that vanished removes the workload only with --prune, and an empty tree not even then")
    func prune() throws {
        let host = try Host()
        try host.createSite()
        #expect(try host.gitops("sync", "--name", "site").status == 0)
        try host.commit("no manifest", without: ["volt-manifest.yaml"])
        let kept = try host.gitops("sync", "--name", "site")
        #expect(kept.status == 1)
        #expect(kept.stderr.contains("no volt-manifest.yaml"))
        #expect(!host.applied.contains("remove"))
        #expect(try host.gitops("delete", "--name", "site").status == 0)
        try host.git("reset", "-q", "--hard", "HEAD~1")
        try host.createSite("--prune")
        #expect(try host.gitops("sync", "--name", "site").status == 0)
        try host.commit("empty", without: ["volt-manifest.yaml", "text"])
        let empty = try host.gitops("sync", "--name", "site")
        #expect(empty.status == 1)
        #expect(empty.stderr.contains("the commit has no files at all, so workload 'web' is kept"))
        #expect(!host.applied.contains("remove"))
        #expect(
            try host.gitops("plan", "--name", "site").stdout.hasPrefix(
                "nothing would be deployed: it would fail: the commit has no files at all"))
        try host.commit("some file", without: ["volt-manifest.yaml"])
        let plan = try host.gitops("plan", "--name", "site").stdout
        #expect(plan.contains("has no manifest: workload 'web' would be removed"), "\(plan)")
        let pruned = try host.gitops("sync", "--name", "site")
        #expect(pruned.status == 0, "\(pruned.stderr)")
        #expect(host.applied.last == "remove")
        #expect(
            try host.gitops("logs", "--name", "site").stdout.contains(
                "manual sync, no manifest: workload 'web' was removed"))
        try host.commit("another file", without: ["volt-manifest.yaml"])
        #expect(try host.gitops("sync", "--name", "site").status == 0)
        #expect(try host.gitops("logs", "--name", "site").stdout.contains("no workload to remove"))
        #expect(host.applied.filter { $0 == "remove" }.count == 1)
        let back = try host.commit("a manifest again")
        #expect(try host.gitops("sync", "--name", "site").status == 0)
        #expect(host.applied.last == "done \(back)")
        #expect(try host.gitops("delete", "--name", "site").status == 0)
        let refused = try host.tool.run(
            [
                "volt-gitops", "create", "--name", "b", "--repo", host.repository, "--provider", "github",
                "--branch", "main", "--workload", "b", "--insecure-no-secret", "--allow-file",
                "--allow-empty",
            ])
        #expect(refused.status == 64)
    }

    @Test("a --path that is not in the tree keeps the workload with --prune, unless that is allowed")
    func prunePath() throws {
        let host = try Host()
        try Files.makeDirectory("\(host.directory)/repository/deploy")
        let manifest = "apiVersion: volt/v1\nkind: probe\nspec: {}\n"
        try host.commit("two", files: ["deploy/volt-manifest.yaml": manifest, "deploy/more": "1"])
        try host.createSite("--prune", "--path", "deploy", "--attempts", "9")
        #expect(try host.gitops("sync", "--name", "site").status == 0)
        try host.git("mv", "deploy", "moved")
        try host.git("commit", "-q", "-m", "moved")
        let kept = try host.gitops("sync", "--name", "site")
        #expect(kept.status == 1)
        #expect(
            kept.stderr.contains("has no directory 'deploy', so workload 'web' is kept"), "\(kept.stderr)")
        #expect(kept.stderr.contains("--allow-empty"))
        #expect(!host.applied.contains("remove"))
        #expect(
            try host.gitops("plan", "--name", "site").stdout.contains(
                "it would fail: the commit has no directory 'deploy'"))
        // A link or a file in its place is no directory of the tree either.
        let place = "\(host.directory)/repository/deploy"
        for isLink in [true, false] {
            try Files.remove(place)
            if isLink { #expect(symlink("moved", place) == 0) } else { try Files.replace(place, with: []) }
            if isLink { try host.git("rm", "-q", "moved/volt-manifest.yaml") }
            try host.git("add", "-A", ".")
            try host.git("commit", "-q", "-m", "no directory")
            let kept = try host.gitops("sync", "--name", "site")
            #expect(kept.status == 1 && kept.stderr.contains("has no directory 'deploy'"), "\(kept.stderr)")
            #expect(!host.applied.contains("remove"))
        }
        #expect(try host.gitops("control", "--name", "site", "--allow-empty").status == 0)
        let pruned = try host.gitops("sync", "--name", "site")
        #expect(pruned.status == 0, "\(pruned.stderr)")
        #expect(host.applied.last == "remove")
    }

    @Test("settings are shown and changed one by one, and what create refuses is refused")
    func settings() throws {
        let host = try Host()
        try host.createSite()
        func control(_ more: String...) throws -> ToolRunner.Result {
            try host.tool.run(["volt-gitops", "control", "--name", "site"] + more)
        }
        #expect(
            try control().stdout == """
                SETTING         VALUE
                windows         0
                approval        not required
                after           -
                after timeout   1h
                drift           report
                drift interval  1m
                prune           no
                allow empty     no

                """)
        #expect(try control("--drift", "repair", "--require-approval", "--prune").status == 0)
        let json = try control("-o", "json").stdout
        for text in [#""drift" : "repair""#, #""requiresApproval" : true"#, #""prunes" : true"#] {
            #expect(json.contains(text))
        }
        #expect(try control("--no-require-approval", "--no-prune").status == 0)
        #expect(try control().stdout.contains("approval        not required"))
        #expect(try control("--after", "site").status == 64)
        #expect(try control("--after", "nothing").status == 3)
        #expect(try control("--drift", "maybe").status == 64)
        #expect(try control("--allow-empty").status == 64)
        #expect(try control("--drift-interval", "0s").status == 64)
        #expect(try control().stdout.contains("drift           repair"))
        #expect(try host.gitops("control", "--name", "other").status == 3)
    }

    @Test("a server killed in a repair, or while it removes a workload, finishes it after its next start")
    func killed() throws {
        let host = try Host()
        try host.createSite("--drift", "repair", "--drift-interval", "1s", "--prune")
        let one = try host.git("rev-parse", "HEAD")
        #expect(try host.gitops("sync", "--name", "site").status == 0)
        let first = try serveSettled(host)
        try host.close(gate: "check")
        try Files.replace(
            "\(host.directory)/status",
            with: #"{"workload":"web","state":"exited","health":"none","restarts":0}"#.utf8)
        try host.wait("for the repair") { host.applied.filter { $0 == "check \(one)" }.count == 2 }
        first.end(SIGKILL)
        try Files.remove("\(host.directory)/status")
        let second = try Serve(host)
        try host.open(gate: "check")
        try host.wait("for the end of the repair") { try host.statuses() == ["success", "success"] }
        #expect(try host.gitops("logs", "--name", "site").stdout.contains("drift: the workload has stopped"))
        #expect(host.applied.last == "done \(one)")
        try host.close(gate: "remove")
        let two = try host.commit("no manifest", without: ["volt-manifest.yaml"])
        #expect(try host.deliver(two, to: second) == 202)
        try host.wait("for the removal") { host.applied.last == "remove" }
        second.end(SIGKILL)
        try host.open(gate: "remove")
        let third = try Serve(host)
        try host.wait("for the history") { try host.statuses().first == "success" }
        let logs = try host.gitops("logs", "--name", "site").stdout
        #expect(logs.contains("no manifest: workload 'web' was removed"))
        #expect(third.end(SIGTERM) == 0)
    }

    @Test("a rejected commit is not fetched again by the poll")
    func rejectedAndPolled() throws {
        let host = try Host()
        try host.createSite("--require-approval", "--poll-interval", "1")
        let server = try Serve(host)
        try host.wait("for the poll") { try host.statuses() == ["waiting for approval"] }
        #expect(try host.gitops("reject", "--name", "site").status == 0)
        try host.wait("for the end") { try host.statuses() == ["held"] }
        let polled = try polledAt(host)
        try host.wait("for another poll") { try polledAt(host) != polled }
        let again = try polledAt(host)
        try host.wait("for one more poll") { try polledAt(host) != again }
        #expect(try host.statuses() == ["held"])
        #expect(try host.gitops("status").stderr.contains("is held: rejected by"))
        #expect(server.end(SIGTERM) == 0)
    }

    private func polledAt(_ host: Host) throws -> Substring? {
        let json = try host.gitops("status", "-o", "json").stdout
        return json.split(separator: "\n").first { $0.contains("polledAt") }
    }

    @Test("an empty tree removes the workload with --prune --allow-empty")
    func pruneEmpty() throws {
        let host = try Host()
        try host.createSite("--prune", "--allow-empty")
        #expect(try host.gitops("sync", "--name", "site").status == 0)
        try host.commit("empty", without: ["volt-manifest.yaml", "text"])
        let pruned = try host.gitops("sync", "--name", "site")
        #expect(pruned.status == 0, "\(pruned.stderr)")
        #expect(host.applied.last == "remove")
    }
}
