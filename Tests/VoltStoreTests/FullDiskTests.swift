import Testing
import VoltCore
import VoltStore
import VoltSystem
import VoltTestKit

/// Disks without room, hosts that lack something, and stores that nobody can write to.
@Suite(.serialized, .enabled(if: HostPaths.runsAsRoot, "file systems need root")) struct FullDiskTests {
    private let bench: Bench

    init() throws { bench = try Bench() }

    /// A file system of ext4, on which every file and directory needs room, with a store.
    private func withDisk(_ body: () throws -> Void) throws {
        try bench.shell(
            """
            truncate -s 16M image; mkfs.ext4 -q -m 0 -O ^has_journal image; mkdir disk; mount -o loop image disk
            volt-cas init --store disk/store > /dev/null
            """)
        defer { _ = try? bench.shell("umount -l disk") }
        try body()
    }

    @Test("gc on a full disk removes the packs that nothing needs, and then has room for the rest")
    func collect() throws {
        try withDisk { () throws -> Void in
            try bench.shell(
                """
                head -c 2000000 /dev/urandom > dead; mkdir kept; head -c 300000 /dev/urandom > kept/a; head -c 900000 /dev/urandom > kept/b
                volt-cas put dead --store disk/store > /dev/null; volt-cas add-tree kept --tag kept --store disk/store -q
                mkdir one; cp kept/a one; volt-cas add-tree one --tag one --store disk/store -q
                cat /dev/urandom > disk/fill 2> /dev/null || :; i=0; while mkdir disk/d$i 2> /dev/null; do i=$((i + 1)); done
                """)
            let full = try bench.runner("volt-cas", "put", "kept/a", "--tag", "x", "--store", "disk/store")
            #expect(full.status == 74 && full.stderr.contains("no space left on device"), "\(full)")
            // A full disk is no damage.
            let verify = try bench.runner("volt-cas", "verify", "--read-data", "--store", "disk/store", "-q")
            #expect(verify.status == 0, "\(verify)")
            let gc = try bench.runner(
                "volt-cas", "gc", "--grace", "0s", "--store", "disk/store", "-o", "json")
            #expect(gc.status == 0, "\(gc)")
            #expect(try bench.shell("ls disk/store/packs | wc -l") == "2\n")
            #expect(
                try bench.runner("volt-cas", "verify", "--read-data", "--store", "disk/store", "-q").status
                    == 0)
            try bench.shell("volt-cas checkout kept out --store disk/store -q; diff -r kept out")
        }
    }

    @Test(
        "a pack that is gone before the index speaks of it no more is no damage, and what it had can be put there again"
    )
    func goneFirst() throws {
        let store = try bench.open()
        try bench.shell("head -c 300000 /dev/urandom > dead; head -c 300000 /dev/urandom > kept")
        let dead = try store.put(file: "\(bench.path)/dead").digest
        _ = try store.put(file: "\(bench.path)/kept", tag: "kept")
        let first = try bench.shell("ls -tr store/packs | head -1").dropLast()
        // As a 'gc' leaves it that is killed on a full disk.
        try bench.shell("rm store/packs/\(first)")
        #expect(try !store.has(dead))
        #expect(throws: VoltError.self) { try store.setTag("dead", to: dead, kind: .blob) }
        #expect(try store.verify(.reading).isSound)
        #expect(try store.put(file: "\(bench.path)/dead", tag: "dead").digest == dead)
        try store.get(dead, to: "\(bench.path)/out")
        try bench.shell(
            "cmp dead out; for i in 1 2 3 4 5 6; do head -c 1000 /dev/urandom | volt-cas put - --tag t$i --store store > /dev/null; done"
        )
        try store.get(dead, to: "\(bench.path)/out")
        _ = try store.collectGarbage(grace: .zero)
        #expect(try store.verify(.reading).isSound && store.has(dead))
    }

    @Test("too few descriptors are named as such, and are no damage")
    func descriptors() throws {
        _ = try bench.open()
        try bench.shell(
            "mkdir src; for i in $(seq 12); do head -c 1000 /dev/urandom | volt-cas put - --tag t$i --store store > /dev/null; done"
        )
        let result = try bench.runner(
            "sh", "-c", "ulimit -n 24; volt-cas verify --read-data --store store -q")
        #expect(result.status == 74 || result.status == 0, "\(result)")
        #expect(!result.stdout.contains("damaged "), "\(result)")
    }

    @Test("a store that is mounted read-only is read, checked, served and mounted")
    func readOnly() throws {
        let store = try bench.open()
        try bench.shell(
            """
            mkdir -p src/d mnt ro; echo x > src/d/x; head -c 200000 /dev/urandom > src/y; volt-cas init --store other > /dev/null
            volt-cas add-tree src --bare --tag t --store store -q; volt-cas add-tree src --tag packed --store store -q; rm -f store/cache/* store/locks/gc
            mount --bind store ro; mount -o remount,bind,ro ro
            """)
        defer { _ = try? bench.shell("umount -l mnt 2> /dev/null; umount -l ro") }
        func cas(_ words: String...) throws -> ToolRunner.Result {
            try bench.runner.run(["volt-cas"] + words + ["--store", "ro"])
        }
        for words in [
            ["verify", "-q"], ["verify", "--read-data", "-q"], ["gc", "--dry-run"], ["ls", "t"], ["tags"],
            ["stats"],
            ["cat", "t:d/x"], ["diff", "t", "packed"], ["export", "t", "--to", "layout", "-q"],
            ["lease", "ls"],
            ["checkout", "t", "out", "-q"],
        ] {
            let result = try bench.runner.run(["volt-cas"] + words + ["--store", "ro"])
            #expect(result.status == 0, "\(words): \(result)")
            if words[0] == "verify" { #expect(result.stderr.contains("is read-only"), "\(result)") }
        }
        #expect(
            try bench.runner("volt-cas", "pull", "\(bench.path)/ro", "t", "--store", "other", "-q").status
                == 0)
        let mount = try cas("mount", "t", "mnt")
        #expect(mount.status == 0 && mount.stderr.contains("is read-only"), "\(mount)")
        #expect(try bench.shell("cat mnt/d/x; cmp src/y mnt/y") == "x\n")
        #expect(try cas("mount", "t", "mnt").status == 4)
        #expect(try cas("umount", "mnt").status == 0)
        #expect(try bench.shell("ls mnt; ls root/run/cas 2> /dev/null || :") == "")
        for words in [
            ["put", "src/y"], ["tag", "t", "u"], ["untag", "t"], ["gc"], ["lease", "take", "t"],
            ["verify", "--quarantine", "-q"],
            ["add-tree", "src"],
        ] {
            let result = try bench.runner.run(["volt-cas"] + words + ["--store", "ro"])
            #expect(result.status == 5 && result.stderr.contains("read-only"), "\(words): \(result)")
        }
        #expect(try store.verify(.reading).isSound)
    }
}
