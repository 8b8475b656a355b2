import GitopsEngine
import Glibc
import Testing
import VoltCore
import VoltSystem
import VoltTestKit

/// What a snapshot and "already deployed" are of: a repository, a path in it, a revision and the options that shape
/// the tree, and never a revision's number alone.
@Suite(.serialized, .timeLimit(.minutes(5))) struct SourceTests {
    private static let hasSubversion = Files.exists("/usr/bin/svnadmin")

    /// The pipeline `site` as a file.
    private func document(_ host: Host, _ repo: String, _ more: String...) -> String {
        let lines = [
            "apiVersion: volt/v1", "kind: pipelines", "pipelines:", "  - name: site", "    repo: \(repo)",
            "    workload: web", "    allowFile: true", "    pollInterval: 1",
        ]
        return (lines + more.map { "    \($0)" }).joined(separator: "\n") + "\n"
    }

    private func importing(_ host: Host, _ text: String) throws {
        try Files.replace("\(host.directory)/pipelines.yaml", with: text.utf8)
        let made = try host.gitops("import", "\(host.directory)/pipelines.yaml")
        try #require(made.status == 0, "\(made.stderr)")
    }

    private func sync(_ host: Host) throws {
        let made = try host.gitops("sync", "--name", "site")
        #expect(made.status == 0, "\(made.stderr)")
    }

    @Test(
        "a pipeline of a deleted one's name deploys its own repository, though both are at revision 1",
        .enabled(if: hasSubversion, "needs the package subversion"))
    func created() throws {
        let host = try Host()
        for name in ["ours", "theirs"] {
            try host.subversion(name, text: name)
            try host.createSubversion(name)
            try sync(host)
            #expect(host.text == name)
            #expect(try host.gitops("delete", "--name", "site").status == 0)
        }
    }

    @Test("create asks no server when the URL says it all, and tells what to write when it must")
    func unreachable() throws {
        let host = try Host()
        func create(_ name: String, _ url: String, _ branch: String) throws -> ToolRunner.Result {
            try host.gitops(
                "create", "--name", name, "--repo", url, "--provider", "svn", "--branch", branch,
                "--workload",
                name)
        }
        let base = "svn://127.0.0.1:\(LoopbackPort.free())/site"
        for (name, url, branch) in [
            ("a", "\(base)/trunk", "trunk"), ("b", "\(base)/tags/1", "1"),
            ("c", "\(base)/branches/x", "branches/x"),
        ] {
            let made = try create(name, url, branch)
            #expect(made.status == 0 && made.stderr.contains(" of '\(url)' to "), "\(made.stderr)")
        }
        for (url, branch, own) in [
            ("\(base)/trunk", "main", "trunk"), ("\(base)/trunk/", "branches/x", "trunk"),
            ("\(base)/branches/x", "y", "branches/x"),
        ] {
            let made = try create("d", url, branch)
            #expect(made.status == 64 && made.stderr.contains("write '--branch \(own)'"), "\(made.stderr)")
        }
        guard Self.hasSubversion else { return }
        let made = try create("e", base, "trunk")
        #expect(made.status == 1 && made.stderr.contains("--repo \(base)/trunk"), "\(made.stderr)")
    }

    @Test(
        "a plan and the log name the externals that are left out",
        .enabled(if: hasSubversion, "needs the package subversion"))
    func externals() throws {
        let host = try Host()
        let url = try host.subversion("ours", text: "ours")
        _ = try host.tool(
            "sh", "-ec",
            "svn checkout -q \(url)/trunk wc; svn propset -q svn:externals '^/trunk ext' wc; svn commit -q -m ext wc"
        )
        try host.createSubversion("ours")
        let plan = try host.gitops("plan", "--name", "site")
        #expect(plan.stdout.contains("left out: '^/trunk ext' of '.'"), "\(plan.stdout)\(plan.stderr)")
        try sync(host)
        #expect(try host.gitops("show", "1").stdout.contains("left out: '^/trunk ext' of '.'"))
    }

    @Test(
        "after an import of another Subversion repository at the same revision the poll deploys it, and a rollback brings the files of the first back",
        .enabled(if: hasSubversion, "needs the package subversion"))
    func imported() throws {
        let host = try Host()
        let first = try host.subversion("ours", text: "ours")
        let second = try host.subversion("theirs", text: "theirs")
        try importing(host, document(host, first, "provider: svn", "branch: trunk"))
        try sync(host)
        let server = try Serve(host)
        try importing(host, document(host, second, "provider: svn", "branch: trunk"))
        try host.wait("for the other files") { host.text == "theirs" }
        try host.wait("for the history") { try host.history().first?.state == .done }
        #expect(try host.history().prefix(2).map(\.commit) == ["1", "1"])
        let back = try host.gitops("rollback", "--name", "site")
        #expect(back.status == 0 && host.text == "ours", "\(back.stderr)")
        // What the rollback left behind is held, though it has the number of what runs.
        let polled = try host.polled()
        try host.wait("for a poll") { try host.polled() > polled }
        #expect(host.text == "ours")
        #expect(try host.history().count == 3)
        #expect(server.end(SIGTERM) == 0)
    }

    @Test(
        "a repository that is replaced at its URL is deployed by the poll, with another UUID and with the same",
        .enabled(if: hasSubversion, "needs the package subversion"), arguments: [false, true])
    func replaced(keepsUUID: Bool) throws {
        let host = try Host()
        let url = try host.subversion("site", text: "ours")
        try importing(host, document(host, url, "provider: svn", "branch: trunk"))
        try sync(host)
        let server = try Serve(host)
        let polled = try host.polled()
        try host.wait("for a poll") { try host.polled() > polled }
        #expect(try host.history().count == 1)
        _ = try host.tool("mv", "\(host.directory)/svn-site", "\(host.directory)/old")
        try host.subversion("other", text: "theirs")
        if keepsUUID {
            let uuid = try host.tool("svnlook", "uuid", "\(host.directory)/old").stdout.filter { $0 != "\n" }
            _ = try host.tool("svnadmin", "setuuid", "\(host.directory)/svn-other", uuid)
        }
        _ = try host.tool("mv", "\(host.directory)/svn-other", "\(host.directory)/svn-site")
        try host.wait("for the other files") { host.text == "theirs" }
        #expect(server.end(SIGTERM) == 0)
    }

    @Test(
        "an approval of a revision counts for no other repository's revision of that number",
        .enabled(if: hasSubversion, "needs the package subversion"))
    func approved() throws {
        let host = try Host()
        try host.subversion("ours", text: "ours")
        let other = try host.subversion("theirs", text: "theirs")
        try host.createSubversion("ours", "--require-approval")
        #expect(try host.gitops("sync", "--name", "site").status == 75)
        #expect(try host.gitops("approve", "--name", "site", "r1").status == 0)
        try sync(host)
        #expect(host.text == "ours")
        try importing(
            host, document(host, other, "provider: svn", "branch: trunk", "control: {requiresApproval: true}")
        )
        #expect(try host.gitops("sync", "--name", "site").status == 75)
        #expect(host.text == "ours")
    }

    @Test(
        "submodules that are asked for later come with a commit that was fetched without, by sync and by the poll",
        arguments: [true, false])
    func options(bySync: Bool) throws {
        let host = try Host()
        _ = try host.tool(
            "sh", "-ec",
            "git init -q -b main lib; echo lib >lib/file; git -C lib add -A; git -C lib commit -qm lib; git clone -q --bare lib lib.git"
        )
        try host.git("-c", "protocol.file.allow=always", "submodule", "--quiet", "add", "../lib.git", "lib")
        try host.git("config", "-f", ".gitmodules", "submodule.lib.url", "\(host.directory)/lib.git")
        try host.commit("one")
        let words = ["provider: github", "branch: main", "secretFile: \(host.directory)/secret"]
        try importing(host, document(host, host.repository, words[0], words[1], words[2]))
        try sync(host)
        #expect(!Files.exists("\(host.source)/lib/file"))
        try importing(
            host, document(host, host.repository, words[0], words[1], words[2], "track: {submodules: true}"))
        let plan = try host.gitops("plan", "--name", "site")
        #expect(plan.stdout.contains("runs with other files or settings"), "\(plan.stdout)\(plan.stderr)")
        if bySync {
            try sync(host)
        } else {
            let server = try Serve(host)
            try host.wait("for the second deploy") {
                try host.history().prefix(2).map(\.state) == [.done, .done]
            }
            #expect(server.end(SIGTERM) == 0)
        }
        #expect(Files.exists("\(host.source)/lib/file"))
    }

    @Test("another directory of the same commit is deployed by the poll")
    func path() throws {
        let host = try Host()
        try Files.makeDirectory("\(host.directory)/repository/sub")
        try host.commit(
            "one", files: ["sub/volt-manifest.yaml": "apiVersion: volt/v1\nkind: probe\n", "sub/text": "sub"])
        let words = ["provider: github", "branch: main", "secretFile: \(host.directory)/secret"]
        try importing(host, document(host, host.repository, words[0], words[1], words[2]))
        try sync(host)
        #expect(host.text == "one")
        let server = try Serve(host)
        try importing(host, document(host, host.repository, words[0], words[1], words[2], "path: sub"))
        try host.wait("for the other directory") { host.text == "sub" }
        #expect(server.end(SIGTERM) == 0)
    }

    @Test("the snapshot that a kept workload runs from stays when another pipeline has its pipeline's name")
    func kept() throws {
        let host = try Host()
        try host.createSite()
        try sync(host)
        let old = host.source
        try Files.replace("\(host.directory)/status", with: #"{"workload":"web","state":"running"}"#.utf8)
        #expect(try host.gitops("delete", "--name", "site").status == 0)
        let words = ["provider: github", "branch: main", "secretFile: \(host.directory)/secret"]
        let text = document(host, host.repository, words[0], words[1], words[2])
        try importing(host, text.replacing("workload: web", with: "workload: another"))
        try host.commit("two")
        try sync(host)
        #expect(host.source != old && Files.exists("\(old)/text"))
    }
}

extension Host {
    /// What the probe found in the file `text` of what it applied last.
    var text: String? {
        (try? Files.read("\(directory)/text")).map {
            String(decoding: $0, as: UTF8.self).filter { $0 != "\n" }
        }
    }

    /// The directory that the probe applied last.
    var source: String {
        String(decoding: (try? Files.read("\(directory)/source")) ?? [], as: UTF8.self).filter { $0 != "\n" }
    }

    /// When `site` was polled last, in milliseconds.
    func polled() throws -> Int64 {
        try Journal(state: "\(directory)/root/lib/gitops").poll(of: "site").at?.milliseconds ?? 0
    }

    /// Makes a Subversion repository whose revision 1 has a trunk with a manifest and a text, and gives its URL.
    @discardableResult
    func subversion(_ name: String, text: String) throws -> String {
        try Files.makeDirectory("\(directory)/import-\(name)/trunk")
        let manifest = "apiVersion: volt/v1\nkind: probe\nspec: {}\n"
        try Files.replace("\(directory)/import-\(name)/trunk/volt-manifest.yaml", with: manifest.utf8)
        try Files.replace("\(directory)/import-\(name)/trunk/text", with: text.utf8)
        _ = try tool("svnadmin", "create", "\(directory)/svn-\(name)")
        _ = try tool(
            "svn", "import", "-q", "-m", text, "\(directory)/import-\(name)",
            "file://\(directory)/svn-\(name)")
        return "file://\(directory)/svn-\(name)"
    }

    /// Creates the pipeline `site` for such a repository.
    func createSubversion(_ name: String, _ more: String...) throws {
        let made = try tool.run(
            [
                "volt-gitops", "create", "--name", "site", "--repo", "file://\(directory)/svn-\(name)",
                "--provider", "svn", "--branch", "trunk", "--workload", "web", "--allow-file",
                "--poll-interval", "86400",
            ] + more)
        try #require(made.status == 0, "\(made.stderr)")
    }
}
