import CTestDisk
import Testing
import VoltCore
import VoltStore
import VoltSystem
import VoltTestKit

/// Writers that are killed, disks that are full and power that fails.
@Suite(.serialized, .enabled(if: HostPaths.runsAsRoot, "file systems in files need root")) struct CrashTests {
    private let bench: Bench
    /// How often something is killed; more in `make soak`.
    private let rounds = Int(Environment.current["VOLT_SOAK_ROUNDS"] ?? "") ?? 8

    init() throws {
        bench = try Bench()
        try bench.shell(
            """
            for t in 1 2 3; do mkdir -p src$t/d; for i in $(seq 150); do head -c $((i * 300)) /dev/urandom > src$t/d/$i; done
            head -c 1500000 /dev/urandom > src$t/big; done; cp -a src1/d src2/shared
            """)
    }

    /// What was acknowledged, by its tag, is there and right, and the store is sound.
    private func check(_ store: String, acknowledged: Set<String>, _ what: String) throws {
        let store = try ContentStore.open(store)
        let result = try store.verify(.reading)
        #expect(result.isSound, "\(what): \(result)")
        let tags = Set(try store.tags().map(\.name))
        #expect(acknowledged.isSubset(of: tags), "\(what): \(acknowledged.subtracting(tags)) is gone")
        for tag in try store.tags() {
            try store.eachEntry(of: tag.digest) { _, entry in
                guard case .file(let size, let digest) = entry.kind, size > 0 else { return }
                let isThere = try store.has(digest.digest)
                #expect(isThere, "\(what): \(tag.name) lost \(entry.shownName)")
            }
        }
    }

    @Test("writers and collectors that are killed at any moment lose nothing that was acknowledged")
    func killed() throws {
        _ = try bench.open()
        var acknowledged: Set<String> = []
        var ended = 0
        for round in 0..<rounds {
            // Three writers and a collector, each killed after some milliseconds or not at all.
            let said = try bench.shell(
                """
                for t in 1 2 3; do
                    form=; test $(( (t + \(round)) % 2 )) = 0 && form=--bare
                    (timeout -s KILL $(printf 0.%03d $(( ($$ + t * 37 + \(round) * 53) % 400 + 20 ))) volt-cas add-tree src$t $form --no-cache -q \\
                        --tag r\(round)t$t --store store > /dev/null 2>&1 && echo r\(round)t$t) 2>/dev/null &
                done
                (timeout -s KILL $(printf 0.%03d $(( (\(round) * 71) % 300 + 30 ))) volt-cas gc --grace 0s --store store > /dev/null 2>&1 || :
                 timeout -s KILL $(printf 0.%03d $(( (\(round) * 43) % 60 + 15 ))) volt-cas repack -q --store store > /dev/null 2>&1 || :) 2>/dev/null &
                wait
                """)
            acknowledged.formUnion(said.split(separator: "\n").map(String.init))
            ended += said.split(separator: "\n").count
            try check(bench.store, acknowledged: acknowledged, "round \(round)")
            // Names go, so that there is something to collect.
            if round % 2 == 1, let name = acknowledged.sorted().first {
                #expect(try bench.cas("untag", name).status == 0)
                acknowledged.remove(name)
            }
        }
        // Otherwise nothing was shown.
        #expect(ended > 0 && ended < rounds * 3, "\(ended) of \(rounds * 3) writers were not killed")
        #expect(try bench.cas("gc", "--grace", "0s").status == 0)
        try check(bench.store, acknowledged: acknowledged, "at the end")
        // One that was being made when it was killed stays for a minute.
        #expect(try Files.list("\(bench.store)/sessions").filter { !$0.hasSuffix(".new") } == [])
    }

    /// Runs the body with a file system of its own, which is gone afterwards.
    private func withDisk(_ megabytes: Int, _ body: (String) throws -> Void) throws {
        try bench.shell(
            "mkdir disk; truncate -s \(megabytes)M image; mkfs.ext4 -q -F image; mount -o loop image disk")
        defer { _ = try? bench.shell("umount -l disk; rmdir disk; rm image") }
        try body("\(bench.path)/disk")
    }

    @Test("when the power fails, what was acknowledged is on the disk, and the rest is no damage")
    func power() throws {
        try withDisk(200) { disk in
            _ = try ContentStore.create("\(disk)/store")
            var acknowledged: Set<String> = []
            for round in 0..<rounds {
                let form = round % 2 == 0 ? "" : "--bare"
                // One ends, one is under way when the power fails.
                let said = try bench.shell(
                    """
                    volt-cas add-tree src\(round % 3 + 1) \(form) --no-cache -q --tag a\(round) --store disk/store > /dev/null
                    echo a\(round)
                    (volt-cas add-tree src\((round + 1) % 3 + 1) --no-cache -q --tag b\(round) --store disk/store > /dev/null 2>&1 || :) &
                    (volt-cas gc --grace 0s --store disk/store > /dev/null 2>&1 || :) &
                    sleep 0.\(round * 37 % 300 + 100)
                    """)
                #expect(test_cut_power(disk) == 0)
                acknowledged.formUnion(said.split(separator: "\n").map(String.init))
                // A copy of the disk: mount namespaces made meanwhile may still hold the file system that lost its
                // power, and the same disk would be that one again.
                try bench.shell(
                    """
                    while pgrep -f '^volt-cas .*disk/stor[e]' > /dev/null; do sleep 0.02; done
                    umount -l disk; cp --sparse=always image next; mv next image; mount -o loop image disk
                    """)
                try check("\(disk)/store", acknowledged: acknowledged, "round \(round)")
                if round % 3 == 2 {
                    let name = "a\(round - 2)"
                    try ContentStore.open("\(disk)/store").removeTag(name)
                    acknowledged.remove(name)
                }
            }
        }
    }

    @Test("a full disk is an error that says so, and the store stays as it was")
    func full() throws {
        try withDisk(24) { disk in
            let store = "\(disk)/store"
            _ = try ContentStore.create(store)
            #expect(
                try bench.runner("volt-cas", "add-tree", "src1", "--tag", "one", "--store", store, "-q")
                    .status == 0)
            try bench.shell("mkdir huge; for i in 1 2 3 4; do head -c 9000000 /dev/urandom > huge/$i; done")
            for form in [[], ["--bare"]] {
                let words = ["volt-cas", "add-tree", "huge", "--tag", "huge", "--store", store, "-q"] + form
                let result = try bench.runner.run(words)
                #expect(
                    result.status == 74 && result.stderr.contains("no space left on device"),
                    "\(result.stderr)")
                #expect(result.stderr.contains("the disk is full"), "\(result.stderr)")
                try check(store, acknowledged: ["one"], "full")
                #expect(try Files.list("\(store)/sessions") == [])
            }
            // With room again it works.
            #expect(
                try bench.runner("volt-cas", "add-tree", "src2", "--tag", "two", "--store", store, "-q")
                    .status == 0)
            try check(store, acknowledged: ["one", "two"], "again")
        }
    }
}
