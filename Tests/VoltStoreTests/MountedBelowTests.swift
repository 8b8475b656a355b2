import Testing
import VoltCore
import VoltStore
import VoltSystem
import VoltTestKit

/// What is mounted below a directory that is written to, and names that are not UTF-8.
@Suite(.serialized, .enabled(if: HostPaths.runsAsRoot, "mounts need root")) struct MountedBelowTests {
    private let bench: Bench

    init() throws { bench = try Bench() }

    private func mounted(_ kind: String, _ places: String..., body: () throws -> Void) throws {
        for place in places {
            try bench.shell(
                kind == "tmpfs"
                    ? "mount -t tmpfs none \(place); echo precious > \(place)/precious"
                    : "mkdir -p host; echo precious > host/precious; mount --bind host \(place)")
        }
        defer { for place in places { _ = try? bench.shell("umount -l \(place)") } }
        try body()
    }

    @Test(
        "a checkout leaves what is mounted below its directory, of another file system or the same, unless asked",
        arguments: ["tmpfs", "bind"])
    func checkout(kind: String) throws {
        try bench.shell(
            """
            mkdir -p src/mnt src/keep more/mnt out/mnt out/extra/deep/mnt; echo x > src/keep/x; echo y > more/mnt/y; echo old > out/old; echo old > out/extra/deep/old
            volt-cas init --store store > /dev/null; volt-cas add-tree src --tag t --store store -q; volt-cas add-tree more --tag more --store store -q
            """)
        try mounted(kind, "out/mnt", "out/extra/deep/mnt") { () throws -> Void in
            let result = try bench.cas("checkout", "t", "out", "--merge", "--delete", "-q")
            #expect(result.status == 0, "\(result)")
            #expect(result.stderr.contains("mnt is a mount point and was left as it is"), "\(result)")
            #expect(
                result.stderr.contains("extra/deep/mnt is a mount point and was left as it is"), "\(result)")
            #expect(
                try bench.shell("cd out; find . -type f | sort")
                    == "./extra/deep/mnt/precious\n./keep/x\n./mnt/precious\n")
            for words in [["--merge"], ["--merge", "--delete"]] {
                let refused = try bench.runner.run(
                    ["volt-cas", "checkout", "more", "out", "--store", "store", "-q"] + words)
                #expect(refused.status == 4 && refused.stderr.contains("--across-mounts"), "\(refused)")
                #expect(try bench.shell("ls out/mnt") == "precious\n")
            }
            // A file in the place of what is mounted.
            try bench.shell(
                "mkdir file; echo f > file/mnt; volt-cas add-tree file --tag file --store store -q")
            let replaced = try bench.cas("checkout", "file", "out", "--merge", "--delete", "-q")
            #expect(replaced.status == 4 && replaced.stderr.contains("unmount it first"), "\(replaced)")
            #expect(try bench.shell("cat out/mnt/precious") == "precious\n")
            #expect(try bench.cas("checkout", "more", "out", "--merge", "--across-mounts", "-q").status == 0)
            #expect(try bench.shell("cat out/mnt/y out/mnt/precious") == "y\nprecious\n")
        }
    }

    @Test(
        "a tree that was taken with --one-file-system is restored in place, and the mounted file system stays"
    )
    func inPlace() throws {
        try bench.shell(
            "mkdir -p live/mnt live/d; echo 1 > live/d/1; volt-cas init --store store > /dev/null")
        try mounted("tmpfs", "live/mnt") { () throws -> Void in
            let added = try bench.cas("add-tree", "live", "--one-file-system", "--tag", "live", "-q")
            #expect(added.status == 0, "\(added)")
            try bench.shell("echo 2 > live/d/1; echo 3 > live/d/3")
            let restored = try bench.cas("checkout", "live", "live", "--merge", "--delete", "-q")
            #expect(restored.status == 0, "\(restored)")
            #expect(try bench.shell("cat live/d/* live/mnt/*") == "1\nprecious\n")
        }
    }

    @Test("names are bytes: one that is not UTF-8 is told from the one that it would be repaired to")
    func names() throws {
        try bench.shell(
            """
            mkdir src out; cd src; mkdir "$(printf '\\357\\277\\275')"; echo good > "$(printf '\\357\\277\\275/x')"
            echo raw > "$(printf 'n\\377')"; echo back > 'a\\xff'; cd ..; mkdir -p "$(printf 'out/\\377')"; echo old > "$(printf 'out/\\377/y')"
            volt-cas init --store store > /dev/null; volt-cas add-tree src --tag t --store store -q
            """)
        #expect(try bench.cas("checkout", "t", "out", "--merge", "--delete", "-q").status == 0)
        #expect(try bench.listing("src") == bench.listing("out"))
        // One form for people and in JSON, from which the bytes can be had.
        let rows = try bench.shell("volt-cas ls t --store store -o json | grep -o '\"path\":\"[^\"]*\"'")
        #expect(
            rows == #"""
                "path":"."
                "path":"a\\x5cxff"
                "path":"n\\xff"
                "path":"\#u{FFFD}"
                "path":"\#u{FFFD}/x"

                """#, "\(rows)")
        #expect(try bench.cas("cat", #"t:n\xff"#).stdout == "raw\n")
        #expect(try bench.cas("cat", #"t:a\x5cxff"#).stdout == "back\n")
        #expect(try bench.cas("add-tree", "src", "--exclude", #"n\xff"#, "--tag", "less", "-q").status == 0)
        #expect(try bench.cas("diff", "t", "less", "--ignore-times").stdout == "- n\\xff\n")
        // An argument would be repaired to the path of another file.
        let bad = try bench.runner.run([
            "sh", "-c",
            "volt-cas checkout t \"$(printf 'x\\377')\" --store store -q; echo $?; ls -d x* 2> /dev/null",
        ])
        #expect(bad.stdout == "64\n" && bad.stderr.contains(#"'x\xff' is not UTF-8"#), "\(bad)")
        let place = try bench.runner.run([
            "sh", "-c",
            "cd \"$(printf 'out2\\377')\" 2> /dev/null || { mkdir \"$(printf 'out2\\377')\" && cd \"$(printf 'out2\\377')\"; }; volt-cas checkout t out --store \(bench.store) -q; echo $?",
        ])
        #expect(place.stdout == "64\n" && place.stderr.contains("current directory"), "\(place)")
    }
}
