import Glibc
import Testing
import VoltCore
import VoltSystem
import VoltTestKit

@Suite(.serialized, .timeLimit(.minutes(5))) struct TrackTests {
    /// Creates `site` without a branch.
    private func create(_ host: Host, _ more: String..., poll: String = "86400") throws -> ToolRunner.Result {
        try host.tool.run(
            [
                "volt-gitops", "create", "--name", "site", "--repo", host.repository, "--provider", "github",
                "--workload", "web", "--secret-file", "\(host.directory)/secret", "--allow-file",
                "--poll-interval", poll,
            ] + more)
    }

    private func deliver(_ ref: String, _ commit: String, to serve: Serve, of host: Host, id: String) throws
        -> HTTPClient.Answer
    {
        let body = Array(
            """
            {"ref":"\(ref)","after":"\(commit)","repository":{"clone_url":"\(host.repository)"}}
            """.utf8)
        return try serve.request(
            "POST", "/hooks/github", headers: host.headers(delivery: id, body: body), body: body)
    }

    private func logs(_ host: Host) throws -> String { try host.gitops("logs", "--name", "site").stdout }

    @Test("exactly one of branch, tag and commit is needed, and each is checked")
    func options() throws {
        let host = try Host()
        for words in [
            [], ["--branch", "main", "--tag", "v1"], ["--tag", "^x"], ["--commit", "abc"],
            ["--branch", "main", "--paths", "/web"],
        ] {
            let made = try host.tool.run(
                [
                    "volt-gitops", "create", "--name", "site", "--repo", host.repository, "--provider",
                    "github",
                    "--workload", "web", "--insecure-no-secret", "--allow-file",
                ] + words)
            #expect(made.status == 64, "\(words): \(made.stderr)")
        }
    }

    @Test(
        "pushed tags deploy the highest one, a tag of another pattern nothing, and the history shows the tag")
    func tagPushes() throws {
        let host = try Host()
        let one = try host.git("rev-parse", "HEAD")
        try host.git("tag", "v1.4.2")
        #expect(try create(host, "--tag", "v1.*").status == 0)
        let server = try Serve(host)
        #expect(try deliver("refs/tags/v1.4.2", one, to: server, of: host, id: "d1").status == 202)
        try host.wait("for the first deploy") { host.applied.last == "done \(one)" }
        try host.wait("for the history") { try logs(host).contains("tag v1.4.2  success") }
        let two = try host.commit("two")
        try host.git("tag", "-a", "-m", "x", "v2.0.0")
        for (id, ref) in [("d2", "refs/tags/v2.0.0"), ("d3", "refs/heads/main")] {
            let answer = try deliver(ref, two, to: server, of: host, id: id)
            #expect(String(decoding: answer.body, as: UTF8.self).contains("no pipeline follows"))
        }
        try host.git("tag", "-a", "-m", "x", "v1.10.0")
        #expect(try deliver("refs/tags/v1.10.0", two, to: server, of: host, id: "d4").status == 202)
        try host.wait("for the second deploy") { host.applied.last == "done \(two)" }
        try host.wait("for the history") { try logs(host).contains("tag v1.10.0  success") }
        #expect(try host.gitops("status").stdout.contains("  tag v1.10.0  "))
        // An older tag that comes late is no reason to go back.
        try host.git("tag", "v1.5.0", one)
        #expect(try deliver("refs/tags/v1.5.0", one, to: server, of: host, id: "d5").status == 202)
        try host.wait("for the end") { try logs(host).contains("already deployed") }
        #expect(host.applied.filter { $0.hasPrefix("done") } == ["done \(one)", "done \(two)"])
        #expect(server.end(SIGTERM) == 0)
    }

    @Test("the poll sees new and moved tags, and a deleted one does not bring back the one before")
    func tagPolls() throws {
        let host = try Host()
        let one = try host.git("rev-parse", "HEAD")
        try host.git("tag", "v1.0.0")
        #expect(try create(host, "--tag", "^1", poll: "1").status == 0)
        let server = try Serve(host)
        try host.wait("for the first deploy") { host.applied.last == "done \(one)" }
        let two = try host.commit("two")
        try host.git("tag", "v1.1.0")
        try host.wait("for the new tag") { host.applied.last == "done \(two)" }
        let three = try host.commit("three")
        try host.git("tag", "-f", "v1.1.0")
        try host.wait("for the moved tag") { host.applied.last == "done \(three)" }
        try host.git("tag", "-d", "v1.1.0")
        try host.wait("for the deleted tag") { try logs(host).contains("  held  ") }
        #expect(
            try logs(host).contains("tag 'v1.1.0', which is deployed, is gone, and 'v1.0.0' is lower"))
        #expect(host.applied.last == "done \(three)")
        let refused = try host.gitops("sync", "--name", "site")
        #expect(refused.status == 1 && refused.stderr.contains("is gone"), "\(refused.stderr)")
        #expect(host.applied.last == "done \(three)")
        #expect(try host.gitops("sync", "--name", "site", "--force").status == 0)
        #expect(host.applied.last == "done \(one)")
        #expect(server.end(SIGTERM) == 0)
    }

    @Test("one commit is deployed, whatever is pushed later")
    func pinned() throws {
        let host = try Host()
        let one = try host.git("rev-parse", "HEAD")
        try host.commit("two")
        #expect(try create(host, "--commit", one, poll: "1").status == 0)
        #expect(try host.gitops("sync", "--name", "site").status == 0)
        #expect(host.applied.last == "done \(one)")
        #expect(try logs(host).contains("commit \(one.prefix(7))  success"))
    }

    @Test("a commit that touches no file that matters ends as done without an apply, over a chain of them")
    func paths() throws {
        let host = try Host()
        for name in ["web", "api"] { try Files.makeDirectory("\(host.directory)/repository/\(name)") }
        let one = try host.commit("one", files: ["web/a": "1", "api/a": "1"])
        try host.createSite("--paths", "web/**", "--paths", "!**/*.md")
        let server = try Serve(host)
        func push(_ commit: String, _ id: String) throws {
            #expect(try deliver("refs/heads/main", commit, to: server, of: host, id: id).status == 202)
        }
        try push(one, "d0")
        try host.wait("for the first deploy") { host.applied.last == "done \(one)" }
        var last = ""
        for index in 1...3 {
            last = try host.commit("c\(index)", files: ["api/a": "\(index)", "web/x.md": "\(index)"])
            try push(last, "d\(index)")
            try host.wait("for the skip") {
                try logs(host).split(separator: "\n").filter { $0.contains("no file that matters changed") }
                    .count
                    == index
            }
        }
        #expect(host.applied.filter { $0.hasPrefix("done") } == ["done \(one)"])
        #expect(Set(try Files.list(try snapshots(host))) == [one, last])
        let web = try host.commit("web", files: ["web/a": "2"])
        try push(web, "d9")
        try host.wait("for the deploy") { host.applied.last == "done \(web)" }
        let manifest = try host.commit(
            "manifest", files: ["volt-manifest.yaml": "apiVersion: volt/v1\nkind: probe\nspec: {a: 1}\n"])
        try push(manifest, "d10")
        try host.wait("for the manifest") { host.applied.last == "done \(manifest)" }
        // A person who asks for it gets it.
        let other = try host.commit(
            "api",
            files: ["api/a": "9", "volt-manifest.yaml": "apiVersion: volt/v1\nkind: probe\nspec: {a: 1}\n"])
        #expect(try host.gitops("sync", "--name", "site").status == 0)
        #expect(host.applied.last == "done \(other)")
        #expect(server.end(SIGTERM) == 0)
    }

    private func snapshots(_ host: Host) throws -> String {
        let found = try host.tool.run([
            "find", host.directory, "-type", "d", "-name", "site", "-path", "*snapshots*",
        ])
        return String(try #require(found.stdout.split(separator: "\n").first))
    }

    @Test("with --fast-forward-only a rewritten history is held, and --force takes it")
    func fastForward() throws {
        let host = try Host()
        try host.commit("zero")
        try host.createSite("--fast-forward-only")
        #expect(try host.gitops("sync", "--name", "site").status == 0)
        let two = try host.commit("two")
        #expect(try host.gitops("sync", "--name", "site").status == 0)
        #expect(host.applied.last == "done \(two)")
        try host.git("reset", "-q", "--hard", "HEAD~2")
        let other = try host.commit("other")
        let held = try host.gitops("sync", "--name", "site")
        #expect(
            held.status == 1 && held.stderr.contains("does not descend from \(two.prefix(7))"),
            "\(held.stderr)")
        #expect(held.stderr.contains("--force") && host.applied.last == "done \(two)")
        #expect(try host.gitops("sync", "--name", "site", "--force").status == 0)
        #expect(host.applied.last == "done \(other)")
    }

    @Test("with --submodules a commit is deployed with what it names, and without it is left out")
    func submodules() throws {
        let host = try Host()
        let made = try host.tool.run([
            "sh", "-ec",
            "git init -q -b main lib; touch lib/file; git -C lib add -A; git -C lib commit -qm lib; git clone -q --bare lib lib.git",
        ])
        try #require(made.status == 0, "\(made.stderr)")
        try host.commit("zero")
        try host.git("-c", "protocol.file.allow=always", "submodule", "--quiet", "add", "../lib.git", "lib")
        try host.git("config", "-f", ".gitmodules", "submodule.lib.url", "\(host.directory)/lib.git")
        try host.commit("one")
        for (options, isThere) in [([], false), (["--submodules"], true)] {
            let created = try host.tool.run(
                [
                    "volt-gitops", "create", "--name", "p\(options.count)", "--repo", host.repository,
                    "--provider",
                    "github", "--branch", "main", "--workload", "w\(options.count)", "--secret-file",
                    "\(host.directory)/secret", "--allow-file", "--poll-interval", "86400",
                ] + options)
            try #require(created.status == 0, "\(created.stderr)")
            let synced = try host.gitops("sync", "--name", "p\(options.count)")
            #expect(synced.status == 0, "\(synced.stderr)")
            let found = try host.tool.run([
                "find", "\(host.directory)/root", "-path", "*/snapshots/p\(options.count)/*/lib/file",
            ])
            #expect(found.stdout.isEmpty == !isThere, "\(found.stdout)")
        }
    }

    @Test(
        "with --require-signed only a signed commit is applied, forced or not, and a new signer ends the hold"
    )
    func signed() throws {
        let host = try Host()
        for key in ["ann", "bob"] {
            let made = try host.tool.run(
                ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", "\(host.directory)/\(key)"])
            #expect(made.status == 0)
        }
        func line(_ key: String) throws -> String {
            "\(key)@example.org "
                + String(decoding: try Files.read("\(host.directory)/\(key).pub"), as: UTF8.self)
        }
        try Files.replace("\(host.directory)/allowed", with: try line("ann").utf8)
        try host.createSite("--require-signed", "\(host.directory)/allowed")
        for more in [[], ["--force"]] {
            let plain = try host.tool.run(["volt-gitops", "sync", "--name", "site"] + more)
            #expect(plain.status == 1 && plain.stderr.contains("is not signed"), "\(plain.stderr)")
        }
        #expect(host.applied.isEmpty)
        let status = try host.gitops("status").stderr
        #expect(
            status.contains("is not signed; sign it with a key") && !status.contains("--force"), "\(status)")
        func sign(_ key: String) throws -> String {
            try host.git(
                "-c", "gpg.format=ssh", "-c", "user.signingkey=\(host.directory)/\(key)", "commit", "-q",
                "-S",
                "--allow-empty", "-m", "signed")
            return try host.git("rev-parse", "HEAD")
        }
        let one = try sign("ann")
        #expect(try host.gitops("sync", "--name", "site").status == 0)
        #expect(host.applied.last == "done \(one)")
        let two = try sign("bob")
        let unknown = try host.gitops("sync", "--name", "site")
        #expect(
            unknown.status == 1 && unknown.stderr.contains("SSH key that is not allowed"), "\(unknown.stderr)"
        )
        #expect(host.applied.last == "done \(one)")
        try Files.replace("\(host.directory)/allowed", with: (try line("ann") + line("bob")).utf8)
        let known = try host.gitops("sync", "--name", "site")
        #expect(known.status == 0 && host.applied.last == "done \(two)", "\(known.stderr)")
    }
}
