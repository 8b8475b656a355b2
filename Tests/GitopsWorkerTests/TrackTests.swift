import GitopsSource
import Testing
import VoltCore
import VoltSystem
import VoltTestKit

@Suite struct TrackTests {
    private func access(_ bench: Bench, tag: String? = nil, commit: String? = nil) -> RepositoryAccess {
        var access = bench.fileAccess(branch: "tag x")
        access.tag = tag
        access.pinned = commit
        return access
    }

    private func ask(_ bench: Bench, _ name: String, _ conditions: SourceConditions) throws -> Answer {
        var request = bench.snapshotRequest(bench.fileAccess(), name)
        request.conditions = conditions
        return try bench.ask(request)
    }

    @Test("the highest tag is taken, annotated or not, moved or deleted")
    func tags() throws {
        let bench = try Bench()
        let first = try bench.push("first")
        try bench.shell("cd work && git tag v1.0.0 && git tag -a -m x v1.9.0 && git push -q --tags")
        let second = try bench.push("second")
        try bench.shell(
            "cd work && git tag -a -m x v1.10.0 && git tag v1.11.0-rc1 && git tag v2.0.0 && git push -q --tags"
        )
        let third = try bench.push("third")
        let tags = access(bench, tag: "v1.*")
        let tip = try bench.tip(tags)
        #expect(tip.events == [.ref(name: "refs/tags/v1.10.0"), .tip(commit: second)])
        let made = try bench.snapshot(tags, "1")
        #expect(made.commit == second, "\(made.failure)")
        #expect(made.events.contains(.ref(name: "refs/tags/v1.10.0")))
        try bench.shell("cd work && git tag -fa -m y v1.10.0 >/dev/null && git push -qf --tags")
        #expect(try bench.snapshot(tags, "2").commit == third)
        try bench.shell("git -C site.git tag -d v1.10.0")
        #expect(try bench.snapshot(tags, "3").commit == first)
        let none = try bench.tip(access(bench, tag: "^3"))
        #expect(none.status == 3)
        #expect(none.failure.contains("has no tag that matches '^3'; it has 'v2.0.0', 'v1.11.0-rc1'"))
    }

    @Test("a tag whose commit is on no branch is fetched, and kept when the packs are made one")
    func lonelyTag() throws {
        let bench = try Bench()
        try bench.push("first")
        try bench.shell(
            "cd work && git checkout -q --detach && printf x > only && git add only && git commit -qm only && git tag -a -m x v1 && git push -q origin v1"
        )
        let wanted = try bench.shell("git -C work rev-parse HEAD")
        #expect(try bench.snapshot(access(bench, tag: "v1"), "1").commit == wanted)
        for index in 0..<51 {
            try bench.shell("cd work && git checkout -q main")
            try bench.push("c\(index)")
            #expect(try bench.snapshot(bench.fileAccess(), "b\(index)").status == 0)
        }
        try bench.shell("git -C site.git tag -d v1")
        let again = try bench.snapshot(access(bench, commit: wanted), "2")
        #expect(again.commit == wanted, "\(again.failure)")
    }

    @Test("a tag of what is no commit is refused")
    func treeTag() throws {
        let bench = try Bench()
        try bench.push("first")
        try bench.shell("cd work && git tag v1 HEAD^{tree} && git push -q --tags")
        let answer = try bench.snapshot(access(bench, tag: "v*"), "1")
        #expect(answer.status == 5 && answer.failure.contains("is not of a commit"), "\(answer.failure)")
    }

    @Test("one commit is taken from any branch or tag, and from nothing else")
    func pinned() throws {
        let bench = try Bench()
        let first = try bench.push("first")
        try bench.push("second")
        let pinned = access(bench, commit: first)
        #expect(try bench.tip(pinned).tip == first)
        #expect(try bench.snapshot(pinned, "1").commit == first)
        try bench.shell(
            "cd work && git commit -q --allow-empty -m hidden && git push -q origin HEAD:refs/pull/1/head")
        let hidden = try bench.shell("git -C work rev-parse HEAD")
        let answer = try bench.snapshot(access(bench, commit: hidden), "2")
        #expect(answer.status == 3)
        #expect(answer.failure.contains("is not on any branch or tag"), "\(answer.failure)")
    }

    @Test("a commit that touches none of the files that matter is told, and the files that do are named")
    func paths() throws {
        let bench = try Bench()
        try bench.shell("cd work && mkdir web api && printf 1 > web/a && printf 1 > api/a")
        let first = try bench.push("first")
        #expect(try bench.snapshot(bench.fileAccess(), "1").status == 0)
        try bench.shell("cd work && printf 2 > api/a && printf 2 > web/notes.md")
        try bench.push("second")
        var conditions = SourceConditions()
        conditions.deployed = first
        conditions.paths = ["web/**", "!**/*.md"]
        #expect(try ask(bench, "2", conditions).events.contains(.unaffected))
        conditions.always = ["api/a"]
        let always = try ask(bench, "3", conditions)
        #expect(!always.events.contains(.unaffected) && always.notes == ["changed: api/a"])
        try bench.shell("cd work && git rm -q web/a && for i in $(seq 150); do printf x > web/f$i; done")
        try bench.push("third")
        conditions.always = []
        let third = try ask(bench, "4", conditions)
        #expect(!third.events.contains(.unaffected))
        #expect(third.notes.count == 101 && third.notes.contains("changed: web/a"))
        #expect(third.notes.last == "changed: 51 more")
        // What it was compared with is gone: it is deployed.
        conditions.deployed = String(repeating: "1", count: 40)
        #expect(try ask(bench, "5", conditions).events.contains(.unaffected) == false)
    }

    @Test("a commit that does not descend from the deployed one is declined, and writes no tree")
    func fastForward() throws {
        let bench = try Bench()
        try bench.push("zero")
        let first = try bench.push("first")
        #expect(try bench.snapshot(bench.fileAccess(), "1").status == 0)
        var conditions = SourceConditions()
        conditions.deployed = first
        conditions.fastForwardOnly = true
        let second = try bench.push("second")
        #expect(try ask(bench, "2", conditions).commit == second)
        try bench.shell("cd work && git reset -q --hard HEAD~2")
        let other = try bench.push("other")
        let answer = try ask(bench, "3", conditions)
        guard case .declined(other, let reason, _) = answer.events.last else {
            Issue.record("\(answer.events)")
            return
        }
        #expect(reason.contains("does not descend from \(first.prefix(7))"))
        #expect(!Files.exists("\(bench.path)/snapshots/3") && answer.status == 0)
        conditions.fastForwardOnly = false
        #expect(try ask(bench, "4", conditions).commit == other)
    }
}
