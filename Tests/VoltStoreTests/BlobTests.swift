import Testing
import VoltCore
import VoltStore
import VoltSystem
import VoltTestKit

@Suite struct BlobTests {
    private let bench: Bench

    init() throws { bench = try Bench() }

    @Test(
        "what is put comes out again, whole and in parts",
        arguments: [0, 1, 63, 4096, 524_288, 524_289, 9_000_000])
    func sizes(_ count: Int) throws {
        var random = SeededGenerator(UInt64(count) + 7)
        let bytes = random.bytes(count)
        try Files.replace("\(bench.path)/in", with: bytes)
        for form in Representation.allCases {
            let store = try ContentStore.create("\(bench.path)/\(form.rawValue)")
            let result = try store.put(file: "\(bench.path)/in", representation: form, tag: "t")
            #expect(result.size == UInt64(count))
            #expect(result.digest.hex == (try bench.shell("sha256sum in | cut -c1-64 | tr -d '\\n'")))
            #expect(try store.size(of: result.digest) == UInt64(count))
            try store.get(result.digest, to: "\(bench.path)/out")
            try bench.shell("cmp in out")
            // The same again adds nothing.
            #expect(try store.put(file: "\(bench.path)/in", representation: form).storedBytes == 0)
            #expect(try store.verify(.reading).isSound)
        }
        let store = try bench.cas("init")
        #expect(store.status == 0)
        _ = try bench.cas("put", "in", "--tag", "t")
        for (offset, length) in [(0, 10), (count / 3, 100_000), (count, 5), (max(0, count - 1), 1)] {
            let part = try bench.cas("cat", "t", "--offset", "\(offset)", "--length", "\(length)")
            #expect(part.status == 0)
            try Files.replace("\(bench.path)/part", with: bytes.dropFirst(offset).prefix(length))
            let whole = try bench.shell(
                "volt-cas cat t --store store --offset \(offset) --length \(length) | cmp - part && echo same"
            )
            #expect(whole == "same\n")
        }
        #expect(try bench.cas("cat", "t", "--offset", "\(count + 1)").status == 64)
    }

    @Test("a second version of a large file costs about what differs")
    func versions() throws {
        var random = SeededGenerator(5)
        var bytes = random.bytes(8_000_000)
        try Files.replace("\(bench.path)/one", with: bytes)
        bytes.insert(contentsOf: [1, 2, 3], at: 4_000_000)
        try Files.replace("\(bench.path)/two", with: bytes)
        let store = try bench.open()
        let first = try store.put(file: "\(bench.path)/one", tag: "one")
        let second = try store.put(file: "\(bench.path)/two", tag: "two")
        #expect(first.storedBytes > 8_000_000)
        #expect(second.storedBytes < 1_200_000, "\(second.storedBytes)")
    }

    @Test("a disk of several gigabytes with holes goes in and out by what is written on it")
    func disk() throws {
        try bench.shell(
            "truncate -s 6G disk; printf boot | dd of=disk conv=notrunc status=none; printf data | dd of=disk bs=1M seek=3000 conv=notrunc status=none"
        )
        let store = try bench.open()
        let result = try store.put(file: "\(bench.path)/disk", tag: "disk")
        #expect(result.size == 6 << 30 && result.storedBytes < 20_000)
        try store.get(result.digest, to: "\(bench.path)/out")
        #expect(try bench.shell("stat -c %s out; du -k out | cut -f1") == "6442450944\n8\n")
        try bench.shell("printf more | dd of=disk bs=1M seek=5000 conv=notrunc status=none")
        #expect(try store.put(file: "\(bench.path)/disk").storedBytes < 20_000)
    }

    @Test("a store of a newer version, one that is none, and a directory with other things are refused")
    func strange() throws {
        #expect(throws: VoltError.self) { try ContentStore.open("\(bench.path)/none") }
        try bench.shell("mkdir other; echo x > other/file")
        let conflict = #expect(throws: VoltError.self) { try ContentStore.create("\(bench.path)/other") }
        #expect(conflict?.code == .conflict)
        _ = try bench.open()
        try Files.replace("\(bench.store)/format", with: "stellarium 3\n".utf8)
        let newer = #expect(throws: VoltError.self) { try bench.open() }
        #expect(newer?.message.contains("format 3 is newer than this tool reads (2)") == true)
        #expect(newer?.hint?.contains("upgrade volt-cas") == true)
        // One that was begun when the power failed is finished.
        try bench.shell("rm -r store/format store/tags")
        #expect(try bench.open().tags() == [])
    }

    @Test("tags have names of letters, and name what is there")
    func tags() throws {
        try Files.replace("\(bench.path)/x", with: "x".utf8)
        let store = try bench.open()
        let blob = try store.put(file: "\(bench.path)/x", tag: "dumps/site:2024").digest
        #expect(try store.tags().map(\.name) == ["dumps/site:2024"])
        for name in [
            "", "a b", "../x", "a//b", "-x", "sha256:ab", "ä", "a\n", String(repeating: "a", count: 201),
        ] {
            let error = #expect(throws: VoltError.self) { try store.setTag(name, to: blob, kind: .blob) }
            #expect(error?.code == .usage, "\(name)")
        }
        let missing = #expect(throws: VoltError.self) {
            try store.setTag("t", to: try Digest("sha256:\(String(repeating: "a", count: 64))"), kind: .blob)
        }
        #expect(missing?.code == .notFound)
        try store.removeTag("dumps/site:2024")
        #expect(throws: VoltError.self) { try store.removeTag("dumps/site:2024") }
    }
}

extension VerifyOptions {
    /// Every byte.
    static var reading: VerifyOptions {
        var options = VerifyOptions()
        options.readsData = true
        return options
    }
}
