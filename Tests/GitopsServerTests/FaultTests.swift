import Glibc
import Testing
import VoltCore
import VoltSystem
import VoltTestKit

@Suite(.serialized, .timeLimit(.minutes(5))) struct FaultTests {
    @Test(
        "a server killed at any step finishes the deploy after its next start",
        arguments: ["prepare", "start", "check", "switch", "stop-old"])
    func killed(step: String) throws {
        let host = try Host()
        try host.createSite()
        let first = try Serve(host)
        try host.close(gate: step)
        let commit = try host.git("rev-parse", "HEAD")
        let body = host.push(commit: commit)
        let answer = try first.request(
            "POST", "/hooks/github", headers: host.headers(delivery: "d", body: body), body: body)
        #expect(answer.status == 202)
        try host.wait("for step \(step)") { host.applied.contains("\(step) \(commit)") }
        first.end(SIGKILL)
        // The orphan still stands at its gate: the next server must end it before it starts its own.
        let second = try Serve(host)
        try host.open(gate: step)
        try host.wait("for the deploy") { host.applied.contains("done \(commit)") }
        try host.wait("for the history") {
            try host.gitops("logs", "--name", "site").stdout.contains("success")
        }
        let applied = host.applied
        let stopped = try #require(applied.firstIndex(of: "stopped \(commit)"))
        #expect(applied.lastIndex(of: "prepare \(commit)") ?? 0 > stopped)
        #expect(applied.filter { $0.hasPrefix("done") }.count == 1)
        #expect(second.text.contains("it is resumed"))
        let logs = try host.gitops("logs", "--name", "site").stdout
        #expect(!logs.contains("deploying") && !logs.contains("queued"))
    }

    @Test("a server killed right after its 202 has lost nothing")
    func killedAfterAnswer() throws {
        let host = try Host()
        try host.createSite()
        let commit = try host.git("rev-parse", "HEAD")
        let first = try Serve(host)
        let body = host.push(commit: commit)
        let answer = try first.request(
            "POST", "/hooks/github", headers: host.headers(delivery: "d", body: body), body: body)
        first.end(SIGKILL)
        #expect(answer.status == 202)
        #expect(try host.gitops("logs", "--name", "site").stdout.contains("webhook (github)"))
        let second = try Serve(host)
        try host.wait("for the deploy") { host.applied.contains("done \(commit)") }
        #expect(second.end(SIGTERM) == 0)
    }

    @Test("SIGTERM asks the deploy to stop, and the next start resumes it")
    func terminated() throws {
        let host = try Host()
        try host.createSite()
        let commit = try host.git("rev-parse", "HEAD")
        let first = try Serve(host)
        try host.close(gate: "check")
        let body = host.push(commit: commit)
        _ = try first.request(
            "POST", "/hooks/github", headers: host.headers(delivery: "d", body: body), body: body)
        try host.wait("for the check") { host.applied.contains("check \(commit)") }
        #expect(first.end(SIGTERM) == 0)
        #expect(host.applied.last == "stopped \(commit)")
        try host.open(gate: "check")
        let second = try Serve(host)
        try host.wait("for the deploy") { host.applied.contains("done \(commit)") }
        #expect(second.end(SIGTERM) == 0)
    }

    @Test("a sync without a server deploys by itself, and one that fails ends with 1 and the last log lines")
    func syncAlone() throws {
        let host = try Host()
        try host.createSite()
        let good = try host.gitops("sync", "--name", "site")
        #expect(good.status == 0)
        #expect(good.stderr.contains("switching"))
        try host.commit("broken", files: ["broken": ""])
        let bad = try host.gitops("sync", "--name", "site")
        #expect(bad.status == 1)
        #expect(bad.stderr.contains("the health check failed"))
        #expect(bad.stderr.contains("it does not start"))
        #expect(
            try host.gitops("logs", "--name", "site").stdout.contains("manual sync: the health check failed"))
    }

    @Test(
        "a manifest that cannot be deployed is in the history with its reason",
        arguments: [
            (
                ["volt-manifest.yaml": "apiVersion: volt/v1\nkind: none\nspec: {}\n"],
                "'volt-none' is not installed"
            ),
            (["volt-manifest.yaml": "apiVersion: volt/v1\nknd: probe\n"], "volt-manifest.yaml:2:1"),
            (
                ["volt-manifest.yaml": "apiVersion: volt/v1\nkind: probe\nname: other\nspec: {}\n"],
                "of workload 'other'"
            ),
            (["volt-compose.yaml": "services: {}\n"], "'volt-compose' is not installed"),
            ([:], "no volt-manifest.yaml, Voltfile or volt-compose.yaml"),
        ] as [([String: String], String)])
    func badManifests(files: [String: String], reason: String) throws {
        let host = try Host()
        try host.createSite()
        let removed = files["volt-manifest.yaml"] == nil ? ["volt-manifest.yaml"] : []
        try host.commit("bad", files: files, without: removed)
        #expect(try host.gitops("sync", "--name", "site").status == 1)
        let logs = try host.gitops("logs", "--name", "site").stdout
        #expect(logs.contains("failed"))
        #expect(logs.contains(reason), "\(logs)")
        #expect(host.applied.isEmpty)
    }

    @Test(
        "a full disk is 503 with Retry-After, and deliveries are taken again when there is room",
        .enabled(if: getuid() == 0, "needs root to mount a small file system"))
    func diskFull() throws {
        let host = try Host()
        try Files.makeDirectory("\(host.directory)/root")
        let mounted = try host.tool.run([
            "mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", "\(host.directory)/root",
        ])
        try #require(mounted.status == 0)
        defer { _ = try? host.tool.run(["umount", "-l", "\(host.directory)/root"]) }
        try host.createSite()
        let server = try Serve(host)
        func deliver(_ id: String) throws -> HTTPClient.Answer {
            let body = host.push(commit: String(repeating: "1", count: 40))
            return try server.request(
                "POST", "/hooks/github", headers: host.headers(delivery: id, body: body), body: body)
        }
        #expect(try deliver("before").status == 202)
        let filler = "\(host.directory)/root/filler"
        _ = try host.tool.run(["dd", "if=/dev/zero", "of=\(filler)", "bs=4k"])
        var refused: HTTPClient.Answer?
        for number in 0..<2000 where refused == nil {
            let answer = try deliver("full-\(number)")
            if answer.status != 202 { refused = answer }
        }
        #expect(refused?.status == 503)
        #expect(refused?.headers["retry-after"] != nil)
        try Files.remove(filler)
        #expect(try deliver("after").status == 202)
        #expect(try server.request("GET", "/healthz").status == 200)
    }

    @Test(
        "the journal is synced before the 202 is written",
        .enabled(if: Files.exists("/usr/bin/strace"), "needs strace"))
    func syncBeforeAnswer() throws {
        let host = try Host()
        try host.createSite()
        let trace = "\(host.directory)/trace"
        let server = try Serve(
            host,
            by: [
                "/usr/bin/strace", "-f", "-o", trace, "-s", "32", "-e",
                "trace=fsync,fdatasync,write,writev,sendto,sendmsg",
            ])
        // The polls and the deploy of an earlier delivery write as well: the order around this answer counts.
        let body = host.push(commit: String(repeating: "1", count: 40))
        let before = String(decoding: try Files.read(trace), as: UTF8.self).split(separator: "\n").count
        let answer = try server.request(
            "POST", "/hooks/github", headers: host.headers(delivery: "d", body: body), body: body)
        #expect(answer.status == 202)
        var lines: [Substring] = []
        try host.wait("for the trace") {
            lines = String(decoding: try Files.read(trace), as: UTF8.self).split(separator: "\n").dropFirst(
                before - 1
            ).map { $0 }
            return lines.contains { $0.contains("HTTP/1.1 202") }
        }
        let written = try #require(lines.firstIndex { $0.contains("HTTP/1.1 202") })
        #expect(lines[..<written].contains { $0.contains("fdatasync(") || $0.contains("fsync(") })
    }
}
