import GitopsSource
import Testing
import VoltCore
import VoltSystem

@Suite struct HostileTreeTests {
    /// Writes a tree object byte by byte, which git mktree(1) would refuse, and gives its name.
    private func tree(_ bench: Bench, _ entries: [(mode: String, name: [UInt8], id: String)]) throws -> String
    {
        var bytes: [UInt8] = []
        for entry in entries {
            bytes += Array("\(entry.mode) ".utf8) + entry.name + [0] + (Hex.decode(entry.id) ?? [])
        }
        try Files.replace("\(bench.path)/tree", with: bytes)
        return try bench.shell("git -C site.git hash-object -t tree --literally -w ../tree")
    }

    private func commit(_ bench: Bench, _ tree: String) throws {
        try bench.shell("cd site.git && git update-ref refs/heads/main $(git commit-tree -m hostile \(tree))")
    }

    private func blob(_ bench: Bench, _ text: String = "x") throws -> String {
        try Files.replace("\(bench.path)/blob", with: text.utf8)
        return try bench.shell("git -C site.git hash-object -w ../blob")
    }

    @Test(
        "a name that leads elsewhere is refused and nothing is written",
        arguments: [
            "..", ".", ".git", ".GiT", "a/b", "../../escape", String(repeating: "n", count: 300),
        ])
    func names(name: String) throws {
        let bench = try Bench()
        let blob = try blob(bench)
        try commit(bench, try tree(bench, [("100644", Array(name.utf8), blob)]))
        let answer = try bench.snapshot(bench.fileAccess(), "1")
        #expect(answer.status != 0)
        #expect(answer.failure.contains("refused") || answer.failure.contains("damaged"), "\(answer.failure)")
        #expect(try Files.list("\(bench.path)/snapshots") == [])
    }

    @Test("a directory named '..' or '.git' is refused", arguments: ["..", ".git"])
    func directories(name: String) throws {
        let bench = try Bench()
        let inner = try tree(bench, [("100644", Array("config".utf8), try blob(bench))])
        try commit(bench, try tree(bench, [("40000", Array(name.utf8), inner)]))
        let answer = try bench.snapshot(bench.fileAccess(), "1")
        #expect(answer.status == 5 && answer.failure.contains("refused"), "\(answer.failure)")
        #expect(try Files.list("\(bench.path)/snapshots") == [])
    }

    @Test("a link and a directory of one name do not let a file out of the snapshot")
    func linkAndDirectory() throws {
        let bench = try Bench()
        let target = try blob(bench, "\(bench.path)/outside")
        try Files.makeDirectory("\(bench.path)/outside")
        let inner = try tree(bench, [("100644", Array("file".utf8), try blob(bench))])
        try commit(
            bench, try tree(bench, [("120000", Array("a".utf8), target), ("40000", Array("a".utf8), inner)]))
        let answer = try bench.snapshot(bench.fileAccess(), "1")
        #expect(answer.status == 5 && answer.failure.contains("twice"), "\(answer.failure)")
        #expect(try Files.list("\(bench.path)/outside") == [])
    }

    @Test("a few objects that stand for a million files are refused before one is written")
    func bomb() throws {
        let bench = try Bench()
        var level = try tree(
            bench, (0..<10).map { ("100644", Array("f\($0)".utf8), "") }.map { ($0.0, $0.1, try blob(bench)) }
        )
        for _ in 0..<6 { level = try tree(bench, (0..<10).map { ("40000", Array("d\($0)".utf8), level) }) }
        try commit(bench, level)
        let answer = try bench.snapshot(bench.fileAccess(), "1")
        #expect(
            answer.status == 5 && answer.failure.contains("more than the 200000 files"), "\(answer.failure)")
        #expect(try Files.list("\(bench.path)/snapshots") == [])
    }

    @Test("directories within each other end at a hundred")
    func deep() throws {
        let bench = try Bench()
        var level = try tree(bench, [("100644", Array("f".utf8), try blob(bench))])
        for _ in 0..<120 { level = try tree(bench, [("40000", Array("d".utf8), level)]) }
        try commit(bench, level)
        let answer = try bench.snapshot(bench.fileAccess(), "1")
        #expect(
            answer.status == 5 && answer.failure.contains("more than 100 directories"), "\(answer.failure)")
    }

    @Test("submodules are left out and LFS pointers left as they are, with a note")
    func notes() throws {
        let bench = try Bench()
        let pointer =
            "version https://git-lfs.github.com/spec/v1\noid sha256:\(String(repeating: "a", count: 64))\nsize 12345\n"
        let blob = try blob(bench, pointer)
        try commit(
            bench,
            try tree(
                bench,
                [
                    ("100644", Array("big.bin".utf8), blob),
                    ("160000", Array("module".utf8), String(repeating: "2", count: 40)),
                ]))
        let answer = try bench.snapshot(bench.fileAccess(), "1")
        #expect(answer.status == 0, "\(answer.failure)")
        #expect(
            answer.notes == [
                "1 submodule(s) left out, such as 'module': --submodules of 'create' has them fetched",
                "1 file(s) are Git LFS pointers, such as 'big.bin': --lfs of 'create' has their content fetched",
            ])
        #expect(try bench.read("1/big.bin") == pointer)
        #expect(try Files.list("\(bench.path)/snapshots/1") == ["big.bin"])
    }
}
