import Glibc
import Testing
import VoltSystem
import VoltTestKit

@Suite(.serialized, .timeLimit(.minutes(5))) struct DeleteTests {
    /// What of the pipeline `site` is on disk.
    private func left(_ host: Host) throws -> [String] {
        let state = "\(host.directory)/root/lib/gitops"
        return try ["secrets", "mirrors", "snapshots", "trash"].flatMap { name in
            try Files.list("\(state)/\(name)").map { "\(name)/\($0)" }
        }
    }

    @Test(
        "a delete killed at any system call that writes is either not done or finished by the next server",
        .enabled(if: Files.exists("/usr/bin/strace"), "needs strace"),
        arguments: [
            "unlink", "rename", "rmdir", "pwrite64", "fdatasync", "fsync", "mkdir", "ftruncate", "write",
        ])
    func killed(call: String) throws {
        let host = try Host()
        try host.createSite()
        try #require(try host.gitops("sync", "--name", "site").status == 0)
        let root = "\(host.directory)/root"
        #expect(try left(host).count == 3)
        _ = try host.tool("cp", "-a", root, "\(host.directory)/before")
        var kills = 0
        for number in 1...60 {
            try Files.removeTree(root)
            _ = try host.tool("cp", "-a", "\(host.directory)/before", root)
            let result = try host.tool(
                "strace", "-f", "-o", "\(host.directory)/trace", "-e", "trace=\(call)", "-e",
                "inject=\(call):signal=KILL:when=\(number)", "volt-gitops", "delete", "--name", "site",
                "--remove-workload")
            if result.status == 0 { break }
            kills += 1
            try #require(result.status == 137, "\(call) \(number): \(result.stderr)")
            let isThere = try host.gitops("list").stdout.contains("site")
            let server = try Serve(host)
            #expect(server.end(SIGTERM) == 0)
            if isThere {
                // Nothing was promised: it is whole, and can be deleted again.
                #expect(Files.exists("\(root)/lib/gitops/secrets/site"))
                #expect(try host.gitops("delete", "--name", "site").status == 0)
                try Files.replace(
                    "\(host.directory)/status", with: #"{"workload":"web","state":"absent"}"#.utf8)
                _ = try host.gitops("delete", "--name", "none")
                try Files.remove("\(host.directory)/status")
            }
            #expect(try left(host) == [], "\(call) \(number)")
            #expect(!server.text.contains("error:"), "\(call) \(number): \(server.text)")
        }
        #expect(kills < 60)
        if call == "pwrite64" || call == "unlink" || call == "rename" { #expect(kills > 0) }
    }

    @Test(
        "a create killed at any system call that writes leaves a pipeline with its secret, or after a start nothing",
        .enabled(if: Files.exists("/usr/bin/strace"), "needs strace"),
        arguments: ["rename", "fdatasync", "fsync"])
    func createKilled(call: String) throws {
        var kills = 0
        for number in 1...60 {
            let host = try Host()
            let result = try host.tool(
                "strace", "-f", "-o", "\(host.directory)/trace", "-e", "trace=\(call)", "-e",
                "inject=\(call):signal=KILL:when=\(number)", "volt-gitops", "create", "--name", "site",
                "--repo", host.repository, "--provider", "github", "--branch", "main", "--workload", "web",
                "--secret-file", "\(host.directory)/secret", "--allow-file", "--poll-interval", "3600")
            if result.status == 0 { break }
            kills += 1
            try #require(result.status == 137, "\(call) \(number): \(result.stderr)")
            let isThere = try host.gitops("list").stdout.contains("site")
            let server = try Serve(host)
            #expect(server.end(SIGTERM) == 0)
            let secret = try left(host).filter { $0.hasPrefix("secrets/site") }
            #expect(secret == (isThere ? ["secrets/site"] : []), "\(call) \(number)")
        }
        #expect(kills > 0 && kills < 60)
    }

    @Test("the snapshots of a workload that goes on stay until it is gone, and its secret and mirror do not")
    func keptWorkload() throws {
        let host = try Host()
        try host.createSite()
        try #require(try host.gitops("sync", "--name", "site").status == 0)
        #expect(try host.gitops("delete", "--name", "site").status == 0)
        #expect(try left(host) == ["snapshots/site"])
        let server = try Serve(host)
        #expect(server.end(SIGTERM) == 0)
        #expect(try left(host) == ["snapshots/site"])
        try Files.replace("\(host.directory)/status", with: #"{"workload":"web","state":"absent"}"#.utf8)
        let other = try Serve(host)
        #expect(other.end(SIGTERM) == 0)
        #expect(try left(host) == [])
    }

    @Test("a pipeline that is created again keeps its new secret, and its old snapshots are its own")
    func createdAgain() throws {
        let host = try Host()
        try host.createSite()
        try #require(try host.gitops("sync", "--name", "site").status == 0)
        #expect(try host.gitops("delete", "--name", "site").status == 0)
        try host.createSite()
        let server = try Serve(host)
        #expect(server.end(SIGTERM) == 0)
        let now = try left(host)
        #expect(now.contains("secrets/site") && now.contains("snapshots/site"))
        #expect(try host.gitops("delete", "--name", "none").status == 3)
        #expect(try left(host) == now)
    }
}
