import Testing
import VoltCore
import VoltStore
import VoltSystem
import VoltTestKit

/// Bytes that change on the disk, in every kind of file.
@Suite struct DamageTests {
    private let bench: Bench
    private let store: ContentStore
    private let tree: Digest

    init() throws {
        bench = try Bench()
        store = try bench.open()
        try bench.shell(
            """
            mkdir -p src/d; head -c 2000000 /dev/urandom > src/big; head -c 30000 /dev/urandom > src/d/small
            truncate -s 3M src/holes; echo x >> src/holes; seq 100000 > src/text
            """)
        tree = try store.addTree("\(bench.path)/src", tag: "packed").digest
        var options = IngestOptions()
        options.representation = .bare
        try bench.shell(
            "mkdir bare; head -c 50000 /dev/urandom > bare/x; head -c 50000 /dev/urandom > bare/y")
        _ = try store.addTree("\(bench.path)/bare", options: options, tag: "bare")
    }

    private func flip(_ path: String, at offset: Int) throws {
        try bench.shell(
            """
            b=$(dd if='\(path)' bs=1 skip=\(offset) count=1 status=none | od -An -tu1 | tr -d ' ')
            chmod u+w '\(path)'; printf "\\\\$(printf %o $((b ^ 1)))" | dd of='\(path)' bs=1 seek=\(offset) conv=notrunc status=none
            """)
    }

    private func files(_ folder: String) throws -> [String] {
        try bench.shell("find store/\(folder) -type f | sort").split(separator: "\n").map {
            "\(bench.path)/\($0)"
        }
    }

    @Test("a flipped bit in a pack is found wherever it is, and never given out")
    func packs() throws {
        let packs = try files("packs")
        var random = SeededGenerator(11)
        for round in 0..<40 {
            let pack = packs[round % packs.count]
            let size = try Files.read(pack).count
            let offset = Int.random(in: 0..<size, using: &random)
            try flip(pack, at: offset)
            let result = try store.verify(.reading)
            #expect(!result.isSound, "a flip at \(offset) of \(size) was not found")
            #expect(result.damaged.first?.path == pack)
            // What comes out is right, or an error.
            try bench.shell("rm -rf out")
            do {
                _ = try store.checkout(tree, to: "\(bench.path)/out")
                #expect(
                    try bench.listing("src") == bench.listing("out"),
                    "a flip at \(offset) of \(size) came out")
            } catch {}
            try flip(pack, at: offset)
            #expect(try store.verify(.reading).isSound)
        }
    }

    @Test("a damaged whole file is named and put aside, and can be put there again")
    func bare() throws {
        let object =
            try bench.path + "/" + bench.shell("find store/objects -size +40k | sort | head -1").dropLast()
        try flip(object, at: 1000)
        let found = try bench.cas("verify", "--read-data", "-q")
        #expect(
            found.status == 1 && found.stdout.contains("damaged") && found.stdout.contains(object),
            "\(found.stdout)")
        let aside = try bench.cas("verify", "--quarantine", "-o", "json")
        #expect(aside.status == 1 && aside.stdout.contains("\"missingCount\" : 1"), "\(aside.stdout)")
        #expect(try files("quarantine").count == 1)
        #expect(!Files.exists(object))
        var options = IngestOptions()
        options.representation = .bare
        _ = try store.addTree("\(bench.path)/bare", options: options)
        #expect(try store.verify(.reading).isSound)
    }

    @Test("a damaged record is put aside, and can be put there again")
    func record() throws {
        let pack = try bench.path + "/" + bench.shell("ls -S store/packs/* | head -n 1 | tr -d '\\n'")
        try flip(pack, at: 5000)
        let aside = try bench.cas("verify", "--quarantine", "-q")
        #expect(aside.status == 1 && aside.stdout.contains("missing"), "\(aside.stdout)")
        // What needs a piece that is missing is not known to the last, so that nothing goes until it is mended.
        let refused = try bench.cas("gc", "--grace", "0s")
        #expect(refused.status == 5 && refused.stderr.contains("nothing was removed"), "\(refused.stderr)")
        var options = IngestOptions()
        options.usesCache = false
        _ = try store.addTree("\(bench.path)/src", options: options)
        _ = try store.checkout(tree, to: "\(bench.path)/out")
        #expect(try bench.listing("src") == bench.listing("out"))
        #expect(try store.verify(.init()).isSound)
        #expect(try bench.cas("gc", "--grace", "0s").status == 0)
    }

    @Test("a damaged index is named and made anew from the packs")
    func index() throws {
        let segments = try files("index")
        var random = SeededGenerator(12)
        for round in 0..<60 {
            let path = segments[round % segments.count]
            let size = try Files.read(path).count
            let offset = Int.random(in: 0..<size, using: &random)
            try flip(path, at: offset)
            let again = try ContentStore.open(bench.store)
            let result = try again.verify(.init())
            #expect(!result.isSound, "a flip at \(offset) of \(size) was not found")
            try flip(path, at: offset)
        }
        try flip(segments[0], at: 3)
        #expect(try bench.cas("checkout", "packed", "none").stderr.contains("repair --index"))
        let repair = try bench.cas("repair", "--index")
        #expect(repair.status == 0, "\(repair.stderr)")
        _ = try ContentStore.open(bench.store).checkout(tree, to: "\(bench.path)/out")
        #expect(try bench.listing("src") == bench.listing("out"))
        #expect(try store.verify(.reading).isSound)
    }

    @Test("a tag, a pack and an index that are cut short or gone are named")
    func cut() throws {
        let pack = try bench.path + "/" + bench.shell("ls -S store/packs/* | head -n 1 | tr -d '\\n'")
        try bench.shell("cp '\(pack)' keep; truncate -s -10 '\(pack)'")
        #expect(
            try store.verify(.reading).damaged.first?.reason.contains("ends in the middle of a record")
                == true)
        try bench.shell("rm '\(pack)'")
        let gone = try bench.cas("checkout", "packed", "out")
        #expect(gone.status == 3 && gone.stderr.contains("is not in the store"), "\(gone.stderr)")
        try bench.shell("cp keep '\(pack)'; echo '{' > store/tags/packed")
        let tag = try bench.cas("tags")
        #expect(tag.status == 1 && tag.stderr.contains("the file of tag 'packed'"), "\(tag.stderr)")
    }
}
