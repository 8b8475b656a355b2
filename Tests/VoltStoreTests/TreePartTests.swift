import Testing
import VoltCore
import VoltStore
import VoltSystem
import VoltTestKit

/// `TREE:PATH`.
@Suite(.serialized) struct TreePartTests {
    private let bench: Bench

    init() throws {
        bench = try Bench()
        _ = try bench.open()
        try bench.shell(
            """
            mkdir -p src/etc/nginx/sites src/usr; echo conf > src/etc/nginx/nginx.conf; echo a > src/etc/nginx/sites/a
            ln src/etc/nginx/sites/a src/etc/nginx/sites/b; echo shared > src/aaa; ln src/aaa src/etc/nginx/one; ln src/aaa src/etc/nginx/two
            ln -s nginx.conf src/etc/nginx/link; echo u > src/usr/u; chmod 750 src/etc/nginx; touch -d '2001-01-01' src/etc/nginx
            volt-cas add-tree src --tag images/site:1 --bare --store store -q
            """)
    }

    @Test("a directory of a tree is listed, compared and written as a tree of its own")
    func directory() throws {
        let list = try bench.cas("ls", "images/site:1:etc/nginx/")
        #expect(list.status == 0, "\(list)")
        let names = list.stdout.split(separator: "\n").compactMap {
            $0.split(separator: " ").dropFirst(3).first
        }
        #expect(
            names.map(String.init) == [
                ".", "link", "nginx.conf", "one", "sites", "sites/a", "sites/b", "two",
            ])
        #expect(list.stdout.contains("two -> one") && list.stdout.contains("sites/b -> sites/a"))
        #expect(try bench.cas("checkout", "images/site:1:/etc/nginx", "out", "-q").status == 0)
        #expect(
            try bench.shell("cd out; find . | sort; stat -c '%a %Y' .; stat -c %h one sites/a; cat two")
                == bench.shell(
                    "cd src/etc/nginx; find . | sort; stat -c '%a %Y' .; printf '2\\n2\\n'; cat two"))
        // A change in the part only.
        try bench.shell(
            "echo new > src/etc/nginx/new; echo v > src/usr/u; volt-cas add-tree src --tag next --store store -q"
        )
        let difference = try bench.cas("diff", "images/site:1:etc/nginx", "next:etc/nginx", "--ignore-times")
        #expect(difference.status == 1 && difference.stdout == "+ new\n", "\(difference)")
        #expect(try bench.cas("diff", "images/site:1:etc", "images/site:1:etc").status == 0)
        // --delete removes what the part does not have, and no more.
        try bench.shell("echo extra > out/extra")
        #expect(try bench.cas("checkout", "next:etc/nginx", "out", "--merge", "--delete", "-q").status == 0)
        #expect(try bench.shell("ls out") == "link\nnew\nnginx.conf\none\nsites\ntwo\n")
    }

    @Test("a file of a tree is listed and written alone")
    func file() throws {
        let list = try bench.cas("ls", "images/site:1:etc/nginx/one")
        #expect(list.stdout.split(separator: "\n").count == 1 && list.stdout.hasSuffix("  one\n"), "\(list)")
        try bench.shell("mkdir -m 711 there; echo old > there/old; echo old > there/a")
        #expect(try bench.cas("checkout", "images/site:1:etc/nginx/sites/b", "alone", "-q").status == 0)
        #expect(try bench.shell("ls alone; cat alone/b; stat -c %a alone") == "b\na\n755\n")
        #expect(try bench.cas("checkout", "images/site:1:etc/nginx/sites/a", "there", "-q").status == 4)
        #expect(
            try bench.cas("checkout", "images/site:1:etc/nginx/sites/a", "there", "--merge", "-q").status == 0
        )
        #expect(try bench.shell("cat there/a there/old; stat -c %a there") == "a\nold\n711\n")
        let delete = try bench.cas("checkout", "images/site:1:aaa", "there", "--merge", "--delete", "-q")
        #expect(delete.status == 64 && delete.stderr.contains("--delete"), "\(delete)")
        for words in [
            ["ls", "images/site:1:nope"], ["checkout", "images/site:1:nope", "none"], ["ls", "nope:etc"],
        ] {
            #expect(
                try bench.runner.run(["volt-cas"] + words + ["--store", "store"]).status == 3, "\(words)")
        }
        #expect(try bench.cas("cat", "images/site:1:etc/nginx/two").stdout == "shared\n")
    }

    @Test("a directory of a tree is mounted", .enabled(if: HostPaths.runsAsRoot))
    func mount() throws {
        try bench.shell("mkdir mnt")
        let mount = try bench.cas("mount", "images/site:1:etc/nginx", "mnt")
        #expect(mount.status == 0, "\(mount)")
        defer { _ = try? bench.shell("umount -l mnt 2> /dev/null || :") }
        #expect(
            try bench.shell("cd mnt; find . | sort; cat one two sites/b; stat -c %h one")
                == bench.shell("cd src/etc/nginx; find . | sort; cat one two sites/b; echo 2"))
        #expect(try bench.cas("umount", "mnt").status == 0)
        #expect(try bench.cas("mount", "images/site:1:usr", "mnt").status == 0)
        #expect(try bench.shell("ls mnt") == "u\n")
        #expect(try bench.cas("umount", "mnt").status == 0)
        #expect(try bench.cas("mount", "images/site:1:aaa", "mnt").status == 64)
    }
}
