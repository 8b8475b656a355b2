import Testing
import VoltCore
import VoltStore
import VoltSystem
import VoltTestKit

@Suite struct KeepTests {
    private let bench: Bench

    init() throws { bench = try Bench() }

    private func put(_ store: ContentStore, _ seed: UInt64, _ form: Representation, tag: String? = nil) throws
        -> Digest
    {
        var random = SeededGenerator(seed)
        try Files.replace("\(bench.path)/in", with: random.bytes(300_000))
        return try store.put(file: "\(bench.path)/in", representation: form, tag: tag).digest
    }

    @Test("gc removes what has no name, and nothing else", arguments: Representation.allCases)
    func collect(_ form: Representation) throws {
        let store = try bench.open()
        let kept = try put(store, 1, form, tag: "kept")
        let leased = try put(store, 2, form)
        let lease = try store.takeLease(on: leased, kind: .blob, holder: "test", for: .seconds(600))
        let dead = try put(store, 3, form)
        // Within the grace period nothing goes.
        #expect(try store.collectGarbage().removed == 0)
        let plan = try store.collectGarbage(grace: .zero, dryRun: true)
        #expect(plan.removed == 1 && plan.freed > 290_000)
        #expect(try store.has(dead))
        let result = try store.collectGarbage(grace: .zero)
        #expect(result.removed == 1 && result.kept == 2)
        #expect(try store.has(dead) == false)
        #expect(try store.has(kept))
        #expect(try store.has(leased))
        try store.endLease(lease.id)
        #expect(try store.collectGarbage(grace: .zero).removed == 1)
        #expect(try store.has(leased) == false)
        #expect(try store.verify(.reading).isSound)
        try store.get(kept, to: "\(bench.path)/out")
        try store.removeTag("kept")
        #expect(try store.collectGarbage(grace: .zero).removed == 1)
        #expect(try Files.list("\(bench.store)/packs") == [])
    }

    @Test("a pack of which little is needed is written anew, and the rest of it stays readable")
    func rewrite() throws {
        let store = try bench.open()
        try bench.shell(
            "mkdir a; for i in 1 2 3 4 5 6 7 8; do head -c 100000 /dev/urandom > a/$i; done; mkdir b; cp a/3 b"
        )
        let all = try store.addTree("\(bench.path)/a").digest
        let one = try store.addTree("\(bench.path)/b", tag: "one").digest
        let result = try store.collectGarbage(grace: .zero)
        #expect(result.rewritten == 1 && result.removed == 8 && result.freed > 600_000, "\(result)")
        #expect(try !store.has(all))
        _ = try store.checkout(one, to: "\(bench.path)/out")
        try bench.shell("cmp a/3 out/3")
        #expect(try store.verify(.reading).isSound)
        #expect(try store.collectGarbage(grace: .zero).removed == 0)
    }

    @Test("what a writer that lives put there or found stays, however old it is; that of a dead one goes")
    func living() throws {
        let store = try bench.open()
        let old = try put(store, 4, .packed)
        // A writer that waits for its input.
        let wait = "for i in $(seq 200); do test -n \"$(ls store/sessions)\" && break; sleep 0.05; done"
        try bench.shell(
            """
            mkfifo in2; (sleep 60 > in2 & echo $! > holder) > /dev/null 2>&1
            (volt-cas put in2 --store store > put.out 2>&1 && touch ended) > /dev/null 2>&1 & \(wait)
            """)
        #expect(try Files.list("\(bench.store)/sessions").count == 1)
        // It began after the blob was put there, so the blob is garbage; what is put from now on is not.
        let new = try put(store, 5, .packed)
        #expect(try store.collectGarbage(grace: .zero).removed == 1)
        #expect(try store.has(old) == false)
        #expect(try store.has(new))
        try bench.shell(
            "head -c 200000 in > in2; kill $(cat holder); while ! test -e ended; do sleep 0.05; done")
        #expect(try store.has(try Digest(bench.shell("tr -d '\\n' < put.out"))))
        #expect(try Files.list("\(bench.store)/sessions") == [])
        // A writer that was killed leaves its area, which gc clears.
        try bench.shell(
            """
            (sleep 60 > in2 & echo $! > holder) > /dev/null 2>&1
            volt-cas put in2 --store store > put.out 2>&1 & \(wait); kill -9 $! $(cat holder); wait $! || :
            """)
        #expect(try Files.list("\(bench.store)/sessions").count == 1)
        #expect(try store.collectGarbage(grace: .zero).clearedSessions == 1)
        #expect(try Files.list("\(bench.store)/sessions") == [])
    }

    @Test("many small writes are merged into few segments of the index")
    func merge() throws {
        let store = try bench.open()
        var digests: [Digest] = []
        for seed in 10..<40 { digests.append(try put(store, UInt64(seed), .packed)) }
        #expect(try Files.list("\(bench.store)/index").count < 12)
        for digest in digests { #expect(try store.has(digest)) }
        #expect(try store.verify(.reading).isSound)
    }

    @Test(
        "rm removes one blob and leaves all else, also in its pack; what is needed stays",
        arguments: Representation.allCases)
    func remove(_ form: Representation) throws {
        let store = try bench.open()
        let kept = try put(store, 1, form, tag: "kept")
        try bench.shell(
            "mkdir src; echo one > src/one; echo two > src/two; volt-cas add-tree src --tag t --store store -q"
        )
        let one = try bench.shell("printf 'one\\n' | sha256sum").prefix(64)
        _ = try bench.cas("untag", "t")
        let dead = try put(store, 2, form)
        let other = try put(store, 3, form)
        let refused = try bench.cas("rm", kept.description)
        #expect(refused.status == 4 && refused.stderr.contains("needed by a tag"), "\(refused)")
        #expect(try bench.cas("rm", "sha256:\(String(repeating: "0", count: 64))").status == 3)
        #expect(try bench.cas("rm", "nonsense").status == 64)
        let result = try bench.cas("rm", dead.description, "sha256:\(one)")
        #expect(result.status == 0 && result.stdout.contains("removed 2 blobs"), "\(result)")
        #expect(try store.has(dead) == false)
        let rest = try bench.shell(
            "volt-cas has \(kept) --store store && volt-cas has \(other) --store store && echo yes")
        #expect(rest.hasSuffix("yes\n"))
        #expect(try bench.cas("verify", "--read-data", "-q").status == 0)
    }

    @Test("repack puts small packs together, and makes a packed tree ready to be mounted")
    func repack() throws {
        let store = try bench.open()
        for seed in 1...6 { _ = try put(store, UInt64(seed), .packed, tag: seed % 2 == 0 ? "t\(seed)" : nil) }
        try bench.shell(
            "mkdir src; for i in $(seq 40); do echo $i > src/$i; done; truncate -s 3M src/holes; echo x >> src/holes; volt-cas add-tree src --tag tree --store store -q"
        )
        let before = try store.verify(.reading).blobs
        #expect(try bench.shell("ls store/packs | wc -l") == "7\n")
        let result = try bench.cas("repack", "-q")
        #expect(result.stdout == "7 packs put together\n", "\(result)")
        #expect(try bench.shell("ls store/packs | wc -l") == "1\n")
        // What has no name is there too.
        #expect(try store.verify(.reading).blobs == before)
        #expect(try bench.cas("repack", "-q").stdout == "0 packs put together\n")
        #expect(try bench.cas("repack", "--bare", "tree", "-q").stdout == "41 files made whole\n")
        #expect(try bench.cas("repack", "--bare", "tree", "-q").stdout == "0 files made whole\n")
        #expect(try bench.cas("verify", "--read-data", "-q").status == 0)
        try bench.shell("volt-cas checkout tree out --link --store store -q")
        #expect(try bench.shell("cat out/7; stat -c %s out/holes") == "7\n3145730\n")
    }
}
