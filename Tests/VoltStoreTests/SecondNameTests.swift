import Testing
import VoltCore
import VoltSystem
import VoltTestKit

@testable import VoltStore

/// Second names of files, and directories that become links while a tree is written or read.
@Suite(.enabled(if: HostPaths.runsAsRoot, "owners and devices need root")) struct SecondNameTests {
    private let bench: Bench

    init() throws {
        bench = try Bench()
        try bench.shell(
            "mkdir victim; echo secret > victim/name; chmod 640 victim/name; chown 7:7 victim/name")
    }

    /// What must stay as it is, whatever a tree says.
    private func victim() throws -> String { try bench.shell("ls victim; stat -c '%h %a %u %g' victim/*") }

    private static let readers = [
        "tag --tree", "checkout", "mount", "export", "ls", "diff", "pull", "push", "repack", "lease", "merge",
    ]

    /// Trees of which a second name is not one of a file that came before.
    private func trees(_ blob: BinaryDigest) -> [(what: String, bytes: [UInt8])] {
        let victim = Array("\(bench.path)/victim".utf8)
        let file = TreeEntry.Kind.file(size: 2, digest: blob)
        func tree(_ entries: [(String, TreeEntry.Kind)]) -> [UInt8] {
            var tree = TreeBytes()
            for (name, kind) in entries { if name.isEmpty { tree.end() } else { tree.add(name, kind) } }
            return tree.finished
        }
        func second(_ first: String) -> TreeEntry.Kind { .hardLink(Array(first.utf8)) }
        return [
            ("through a link", tree([("a", .link(victim)), ("b", second("a/name"))])),
            ("a link", tree([("a", .link(victim + Array("/name".utf8))), ("b", second("a"))])),
            ("a directory", tree([("a", .directory), ("", .pipe), ("b", second("a"))])),
            ("a device", tree([("a", .characterDevice(major: 1, minor: 3)), ("b", second("a"))])),
            ("nothing", tree([("b", second("a"))])),
            ("itself", tree([("b", second("b"))])),
            ("a later file", tree([("b", second("c")), ("c", file)])),
            ("a second name", tree([("a", file), ("b", second("a")), ("c", second("b"))])),
            (
                "a file of another directory",
                tree([("a", .directory), ("f", file), ("", .pipe), ("b", second("f"))])
            ),
        ]
    }

    @Test(
        "a second name of anything but a file that came before is refused by every reader, in the same words",
        arguments: readers)
    func refused(reader: String) throws {
        let store = try bench.open()
        try bench.shell("echo x > x; mkdir empty; volt-cas init --store two > /dev/null")
        let blob = try store.put(file: "\(bench.path)/x", representation: .bare).digest
        let before = try victim()
        let all = ["tag --tree", "checkout"].contains(reader)
        for (what, bytes) in trees(BinaryDigest(blob)).prefix(all ? .max : 3) {
            try Files.replace("\(bench.path)/tree", with: bytes)
            let tree = try store.put(file: "\(bench.path)/tree").digest
            // A name as only a hand gives one.
            try store.setTag("bad", to: tree, kind: .tree)
            try bench.shell("rm -rf out layout; mkdir -p mnt")
            if reader == "merge" {
                let error = #expect(throws: VoltError.self) {
                    try store.mergeTrees([tree], representation: .packed, tag: "merged")
                }
                #expect(
                    error?.message.contains("which is not a file that comes before it") == true, "\(what)")
                continue
            }
            let result =
                switch reader {
                case "tag --tree": try bench.cas("tag", "\(tree)", "named", "--tree")
                case "checkout": try bench.cas("checkout", "\(tree)", "out", "-q")
                case "mount": try bench.cas("mount", "\(tree)", "mnt")
                case "export": try bench.cas("export", "bad", "--to", "layout", "-q")
                case "ls": try bench.cas("ls", "\(tree)")
                case "diff":
                    try bench.cas("diff", "\(tree)", "\(try store.addTree("\(bench.path)/empty").digest)")
                case "pull": try bench.runner("volt-cas", "pull", "./store", "bad", "--store", "two", "-q")
                case "push": try bench.cas("push", "two", "bad", "-q")
                case "repack": try bench.cas("repack", "--bare", "\(tree)", "-q")
                default: try bench.cas("lease", "take", "\(tree)", "--tree")
                }
            #expect(
                result.status == 1 && result.stderr.contains("which is not a file that comes before it"),
                "\(what): \(result)")
            #expect(try victim() == before, "\(what)")
        }
        #expect(try bench.shell("volt-cas tags --store two -o json | tr -d '[] \\n'") == "")
        #expect(try store.tag("named") == nil)
        #expect(try store.tag("merged") == nil)
    }

    @Test("a directory that another process makes a link of brings nothing out of a checkout")
    func swappedTarget() throws {
        try bench.shell(
            """
            mkdir -p src/d/e; for i in $(seq 60); do echo $i > src/d/e/$i; ln src/d/e/$i src/z$i; done; echo name > src/d/name; ln src/d/name src/zname
            ln -s name src/d/link; mkfifo src/d/pipe; mknod src/d/null c 1 3; chmod 777 src/d/pipe src/d/null; setfattr -n user.x -v y src/d
            mkdir victim/e; echo secret > victim/e/7; volt-cas init --store store > /dev/null; volt-cas add-tree src --tag t --store store -q
            cat > swap.py <<'X'
            import os
            number = 0
            while not os.path.exists("stop"):
                try:
                    number += 1
                    os.rename("out/d", f"aside{number}"); os.symlink(os.path.abspath("victim"), "out/d")
                    os.unlink("out/d"); os.rename(f"aside{number}", "out/d")
                except OSError: pass
            X
            """)
        let before = try bench.shell("find victim -printf '%p %y %m %u %g %n\\n' | sort")
        try bench.shell("python3 swap.py > /dev/null 2>&1 & :")
        defer { _ = try? bench.shell("touch stop") }
        for round in 0..<12 {
            // Whatever comes of it, it is not outside.
            _ = try bench.cas("checkout", "t", "out", "--merge", "-q")
            #expect(
                try bench.shell("find victim -printf '%p %y %m %u %g %n\\n' | sort") == before,
                "round \(round)")
        }
    }

    @Test("what another process puts in the place of a pipe keeps its mode, owner and time")
    func swappedNames() throws {
        try bench.shell(
            """
            mkdir src; for i in $(seq 1000 1150); do mkfifo src/p$i; done; chmod 777 src/*
            volt-cas init --store store > /dev/null; volt-cas add-tree src --tag t --store store -q
            cat > swap.py <<'X'
            import os
            victim = os.path.abspath("victim/name")
            def swap(path):
                try: os.lstat(path); os.unlink(path); os.symlink(victim, path); return True
                except OSError: return False
            while not os.path.exists("stop"):
                number = 1000
                while number <= 1150 and not os.path.exists("stop"): number += swap(f"out/p{number}")
            X
            touch -d 2001-01-01 victim/name
            """)
        let before = try bench.shell("stat -c '%a %u %g %Y' victim/name")
        try bench.shell("python3 swap.py > /dev/null 2>&1 & :")
        defer { _ = try? bench.shell("touch stop") }
        for round in 0..<10 {
            _ = try bench.cas("checkout", "t", "out", "-q")
            #expect(try bench.shell("stat -c '%a %u %g %Y' victim/name") == before, "round \(round)")
            try bench.shell("mv out old\(round) 2> /dev/null || :")
        }
    }

    @Test(
        "a directory that becomes a link after it was looked at brings no file from outside into a tree",
        arguments: [false, true])
    func swappedSource(moves: Bool) throws {
        let store = try bench.open()
        try bench.shell("mkdir -p src/d; echo mine > src/d/name; echo top > src/top")
        var options = IngestOptions()
        options.representation = moves ? .bare : .packed
        options.consumes = moves
        let session = try WriteSession(store)
        defer { session.end() }
        let scanner = try TreeScanner("\(bench.path)/src", options, LeftOutNames(isStrict: true))
        let batch = IngestBatch()
        try scanner.run { batch.items.append($0) }
        try bench.shell("mv src/d aside; ln -s ../victim src/d")
        try FileIngest(session, options, root: scanner.descriptor).run(batch)
        let error = batch.items.compactMap(\.failure).first
        #expect(error?.code == .tryAgain && error?.message.contains("'d/name' became something else") == true)
        #expect(try bench.shell("cat victim/name") == "secret\n")
        #expect(
            try !store.has(Digest("sha256:\(bench.shell("sha256sum victim/name | cut -c1-64").dropLast())")))
    }

    @Test("directories that another process makes links of all the while bring nothing into a tree")
    func racedSource() throws {
        try bench.shell(
            """
            for i in $(seq 40); do mkdir -p src/d$i; echo mine > src/d$i/name; done; volt-cas init --store store > /dev/null
            cat > swap.py <<'X'
            import os
            while not os.path.exists("stop"):
                for i in range(1, 41):
                    try:
                        os.rename(f"src/d{i}", "aside"); os.symlink("../victim", f"src/d{i}")
                        os.unlink(f"src/d{i}"); os.rename("aside", f"src/d{i}")
                    except OSError: pass
            X
            """)
        let secret = try bench.shell("sha256sum victim/name | cut -c1-64").dropLast()
        try bench.shell("python3 swap.py > /dev/null 2>&1 & :")
        defer { _ = try? bench.shell("touch stop") }
        for round in 0..<12 {
            _ = try bench.cas("add-tree", "src", "--no-cache", "-q", "--tag", "t")
            #expect(try bench.cas("has", "sha256:\(secret)").status == 3, "round \(round)")
        }
    }
}
