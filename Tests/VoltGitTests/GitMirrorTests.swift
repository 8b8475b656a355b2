import Testing
import VoltCore
import VoltGit
import VoltSystem
import VoltTestKit

@Suite struct GitMirrorTests {
    /// libgit2 is started once for all tests, with a home that does not exist.
    private static let library: Result<Void, VoltError> = Result { () throws(VoltError) in
        try GitLibrary.start(home: "/nonexistent/volt-tests", caFile: nil)
    }

    /// A bare repository with a branch and a mirror of it.
    private final class Origin {
        let scratch: ScratchDirectory
        let tools: ToolRunner
        var path: String { scratch.path }
        var mirror: String { "\(path)/mirror" }

        init() throws {
            try GitMirrorTests.library.get()
            scratch = try ScratchDirectory()
            var tools = ToolRunner(scratch: scratch.path)
            for who in ["AUTHOR", "COMMITTER"] {
                tools.environment["GIT_\(who)_NAME"] = "Ann"
                tools.environment["GIT_\(who)_EMAIL"] = "ann@example.org"
            }
            self.tools = tools
            try shell("git init -q -b main origin")
        }

        @discardableResult
        func shell(_ script: String) throws -> String {
            let result = try tools.run(["sh", "-ec", script])
            try #require(result.status == 0, "\(result.stderr)")
            return String(result.stdout.dropLast(result.stdout.hasSuffix("\n") ? 1 : 0))
        }

        func commit(_ text: String) throws -> String {
            try shell(
                "cd origin && echo '\(text)' >> log && git add -A && git commit -q -m '\(text)' && git rev-parse HEAD"
            )
        }

        var access: GitAccess {
            GitAccess(
                url: "file://\(path)/origin", user: "git", credential: .none, mayBeSent: { _ in false },
                checkHostKey: { (_) throws(VoltError) in }, progress: { _, _, _ in })
        }

        func fetch(packLimit: Int = GitMirror.packLimit) throws -> GitMirror {
            let mirror = try GitMirror(at: mirror, packLimit: packLimit)
            let remote = try mirror.remote(access)
            let tip = try remote.tip(of: "refs/heads/main")
            if !mirror.contains(tip) { try mirror.fetch("refs/heads/main", tip: tip, from: remote) }
            return mirror
        }

        var packs: Int {
            get throws { try Files.list("\(mirror)/objects/pack").filter { $0.hasSuffix(".pack") }.count }
        }
    }

    @Test("packs are made one when there are too many, and every reachable commit stays")
    func consolidation() throws {
        let origin = try Origin()
        var commits: [String] = []
        for number in 1...5 {
            commits.append(try origin.commit("\(number)"))
            _ = try origin.fetch()
        }
        #expect(try origin.packs == 5)
        commits.append(try origin.commit("6"))
        let mirror = try origin.fetch(packLimit: 4)
        #expect(try origin.packs == 2, "one of all before, one of the last fetch")
        for commit in commits { #expect(try mirror.plan(commit).files == 1) }
        #expect(
            try origin.shell("git -C mirror fsck --connectivity-only 2>&1 | grep -c missing || true") == "0")
    }

    @Test("what a force push left behind is gone after packs are made one")
    func unreachable() throws {
        let origin = try Origin()
        _ = try origin.commit("1")
        _ = try origin.fetch()
        let lost = try origin.commit("2")
        _ = try origin.fetch()
        try origin.shell("git -C origin reset -q --hard HEAD~1")
        let kept = try origin.commit("3")
        #expect(try origin.fetch().contains(lost))
        let mirror = try origin.fetch(packLimit: 1)
        #expect(!mirror.contains(lost) && mirror.contains(kept))
    }

    @Test(
        "a tree over a limit is refused with the path",
        arguments: [
            ("entries", "more than the 2 files"), ("bytes", "makes the tree larger than 5"),
            ("fileBytes", "is larger than 3"),
            ("depth", "more than 1 directories"),
        ])
    func limits(name: String, reason: String) throws {
        let origin = try Origin()
        try origin.shell(
            "mkdir -p origin/d/e; cd origin; printf abcd > a; printf abcd > b; printf abcd > d/e/f")
        let commit = try origin.commit("x")
        var limits = TreeLimits()
        switch name {
        case "entries": limits.entries = 2
        case "bytes": limits.bytes = 5
        case "fileBytes": limits.fileBytes = 3
        default: limits.depth = 1
        }
        let mirror = try origin.fetch()
        let error = #expect(throws: VoltError.self) { try mirror.plan(commit, limits: limits) }
        #expect(error?.code == .refused && error?.message.contains(reason) == true, "\(error?.message ?? "")")
    }

    @Test(
        "what is no commit is refused",
        arguments: ["", "main", "HEAD", "abc", "--all", String(repeating: "g", count: 40)])
    func notACommit(text: String) throws {
        let origin = try Origin()
        _ = try origin.commit("x")
        let mirror = try origin.fetch()
        #expect(!mirror.contains(text))
        #expect(throws: VoltError.self) { try mirror.plan(text) }
    }
}
