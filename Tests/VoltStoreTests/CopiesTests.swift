import Testing
import VoltCore
import VoltSystem
import VoltTestKit

@testable import VoltStore

/// Blobs of which the store has two copies, and blobs and trees that say what cannot be.
@Suite struct CopiesTests {
    private let bench: Bench
    private let store: ContentStore

    init() throws {
        bench = try Bench()
        store = try bench.open()
    }

    /// Puts a file and a tree into the store in both forms.
    private func both() throws -> Digest {
        try bench.shell(
            "mkdir src; head -c 3000000 /dev/urandom > src/big; head -c 20000 /dev/urandom > src/small")
        let tree = try store.addTree("\(bench.path)/src", tag: "t").digest
        _ = try store.makeBare(tree)
        return tree
    }

    /// Changes one byte of each file.
    private func damage(_ files: String) throws {
        try bench.shell(
            "for f in \(files); do printf '\\251\\252' | dd of=$f bs=1 seek=9000 conv=notrunc status=none; done"
        )
    }

    @Test("a damaged whole file hides no sound packed copy, and is made anew from it")
    func loose() throws {
        let tree = try both()
        try damage("$(find store/objects -type f -size +10k)")
        _ = try store.checkout(tree, to: "\(bench.path)/out")
        try bench.shell("diff -r src out; volt-cas init --store other > /dev/null")
        #expect(try bench.cas("push", "\(bench.path)/other", "t", "-q").status == 0)
        try bench.shell(
            "volt-cas verify --read-data --store other -q; volt-cas init --store third > /dev/null")
        #expect(try bench.runner("volt-cas", "pull", bench.store, "t", "--store", "third", "-q").status == 0)
        try bench.shell("volt-cas checkout t pulled --store third -q; diff -r src pulled")
        #expect(try store.collectGarbage(grace: .zero).removed == 0)
        #expect(try store.verify(.reading).damagedCount == 2)
        let mended = try bench.cas("verify", "--quarantine", "-q")
        #expect(mended.status == 1 && mended.stdout.contains("2 damaged, 0 missing, 2 mended"), "\(mended)")
        #expect(try store.verify(.reading).isSound)
        try bench.shell(
            "for f in src/*; do n=$(sha256sum < $f | cut -c1-64); cmp $f store/objects/$(echo $n | cut -c1-2)/$(echo $n | cut -c3-); done"
        )
    }

    @Test("a damaged record hides no sound whole file, nor a sound record of another pack")
    func packed() throws {
        let tree = try both()
        try bench.shell("cp -a store keep")
        try damage("store/packs/*.pack")
        _ = try store.checkout(tree, to: "\(bench.path)/out")
        try bench.shell("diff -r src out")
        #expect(try store.verify(.reading).damagedCount > 0)
        // Two packs, each with another record that is damaged.
        let other = try ContentStore.create("\(bench.path)/twice")
        for name in ["one", "two"] {
            let part = try ContentStore.create("\(bench.path)/\(name)")
            let digest = try part.addTree("\(bench.path)/src").digest
            try part.setTag("t", to: digest, kind: .tree)
            try bench.shell("cp \(name)/packs/* twice/packs/; cp \(name)/index/* twice/index/")
        }
        try other.setTag("t", to: tree, kind: .tree)
        try bench.shell(
            """
            set -- $(ls twice/packs); printf '\\251\\252' | dd of=twice/packs/$1 bs=1 seek=9000 conv=notrunc status=none
            printf '\\251\\252' | dd of=twice/packs/$2 bs=1 seek=2000000 conv=notrunc status=none
            """)
        _ = try other.checkout(tree, to: "\(bench.path)/again")
        try bench.shell("diff -r src again")
        var options = VerifyOptions.reading
        options.quarantines = true
        #expect(try other.verify(options).missingCount == 0)
        #expect(try other.verify(.reading).isSound)
        _ = try other.checkout(tree, to: "\(bench.path)/last")
        try bench.shell("diff -r src last")
    }

    /// A store with a recipe of zeros that nobody has hashed.
    private func zeros(_ length: UInt64, pieces: Int = 1) throws -> BinaryDigest {
        let session = try WriteSession(store)
        defer { session.end() }
        var recipe = Recipe()
        for _ in 0..<pieces { recipe.pieces.append(.init(kind: .zeros, length: length, digest: .zero)) }
        let hasher = BlobHasher()
        try recipe.bytes.withUnsafeBytes { bytes in
            hasher.update(bytes)
            let check = hasher.take().check
            hasher.update(UnsafeRawBufferPointer(rebasing: bytes[..<8]))
            let digest = hasher.take()
            try session.packs.append(
                PackRecord(
                    kind: .recipe, coding: .plain, length: recipe.length, stored: UInt32(bytes.count),
                    check: check,
                    digest: digest), bytes)
        }
        hasher.update(UnsafeRawBufferPointer(start: nil, count: 0))
        _ = hasher.take()
        try session.finish()
        return try recipe.bytes.withUnsafeBytes { bytes in
            hasher.update(UnsafeRawBufferPointer(rebasing: bytes[..<8]))
            return hasher.take()
        }
    }

    @Test("zeros that would take for ever are refused at once, wherever they come from", arguments: [62, 43])
    func endless(bits: Int) throws {
        let digest = try zeros(1 << bits)
        try store.setTag("zeros", to: digest.digest, kind: .blob)
        let began = ContinuousClock.now
        try bench.shell("volt-cas init --store other > /dev/null")
        let pull = try bench.runner("volt-cas", "pull", bench.store, "zeros", "--store", "other", "-q")
        #expect(pull.status != 0 && !pull.stderr.isEmpty, "\(pull)")
        #expect(try bench.cas("push", "\(bench.path)/other", "zeros", "-q").status != 0)
        if bits == 62 {
            for words in [["get", "zeros", "out"], ["cat", "zeros"]] {
                let result = try bench.runner.run(["volt-cas"] + words + ["--store", "store"])
                #expect(result.status == 5 && result.stderr.contains("larger than 16"), "\(result)")
            }
        }
        try store.setTag("tree", to: digest.digest, kind: .tree)
        #expect(try bench.cas("ls", "tree").status == (bits == 62 ? 5 : 1))
        #expect(ContinuousClock.now - began < .seconds(20))
    }

    @Test("a sparse file that is larger than a blob may be is left out", .enabled(if: HostPaths.runsAsRoot))
    func sparse() throws {
        try bench.shell("mkdir src; mount -t tmpfs none src; truncate -s 4E src/huge; echo x > src/x")
        defer { _ = try? bench.shell("umount -l src") }
        let result = try bench.cas("add-tree", "src", "--tag", "t", "-q")
        #expect(
            result.status == 2 && result.stderr.contains("'huge' cannot be in a tree: it is larger than 16"),
            "\(result)")
        #expect(try bench.cas("put", "src/huge").status == 5)
        #expect(try bench.cas("put", "src/huge", "--bare").status == 5)
    }

    @Test("a tree that says another size than a blob has is refused everywhere")
    func sizes() throws {
        try bench.shell("echo content > file; mkdir mnt")
        let blob = try store.put(file: "\(bench.path)/file", representation: .bare).digest
        var bytes = TreeBytes()
        bytes.add("file", .file(size: 5, digest: BinaryDigest(blob)))
        try Files.replace("\(bench.path)/tree", with: bytes.finished)
        let tree = try store.put(file: "\(bench.path)/tree", representation: .bare).digest
        var commands = [
            ["tag", "\(tree)", "t", "--tree"], ["lease", "take", "\(tree)", "--tree"],
            ["checkout", "\(tree)", "out"],
            ["checkout", "\(tree)", "linked", "--link"],
        ]
        if HostPaths.runsAsRoot { commands.append(["mount", "\(tree)", "mnt"]) }
        for words in commands {
            let result = try bench.runner.run(["volt-cas"] + words + ["--store", "store"])
            #expect(
                result.status == 1 && result.stderr.contains("'file' has 5 bytes and its blob"),
                "\(words): \(result)")
        }
        try store.setTag("t", to: tree, kind: .tree)
        let verify = try bench.cas("verify", "-q")
        #expect(verify.status == 1 && verify.stdout.contains("'file' has 5 bytes"), "\(verify)")
        try bench.shell("volt-cas init --store other > /dev/null")
        let push = try bench.cas("push", "\(bench.path)/other", "t", "-q")
        #expect(push.status == 1 && push.stderr.contains("'file' has 5 bytes"), "\(push)")
        #expect(try bench.runner("volt-cas", "pull", bench.store, "t", "--store", "other", "-q").status == 1)
    }
}
