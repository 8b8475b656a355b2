import Testing
import VoltCore
import VoltStore
import VoltSystem
import VoltTestKit

@Suite(.serialized, .enabled(if: HostPaths.runsAsRoot, "mounts need root")) struct MountTests {
    private let bench: Bench

    init() throws { bench = try Bench() }

    private func add(_ source: String, tag: String) throws {
        _ = try bench.open()
        let result = try bench.cas("add-tree", source, "--bare", "--tag", tag, "-q")
        try #require(result.status == 0, "\(result.stderr)")
    }

    /// Runs the body with a tree mounted at `mnt`.
    private func mounted(_ tag: String, _ words: [String] = [], body: () throws -> Void) throws {
        try bench.shell("mkdir -p mnt")
        let result = try bench.runner.run(["volt-cas", "mount", tag, "mnt", "--store", bench.store] + words)
        try #require(result.status == 0, "\(result.stderr)")
        defer { _ = try? bench.shell("umount -l mnt 2> /dev/null || :") }
        try body()
    }

    /// The sizes of directories are those of the file system; all else is the tree's.
    private func listing(_ directory: String) throws -> String {
        try bench.shell(
            """
            cd \(directory); find . ! -type d -printf '%P %y %m %U:%G %T@ %s %n %l\\n' | sort
            find . -type d -printf '%P %m %U:%G %T@ %n\\n' | sort; find . -type f -exec sha256sum {} + | sort
            getfattr -dhR -m - . | grep -v '^$' | sort
            """)
    }

    @Test("a mounted tree is the directory that it was made of")
    func same() throws {
        try bench.shell(
            """
            mkdir -p src/many src/long src/deep/a/b/c/d src/-first; cd src
            for i in $(seq 3000); do echo $i > many/file-number-$i; done
            for i in 1 2 3; do n=$(printf "%0250d" $i); ln -s $n long/$n; mkdir long/d$n$(:) 2> /dev/null || :; done
            ln -s $(printf '%04090d' 7) long/target; : > '!before' ; : > .hidden; : > '..dots'; : > '-'
            echo x > deep/a/b/c/d/x; ln deep/a/b/c/d/x deep/again; ln deep/again ./-first/third
            mkfifo pipe; mknod null c 1 3; mknod disk b 259 1048575; printf y > "$(printf 'n\\377')"
            truncate -s 300M huge; head -c 100000 /dev/urandom > data; chmod 4711 data; chown 70000:70001 data
            setfattr -n user.text -v value data; setfattr -n user.dir -v x many
            cp /bin/true able; setfattr -n security.capability -v 0x0100000200040000000000000000000000000000 able
            touch -d '1960-01-01 00:00:00.5' data; chmod 2775 many; touch -d '2001-01-01' many .
            """)
        try add("src", tag: "t")
        try bench.shell("fsck.erofs store/cache/*.erofs")
        try mounted("t") { () throws -> Void in
            #expect(try listing("src") == listing("mnt"))
            #expect(try bench.shell("stat -c '%t:%T' mnt/disk mnt/null") == "103:fffff\n1:3\n")
            #expect(try bench.runner("sh", "-c", "echo x > mnt/new").status != 0)
            let again = try bench.cas("mount", "t", "mnt")
            #expect(again.status == 4 && again.stderr.contains("volt cas umount"), "\(again.stderr)")
            // It is kept while it is mounted, without a tag too.
            #expect(try bench.cas("untag", "t").status == 0)
            #expect(try bench.cas("gc", "--grace", "0s").status == 0)
            #expect(try listing("src") == listing("mnt"))
        }
        let image = try bench.shell("ls store/cache/*.erofs")
        #expect(!image.isEmpty)
        _ = try bench.cas("umount", "mnt")
        #expect(try bench.cas("lease", "ls", "-o", "json").stdout.contains("holder") == false)
        #expect(try bench.cas("gc", "--grace", "0s").stdout.hasSuffix("kept 0\n"))
        #expect(try bench.shell("ls store/cache") == bench.shell("ls store/cache | grep scan"))
    }

    @Test("changes go to the upper directory, and the store stays as it is")
    func upper() throws {
        try bench.shell("mkdir src; echo old > src/file; echo gone > src/gone")
        try add("src", tag: "t")
        try mounted("t", ["--upper", "\(bench.path)/up", "--volatile"]) { () throws -> Void in
            try bench.shell("echo new >> mnt/file; rm mnt/gone; echo x > mnt/x; cat mnt/file")
            #expect(try bench.shell("cat mnt/file; ls mnt") == "old\nnew\nfile\nx\n")
            #expect(try bench.cas("umount", "mnt").status == 0)
        }
        #expect(try bench.cas("verify", "--read-data", "-q").status == 0)
        #expect(try bench.shell("ls up/upper") == "file\ngone\nx\n")
    }

    @Test("two mounted trees that share a file share its pages in memory")
    func pages() throws {
        try bench.shell(
            "mkdir one two; head -c 8000000 /dev/urandom > one/big; cp one/big two/other; echo 1 > one/1; echo 2 > two/2"
        )
        try add("one", tag: "one")
        try add("two", tag: "two")
        try bench.shell("mkdir mnt2; volt-cas mount two mnt2 --store store")
        defer { _ = try? bench.shell("umount -l mnt2") }
        try mounted("one") { () throws -> Void in
            // One object of that size for both, whose pages are the ones that are read through either mount.
            let object = try bench.shell("find store/objects -size +7000k").split(separator: "\n")
            #expect(object.count == 1)
            let resident = "fincore -bno RES '\(object[0])' | tr -d ' '"
            try bench.shell("sync; dd if='\(object[0])' iflag=nocache count=0 status=none")
            #expect(try bench.shell(resident) == "0\n")
            try bench.shell("head -c 4000000 mnt/big > /dev/null")
            let first = Int(try bench.shell(resident).dropLast()) ?? 0
            #expect(first >= 4_000_000)
            try bench.shell("cat mnt2/other > /dev/null")
            let both = Int(try bench.shell(resident).dropLast()) ?? 0
            #expect(both >= 8_000_000)
        }
    }

    @Test("what cannot be mounted is said, with what to do")
    func refused() throws {
        try bench.shell("mkdir src mnt; echo x > src/x")
        #expect(try bench.cas("init").status == 0)
        #expect(try bench.cas("add-tree", "src", "--tag", "packed", "-q").status == 0)
        let packed = try bench.cas("mount", "packed", "mnt")
        #expect(packed.status == 1 && packed.stderr.contains("add the tree with --bare"), "\(packed.stderr)")
        try add("src", tag: "bare")
        #expect(try bench.cas("mount", "bare", "nowhere").status == 3)
        #expect(try bench.cas("umount", "mnt").status == 3)
        #expect(try bench.cas("mount", "none", "mnt").status == 3)
        #expect(try bench.cas("lease", "ls", "-o", "json").stdout.contains("holder") == false)
    }

    @Test("a tree that was made by somebody else says nothing to overlayfs, and a name of nothing is refused")
    func hostile() throws {
        let store = try bench.open()
        try bench.shell("mkdir src mnt; echo secret > src/secret; printf x > src/x")
        try add("src", tag: "src")
        let secret = try bench.shell("sha256sum < src/secret").prefix(64)
        let x =
            [
                0x2d, 0x71, 0x16, 0x42, 0xb7, 0x26, 0xb0, 0x44, 0x01, 0x62, 0x7c, 0xa9, 0xfb, 0xac, 0x32,
                0xf5, 0xc8, 0x53, 0x0f, 0xb1, 0x90, 0x3c, 0xc4, 0xdb, 0x02, 0x25, 0x87, 0x17, 0x92, 0x1a,
                0x48, 0x81,
            ] as [UInt8]
        func text(_ text: String) -> [UInt8] { [UInt8(text.utf8.count)] + Array(text.utf8) }
        func record(_ bytes: [UInt8]) -> [UInt8] {
            let count = bytes.count
            return (count < 128 ? [UInt8(count)] : [UInt8(count & 0x7f) | 0x80, UInt8(count >> 7)]) + bytes
        }
        let begin = Array("VOLTTREE".utf8) + [1] + record([1, 0, 0xed, 3, 0, 0, 0, 0, 0])
        let redirect = text("trusted.overlay.redirect") + text("/\(secret.prefix(2))/\(secret.dropFirst(2))")
        let file = record([2] + text("a") + [0xa4, 3, 0, 0, 0, 0, 1] + redirect + [1] + x)
        try Files.replace("\(bench.path)/tree", with: begin + file + [1, 0])
        let tree = try store.put(file: "\(bench.path)/tree").digest
        #expect(try bench.cas("tag", "\(tree)", "hostile", "--tree").status == 0)
        try mounted("hostile") { () throws -> Void in
            #expect(try bench.shell("cat mnt/a") == "x")
        }
        _ = try bench.cas("umount", "mnt")
        try bench.shell("volt-cas checkout hostile out --store store -q")
        #expect(try bench.shell("cat out/a; getfattr -m - out/a") == "x")
        let name = record([4] + text("b") + text("nowhere"))
        try Files.replace("\(bench.path)/tree", with: begin + file + name + [1, 0])
        let other = try store.put(file: "\(bench.path)/tree").digest
        let mount = try bench.cas("mount", "\(other)", "mnt")
        #expect(mount.status == 1 && mount.stderr.contains("is not a file that comes before it"), "\(mount)")
        #expect(try bench.cas("checkout", "\(other)", "out2", "-q").status != 0)
    }

    @Test("a checkout shares the blocks of whole files where the file system can")
    func reflink() throws {
        try bench.shell(
            """
            truncate -s 200M image; mkfs.btrfs -q image; mkdir disk; mount -o loop image disk
            volt-cas init --store disk/store > /dev/null; mkdir src; head -c 20000000 /dev/urandom > src/big; echo small > src/small
            """)
        defer { _ = try? bench.shell("umount -l disk") }
        try bench.shell(
            """
            volt-cas add-tree src --bare --tag t --store disk/store -q; sync -f disk
            df --output=used -B1 disk | tail -1 > before; volt-cas checkout t disk/out --store disk/store -q
            sync -f disk; df --output=used -B1 disk | tail -1 > after; diff -r src disk/out
            test $(( $(cat after) - $(cat before) )) -lt 4000000
            """)
        // A damaged file does not come out, shared or not.
        try bench.shell(
            """
            f=$(find disk/store/objects -size +10M); chmod u+w $f; printf x | dd of=$f bs=1 seek=5000000 conv=notrunc status=none
            ! volt-cas checkout t disk/out2 --store disk/store -q 2> error; grep -q damaged error
            """)
    }
}
