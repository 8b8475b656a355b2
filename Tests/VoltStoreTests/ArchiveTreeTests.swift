import Testing
import VoltCore
import VoltStore
import VoltSystem
import VoltTestKit

/// Trees that come as tar archives.
@Suite struct ArchiveTreeTests {
    private let bench: Bench

    init() throws {
        bench = try Bench()
        _ = try bench.open()
    }

    @Test(
        "an archive is the tree of the directory that it was made of, packed and bare",
        .enabled(if: HostPaths.runsAsRoot, "owners and devices need root"),
        arguments: ["", "-z", "-J", "--zstd"])
    func same(compression: String) throws {
        try bench.shell(
            """
            mkdir -p src/d/e; echo x > src/d/x; ln src/d/x src/hard; ln -s /nowhere src/link; mkfifo src/pipe; mknod src/null c 1 3
            printf y > "$(printf 'src/n\\377')"; truncate -s 5M src/holes; echo z >> src/holes; chown 7:8 src/d; chmod 4755 src/hard
            : > src/.wh.kept; setfattr -n user.x -v y src/d/x; touch -d '2001-02-03 04:05:06.789' src/d/e src
            tar \(compression) --format=posix --xattrs --sparse -C src -cf archive .
            """)
        let expected = try bench.cas("add-tree", "src", "-q").stdout
        #expect(try bench.cas("add-tree", "archive", "-q").stdout == expected)
        let piped = try bench.runner.run([
            "sh", "-euc", "cat archive | volt-cas add-tree - --bare --tag t --store store -q",
        ])
        #expect(piped.stdout == expected, "\(piped)")
        try bench.shell("volt-cas checkout t out --store store -q")
        #expect(try bench.listing("src") == bench.listing("out"))
        #expect(try bench.cas("verify", "--read-data", "-q").status == 0)
        #expect(try Files.list("\(bench.store)/sessions") == [])
    }

    @Test("directories that an archive does not name are the same each time")
    func implied() throws {
        try bench.shell("mkdir -p src/a/b; echo x > src/a/b/x; tar -C src -cf archive a/b/x")
        let words = ["add-tree", "archive", "-q", "--owner", "0:0", "--store", bench.store]
        let first = try bench.runner.run(["volt-cas"] + words).stdout
        try bench.shell("sleep 0.01")
        let second = try bench.runner.run(["volt-cas"] + words).stdout
        #expect(!first.isEmpty && first == second)
    }

    @Test(
        "an archive that leads out of its tree, or is cut off, is refused and leaves nothing",
        arguments: [
            ("../out", "x", 5), ("/absolute", "x", 5), ("a/../../out", "x", 5),
            ("hard", "../../etc/passwd", 5),
            ("through", "", 5), ("cut", "", 1), ("noise", "", 1), ("empty", "", 1),
        ])
    func hostile(name: String, target: String, status: Int32) throws {
        try bench.shell(
            """
            cat > make.py <<'X'
            import io, os, sys, tarfile
            name, target = sys.argv[1:]
            if name == "noise": open("archive", "wb").write(os.urandom(5000)); sys.exit()
            if name == "empty": open("archive", "wb").write(bytes(10240)); sys.exit()
            t = tarfile.open("archive", "w")
            def file(name, data=b"x"):
                i = tarfile.TarInfo(name); i.size = len(data); t.addfile(i, io.BytesIO(data))
            def link(name, to, type):
                i = tarfile.TarInfo(name); i.type = type; i.linkname = to; t.addfile(i)
            if name == "hard": link("hard", target, tarfile.LNKTYPE)
            elif name == "through": link("d", "\(bench.path)", tarfile.SYMTYPE); file("d/out")
            elif name == "cut": file("big", bytes(100000))
            else: file(name)
            t.close()
            if name == "cut": os.truncate("archive", 50000)
            X
            python3 make.py '\(name)' '\(target)'
            """)
        let result = try bench.cas("add-tree", "archive", "--owner", "0:0", "--tag", "t", "-q")
        #expect(result.status == status && result.stderr.contains("volt-cas: error:"), "\(result)")
        #expect(!Files.exists("\(bench.path)/out") && !Files.exists("/absolute"))
        #expect(try bench.cas("tags", "-o", "json").stdout.contains("name") == false)
        #expect(try Files.list("\(bench.store)/sessions") == [])
    }
}
