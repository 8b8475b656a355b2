import Glibc
import Testing
import VoltCore
import VoltSystem
import VoltTestKit

@testable import VoltStore

/// The limits of a tree: the same for who writes one and who reads one.
@Suite struct LimitTests {
    private let bench: Bench

    init() throws { bench = try Bench() }

    /// An entry at a limit, and the one that is over it.
    struct Edge: Sendable, CustomTestStringConvertible {
        let name: String
        let at: TreeEntry
        let over: TreeEntry
        var testDescription: String { name }
    }

    private static func entry(
        _ kind: TreeEntry.Kind = .pipe, name: Int = 1, _ change: (inout TreeEntry) -> Void = { _ in }
    )
        -> TreeEntry
    {
        var entry = TreeEntry(name: [UInt8](repeating: 97, count: name), kind: kind)
        change(&entry)
        return entry
    }

    /// - Parameter values: the bytes of each value.
    private static func attributes(_ count: Int, name: Int = 10, values: [Int] = []) -> [TreeEntry.Attribute]
    {
        (0..<count).map { index in
            let digits = Array("\(10_000 + index)".utf8)
            let prefix = Array("user.".utf8)
            let padding = [UInt8](repeating: 120, count: max(0, name - prefix.count - digits.count))
            let size = index < values.count ? values[index] : 1
            return .init(name: prefix + digits + padding, value: [UInt8](repeating: 1, count: size))
        }
    }

    static var edges: [Edge] {
        let file = TreeEntry.Kind.file(size: 1, digest: .zero)
        func target(_ count: Int) -> [UInt8] { [UInt8](repeating: 97, count: count) }
        // A record of one MiB less what else is in it.
        let whole = TreeFormat.longest
        let values = [Int](repeating: 65536, count: 15)
        let used = TreeBytes.record(entry { $0.extended = attributes(16, values: values + [20_000]) }).count
        let last = 20_000 + whole - used
        return [
            Edge(name: "name", at: entry(name: 255), over: entry(name: 256)),
            Edge(name: "mode", at: entry { $0.mode = 0o7777 }, over: entry { $0.mode = 0o10000 }),
            Edge(
                name: "nanoseconds", at: entry { $0.nanoseconds = 999_999_999 },
                over: entry { $0.nanoseconds = 1_000_000_000 }),
            Edge(
                name: "attributes", at: entry { $0.extended = attributes(1024) },
                over: entry { $0.extended = attributes(1025) }),
            Edge(
                name: "name of an attribute", at: entry { $0.extended = attributes(1, name: 255) },
                over: entry { $0.extended = attributes(1, name: 256) }),
            Edge(
                name: "value of an attribute", at: entry { $0.extended = attributes(1, values: [65536]) },
                over: entry { $0.extended = attributes(1, values: [65537]) }),
            Edge(
                name: "attributes together",
                at: entry { $0.extended = attributes(16, values: values + [last]) },
                over: entry { $0.extended = attributes(16, values: values + [last + 1]) }),
            Edge(name: "target", at: entry(.link(target(4095))), over: entry(.link(target(4096)))),
            Edge(name: "no target", at: entry(.link(target(1))), over: entry(.link([]))),
            Edge(
                name: "size", at: entry(.file(size: UInt64(Int64.max), digest: .zero)),
                over: entry(.file(size: 1 << 63, digest: .zero))),
            Edge(
                name: "major", at: entry(.blockDevice(major: 0xfff, minor: 1)),
                over: entry(.blockDevice(major: 0x1000, minor: 1))),
            Edge(
                name: "minor", at: entry(.characterDevice(major: 1, minor: 0xfffff)),
                over: entry(.characterDevice(major: 1, minor: 0x100000))),
            Edge(name: "any file", at: entry(file), over: entry(file, name: 256)),
        ]
    }

    private func isTree(_ bytes: [UInt8]) -> Bool {
        ForeignBytes.rewrittenTree(bytes, inPartsOf: 4099) == bytes
    }

    @Test(
        "what the writer of a tree takes its readers take, and what is over a limit neither", arguments: edges
    )
    func edge(_ edge: Edge) throws {
        for (entry, isFine) in [(edge.at, true), (edge.over, false)] {
            var writer = ByteWriter()
            var scratch = ByteWriter()
            var isWritten = true
            do throws(FormatError) { try TreeFormat.write(entry, to: &writer, scratch: &scratch) } catch {
                isWritten = false
            }
            #expect(isWritten == isFine, "written")
            var tree = TreeBytes()
            tree.add(entry)
            #expect(isTree(tree.finished) == isFine, "read")
        }
    }

    @Test("directories in each other and paths have limits, which any part of a tree may reach")
    func depth() throws {
        func nested(_ count: Int, name: String = "a", file: String? = nil) -> [UInt8] {
            var tree = TreeBytes()
            for _ in 0..<count { tree.add(name, .directory) }
            if let file { tree.add(file, .pipe) }
            for _ in 0..<count { tree.end() }
            return tree.finished
        }
        #expect(isTree(nested(2047)))
        #expect(!isTree(nested(2048)))
        // 15 names of 255 bytes with slashes are 3839 bytes and a slash: 255 are left.
        let long = String(repeating: "x", count: 255)
        #expect(isTree(nested(15, name: long, file: long)))
        #expect(!isTree(nested(16, name: long, file: "y")))
        #expect(isTree(nested(2047, file: "y")))
        #expect(!isTree(nested(2047, file: "yy")))
    }

    /// A store and sources on a file system that takes any attributes.
    private func onTmpfs(_ body: () throws -> Void) throws {
        try bench.shell(
            "mkdir mem; mount -t tmpfs -o size=512M none mem; volt-cas init --store mem/store > /dev/null")
        defer { _ = try? bench.shell("umount -l mem") }
        try bench.shell(
            """
            cat > mem/make.py <<'X'
            import io, os, sys, tarfile
            kind, count, size = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
            if kind == "attributes":
                os.makedirs("src/d"); open("src/d/file", "w").write("x")
                for i in range(count): os.setxattr("src/d/file", f"user.{i}", b"v" * size)
            elif kind == "depth":
                os.mkdir("src"); os.chdir("src")
                for i in range(count): os.mkdir("a"); os.chdir("a")
            else:
                t = tarfile.open("src", "w", format=tarfile.PAX_FORMAT); i = tarfile.TarInfo("file"); i.size = 1
                i.pax_headers = {f"SCHILY.xattr.user.{n}": "v" * size for n in range(count)}
                t.addfile(i, io.BytesIO(b"x")); t.close()
            X
            """)
        try body()
    }

    private func run(_ words: String) throws -> ToolRunner.Result {
        try bench.runner.run(["sh", "-c", "cd mem; exec volt-cas \(words) --store store"])
    }

    @Test(
        "what add-tree acknowledges comes out again, and what no reader would take is refused by its name and tags nothing",
        .enabled(if: HostPaths.runsAsRoot, "mounts need root"),
        arguments: [
            ("attributes", 1024, 1, 0), ("attributes", 1025, 1, 5), ("attributes", 15, 65536, 0),
            ("attributes", 17, 65536, 5), ("depth", 2047, 0, 0), ("depth", 2048, 0, 5), ("tar", 1024, 1, 0),
            ("tar", 1025, 1, 5), ("tar", 1, 65537, 5),
        ])
    func acknowledged(kind: String, count: Int, size: Int, status: Int32) throws {
        try onTmpfs { () throws -> Void in
            try bench.shell("cd mem; python3 make.py \(kind) \(count) \(size)")
            let result = try run("add-tree src --strict --owner 0:0 --tag t")
            #expect(result.status == status, "\(result)")
            #expect(try run("gc --grace 0s").status == 0)
            #expect(try run("verify --read-data").status == 0)
            guard status == 0 else {
                #expect(
                    result.stderr.contains("file' ") || result.stderr.contains("in each other"), "\(result)")
                return #expect(try run("cat t").status == 3)
            }
            try #require(try run("checkout t out").status == 0)
            if kind != "tar" {
                #expect(
                    try bench.shell(
                        "cd mem; for d in src out; do (cd $d; getfattr -dR -m - . | sort | sha256sum; find . | wc -l); done | sort | uniq -c | awk '{print $1}'"
                    )
                        == "2\n2\n")
            }
        }
    }

    @Test(
        "a tree that cannot be mounted is not acknowledged as bare",
        .enabled(if: HostPaths.runsAsRoot, "mounts need root"))
    func bare() throws {
        try onTmpfs { () throws -> Void in
            for (count, size, status) in [(4, 65000, 0), (5, 65000, 5), (1, 65536, 5)] as [(Int, Int, Int32)]
            {
                try bench.shell("cd mem; rm -rf src; python3 make.py attributes \(count) \(size)")
                let result = try run("add-tree src --bare --tag t\(count)")
                #expect(result.status == status, "\(count) of \(size): \(result)")
                if status != 0 { #expect(result.stderr.contains("cannot be mounted"), "\(result)") }
            }
            #expect(try bench.shell("volt-cas tags --store mem/store | wc -l") == "2\n")
        }
    }

    // MARK: Trees of an older version that nobody reads

    /// A tree that names a blob which nothing else needs.
    private func unreadable(_ blob: Digest, _ what: String) -> [UInt8] {
        var tree = TreeBytes()
        if what == "attributes" {
            tree.add(Self.entry { $0.extended = Self.attributes(1025) })
        }
        if what == "depth" { for _ in 0..<2048 { tree.add("a", .directory) } }
        tree.add("file", .file(size: 2, digest: BinaryDigest(blob)))
        if what == "depth" { for _ in 0..<2048 { tree.end() } }
        if what == "noise" { return [1, 2, 3] + BinaryDigest(blob).withBytes { Array($0) } }
        return tree.finished
    }

    @Test(
        "a tree that cannot be read is named, keeps all that it may need, and stops nothing else",
        arguments: ["attributes", "depth", "noise"], Representation.allCases)
    func oneBadTree(what: String, form: Representation) throws {
        let store = try bench.open()
        func put(_ text: String, tag: String? = nil) throws -> Digest {
            try Files.replace("\(bench.path)/in", with: Array("\(text)\n".utf8))
            return try store.put(file: "\(bench.path)/in", representation: form, tag: tag).digest
        }
        let needed = try put("1")
        let good = try put("good", tag: "good")
        try Files.replace("\(bench.path)/in", with: unreadable(needed, what))
        let bad = try store.put(file: "\(bench.path)/in", representation: form).digest
        try store.setTag("bad", to: bad, kind: .tree)
        let garbage = try put("garbage")
        let collected = try bench.cas("gc", "--grace", "0s")
        #expect(collected.status == 2 && collected.stdout.contains("removed 1 blobs"), "\(collected)")
        #expect(collected.stderr.contains("tag 'bad' cannot be read"), "\(collected)")
        #expect(try store.has(needed))
        #expect(try store.has(good))
        #expect(try !store.has(garbage))
        let verified = try bench.cas("verify", "--read-data", "-q")
        #expect(verified.status == 1 && verified.stdout.contains("tag 'bad'"), "\(verified)")
        #expect(verified.stdout.contains("1 damaged, 0 missing"), "\(verified)")
        let counted = try bench.cas("stats", "-o", "json")
        #expect(counted.status == 2 && counted.stdout.contains("\"tags\" : 2"), "\(counted)")
        #expect(try bench.cas("untag", "bad").status == 0)
        let after = try bench.cas("gc", "--grace", "0s")
        #expect(after.status == 0 && after.stdout.contains("removed 2 blobs"), "\(after)")
        #expect(try store.has(needed) == false)
        #expect(try bench.cas("verify", "--read-data", "-q").status == 0)
    }

    @Test(
        "of a tree whose bytes are not right nobody knows what it needs: nothing is removed, and the others are checked"
    )
    func damagedTree() throws {
        let store = try bench.open()
        try bench.shell("mkdir src other; echo x > src/x; echo y > other/y")
        var options = IngestOptions()
        options.representation = .bare
        let tree = try store.addTree("\(bench.path)/src", options: options, tag: "site").digest
        _ = try store.addTree("\(bench.path)/other", tag: "other")
        try bench.shell(
            "f=store/objects/\(tree.hex.prefix(2))/\(tree.hex.dropFirst(2)); chmod u+w $f; printf '\\377' | dd of=$f bs=1 seek=12 conv=notrunc status=none"
        )
        let garbage = try store.put(file: "\(bench.path)/other/y", representation: .bare).digest
        let collected = try bench.cas("gc", "--grace", "0s")
        #expect(
            collected.status == 5 && collected.stderr.contains("tag 'site' cannot be read"), "\(collected)")
        #expect(try store.has(garbage))
        let verified = try bench.cas("verify", "-q")
        #expect(verified.status == 1 && verified.stdout.contains("tag 'site'"), "\(verified)")
        #expect(try bench.cas("untag", "site").status == 0)
        #expect(try bench.cas("gc", "--grace", "0s").status == 0)
    }

    @Test("a tag whose name ends as a file that is being written is one as any other")
    func temporaryNames() throws {
        let store = try bench.open()
        try bench.shell("echo x > x")
        let digest = try store.put(file: "\(bench.path)/x", tag: "notes.tmp").digest
        #expect(try store.tags().map(\.name) == ["notes.tmp"])
        _ = try store.collectGarbage(grace: .zero)
        #expect(try store.has(digest))
        #expect(try bench.cas("put", "\(bench.path)/x", "--tag", "a.1.22.tmp").status == 64)
    }
}
