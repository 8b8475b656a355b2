import Testing
import VoltCore
import VoltSystem
import VoltTestKit

@testable import VoltStore

/// Directories of which something cannot be in a tree, and trees of which something cannot be in a directory.
@Suite(.enabled(if: HostPaths.runsAsRoot, "file systems and other users need root")) struct IncompleteTests {
    private let bench: Bench

    init() throws {
        bench = try Bench()
        _ = try bench.open()
    }

    /// A user that may read little.
    private static let nobody = "setpriv --reuid 65534 --regid 65534 --clear-groups"

    @Test("what cannot be read is left out and named, and the tree is marked as incomplete")
    func unreadable() throws {
        try bench.shell(
            """
            mkdir -p src/d src/shut src/sys; echo x > src/d/x; echo y > src/shut/y; echo s > src/d/secret; ln src/d/secret src/second
            chmod 0 src/d/secret src/shut; chown -R 65534 store src/d/x; chmod 755 . store
            python3 -c 'import os; os.chdir("src"); [(os.mkdir("0" * 250), os.chdir("0" * 250)) for i in range(17)]; open("file", "w")'
            """)
        let words = "volt-cas add-tree src --tag t --store store -q"
        let added = try bench.runner("sh", "-c", "\(Self.nobody) \(words) -o json")
        #expect(added.status == 2, "\(added)")
        for name in ["d/secret", "second", "shut", "more than 4095 bytes"] {
            #expect(added.stderr.contains("note: left out") && added.stderr.contains(name), "\(added.stderr)")
        }
        #expect(added.stdout.contains("\"leftOutCount\" : 4") && added.stdout.contains("permission denied"))
        // The mark goes with the tree, and is no attribute of a file.
        let list = try bench.cas("ls", "t")
        #expect(list.status == 0 && list.stdout.contains("d/x") && !list.stdout.contains("secret"))
        #expect(list.stderr.contains("the tree is incomplete: it lacks"), "\(list.stderr)")
        let rows = try bench.cas("ls", "t", "-o", "json").stdout
        #expect(rows.contains("\"leftOut\":[") && rows.contains("\"d/secret\""), "\(rows)")
        #expect(try bench.cas("tags").stdout.contains("tree, incomplete"))
        #expect(try bench.cas("push", "\(bench.path)/other", "t", "-q").status == 3)
        try bench.shell("volt-cas init --store other > /dev/null")
        #expect(try bench.cas("push", "\(bench.path)/other", "t", "-q").status == 0)
        #expect(try bench.shell("volt-cas tags --store other").contains("tree, incomplete"))
        let out = try bench.cas("checkout", "t", "out", "-q")
        #expect(out.status == 0 && out.stderr.contains("the tree is incomplete"), "\(out)")
        #expect(try bench.shell("cat out/d/x; ls out/shut; getfattr -dm - out") == "x\n")
        // Nor does the mark get lost on the way through a layout of OCI.
        try bench.shell("rm -rf layout")
        let exported = try bench.cas("export", "t", "--to", "layout", "-q")
        #expect(exported.status == 0 && exported.stderr.contains("the tree is incomplete"), "\(exported)")
        let imported = try bench.cas("import", "layout", "--as", "back")
        #expect(imported.status == 0 && imported.stderr.contains("the tree is incomplete"), "\(imported)")
        #expect(
            try bench.shell(
                "volt-cas tags --store store | grep -c incomplete")
                == "2\n")
        try bench.shell("volt-cas untag back --store store > /dev/null")
        // What the tree lacks is not removed since the tree lacks it.
        let delete = try bench.cas("checkout", "t", "src", "--merge", "--delete", "-q")
        #expect(delete.status == 4 && delete.stderr.contains("leave --delete out"), "\(delete)")
        #expect(try bench.shell("cat src/second src/shut/y") == "s\ny\n")
        // Nothing is stored when nothing may be left out.
        try bench.shell("volt-cas untag t --store store > /dev/null")
        let strict = try bench.runner("sh", "-c", "\(Self.nobody) \(words) --strict")
        #expect(strict.status == 5 && strict.stdout.isEmpty, "\(strict)")
        #expect(try bench.cas("tags", "-o", "json").stdout.filter { !$0.isWhitespace } == "[]")
        // A complete one has no mark.
        try bench.shell("rm -r src/0*; volt-cas add-tree src --tag t --store store -q")
        #expect(try bench.cas("ls", "t").stderr.isEmpty)
    }

    @Test(
        "a file that changes all the time, cannot be read or vanishes is left out",
        arguments: ["packed", "bare"])
    func changing(form: String) throws {
        let store = try bench.open()
        try bench.shell(
            """
            mkdir src; echo a > src/a; echo one > src/first; ln src/first src/second; ln src/first src/third
            head -c 600000 /dev/urandom > src/large; echo z > src/z
            """)
        var options = IngestOptions()
        options.representation = form == "bare" ? .bare : .packed
        options.isStrict = false
        options.threads = 1
        let path = bench.path
        options.willRead = { name in
            if name == Array("first".utf8) || name == Array("large".utf8) {
                try? Files.remove("\(path)/src/\(String(shown: name))")
            }
        }
        let result = try store.addTree("\(bench.path)/src", options: options, tag: "t")
        #expect(result.leftOut.map(\.path) == ["first", "large"], "\(result.leftOut)")
        _ = try store.checkout(result.digest, to: "\(bench.path)/out")
        // The other names of what vanished are still one file.
        #expect(
            try bench.shell("cat out/a out/second out/third out/z; stat -c %h out/third")
                == "a\none\none\nz\n2\n")
        #expect(try store.verify(.reading).isSound)
        #expect(try Files.list("\(bench.store)/sessions") == [])
        // Files of sysfs are never as long as they say.
        options.willRead = nil
        let odd = "/sys/kernel/mm/transparent_hugepage/khugepaged"
        guard Files.exists(odd) else { return }
        let changing = try store.addTree(odd, options: options)
        #expect(changing.leftOut.first?.reason.contains("changes while it is read") == true)
    }

    @Test("a checkout goes on when an attribute or an owner cannot be set, and says so")
    func losses() throws {
        try bench.shell(
            """
            mkdir src; echo x > src/x; setfattr -n user.x -v y src/x; cp /bin/true src/able; mknod src/null c 1 3
            setfattr -n security.capability -v 0x0100000200040000000000000000000000000000 src/able; chmod 4755 src/able
            chown 7:8 src/x; echo z > src/z; volt-cas add-tree src --tag t --store store -q
            mkdir plain; mount -t ramfs none plain; chmod 777 plain
            """)
        defer { _ = try? bench.shell("umount -l plain") }
        let lossy = try bench.cas("checkout", "t", "plain/out", "-q", "-o", "json")
        #expect(
            lossy.status == 2 && lossy.stderr.contains("cannot set the attribute 'user.x' of 'x'"), "\(lossy)"
        )
        #expect(lossy.stdout.contains("\"lossCount\" : "), "\(lossy)")
        #expect(try bench.shell("cat plain/out/x plain/out/z; stat -c %u:%g plain/out/x") == "x\nz\n7:8\n")
        let strict = try bench.cas("checkout", "t", "plain/strict", "--strict", "-q")
        #expect(strict.status == 1 && strict.stderr.contains("cannot set the attribute"), "\(strict)")
        // Without the right to give files away; nobody runs what was root's as root's then.
        try bench.shell("chown -R 65534 store; chmod 755 . store")
        let other = try bench.runner(
            "sh", "-c", "\(Self.nobody) volt-cas checkout t plain/other --owners --store store -q")
        #expect(other.status == 2, "\(other)")
        for text in ["cannot set the owner of 'x'", "null is left out"] {
            #expect(other.stderr.contains(text), "\(other.stderr)")
        }
        #expect(
            try bench.shell("stat -c '%a %u' plain/other/able; ls plain/other") == "755 65534\nable\nx\nz\n")
    }
}
