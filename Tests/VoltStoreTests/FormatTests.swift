import Testing
import VoltCore
import VoltCrypto
import VoltSystem
import VoltTestKit

@testable import VoltStore

@Suite struct FormatTests {
    private func tree(_ entries: [TreeEntry]) -> [UInt8] {
        var tree = TreeBytes()
        for entry in entries { tree.add(entry) }
        return tree.finished
    }

    private func decode(_ bytes: [UInt8], step: Int = 7) throws -> [TreeDecoder.Event] {
        var decoder = TreeDecoder()
        var events: [TreeDecoder.Event] = []
        for start in stride(from: 0, to: bytes.count, by: step) {
            Array(bytes[start..<min(start + step, bytes.count)]).withUnsafeBytes { decoder.feed($0) }
            while let event = try decoder.next() { events.append(event) }
        }
        guard decoder.isComplete else { throw FormatError("ends too early") }
        return events
    }

    @Test("the vectors of docs/design/store.md are what is written")
    func vectors() throws {
        let empty = tree([])
        #expect(Hex.encode(empty) == "564f4c545452454501" + "09" + "0100ed030000000000" + "01" + "00")
        let x = SHA256Hasher.digest(of: "x".utf8)
        let file = tree([TreeEntry(name: [97], kind: .file(size: 1, digest: BinaryDigest(x)), mode: 0o644)])
        #expect(
            Hex.encode(file) == "564f4c545452454501" + "09" + "0100ed030000000000" + "2b"
                + "020161a4030000000000" + "01"
                + x.hex + "01" + "00")
        let page = String(decoding: try Files.read("\(Golden.root())/docs/design/store.md"), as: UTF8.self)
        #expect(page.contains(SHA256Hasher.digest(of: empty).hex), "\(SHA256Hasher.digest(of: empty).hex)")
        #expect(page.contains(SHA256Hasher.digest(of: file).hex), "\(SHA256Hasher.digest(of: file).hex)")
        // Bytes that are the same for every implementation: the SHA-256 of numbers, one after the other.
        let bytes = (0..<40_000).flatMap { Hex.decode(SHA256Hasher.digest(of: "\($0)".utf8).hex) ?? [] }
        var cuts: [Int] = []
        bytes.withUnsafeBytes { all in
            var rest = all[...]
            while !rest.isEmpty {
                let count = Chunker.standard.cut(UnsafeRawBufferPointer(rebasing: rest))
                cuts.append(count)
                rest = rest.dropFirst(count)
            }
        }
        let words = page.split(whereSeparator: \.isWhitespace).joined(separator: " ")
        #expect(words.contains(cuts.map(String.init).joined(separator: ", ")), "\(cuts)")
    }

    @Test("what is not a tree is refused, wherever it is cut")
    func refused() throws {
        let name = TreeEntry(name: Array("name".utf8), kind: .link([1]), mode: 0o777, seconds: -5)
        let good = tree([name, TreeEntry(name: Array("other".utf8), kind: .pipe)])
        for step in [1, 3, 1000] { #expect(try decode(good, step: step).count == 4) }
        for end in 0..<good.count { #expect(throws: FormatError.self) { try decode(Array(good[..<end])) } }
        #expect(throws: FormatError.self) { try decode(good + [0]) }
        for names in [["b", "a"], ["a", "a"], ["."], [".."], ["a/b"], [""], ["a\0"]] {
            let bytes = tree(names.map { TreeEntry(name: Array($0.utf8), kind: .pipe) })
            #expect(throws: FormatError.self, "\(names)") { try decode(bytes) }
        }
        for target in ["", "../x", "/x", "a//b", "a/./b"] {
            let bytes = tree([TreeEntry(name: [97], kind: .hardLink(Array(target.utf8)))])
            #expect(throws: FormatError.self, "\(target)") { try decode(bytes) }
        }
    }

    @Test("a tree keeps every owner but the one that the kernel does not set")
    func owners() throws {
        for (user, group) in [(4_294_967_294, 0), (0, 4_294_967_294), (2_147_483_648, 7)]
            as [(UInt32, UInt32)]
        {
            let entry = TreeEntry(name: [97], kind: .pipe, mode: 0o644, user: user, group: group)
            #expect(try decode(tree([entry])).contains { if case .entry(entry) = $0 { true } else { false } })
        }
        for (user, group) in [(.max, 0), (0, .max)] as [(UInt32, UInt32)] {
            let bytes = tree([TreeEntry(name: [97], kind: .pipe, user: user, group: group)])
            #expect(throws: FormatError.self) { try decode(bytes) }
        }
    }

    @Test("numbers have one form, and come back")
    func numbers() throws {
        for value: UInt64 in [0, 1, 127, 128, 300, 1 << 32, .max] {
            var writer = ByteWriter()
            writer.varint(value)
            let read = try writer.bytes.withUnsafeBytes { bytes in
                var reader = ByteReader(bytes)
                return try reader.varint()
            }
            #expect(read == value)
        }
        for value: Int64 in [0, -1, 1, .min, .max] {
            var writer = ByteWriter()
            writer.signed(value)
            let read = try writer.bytes.withUnsafeBytes { bytes in
                var reader = ByteReader(bytes)
                return try reader.signed()
            }
            #expect(read == value)
        }
        for bytes: [UInt8] in [
            [0x80, 0], [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2], [0x80],
        ] {
            let read = bytes.withUnsafeBytes { raw in
                var reader = ByteReader(raw)
                return try? reader.varint()
            }
            #expect(read == nil)
        }
    }

    @Test("a segment of the index finds each of its digests, and no other", arguments: [0, 1, 100, 70_000])
    func index(_ count: Int) throws {
        let bench = try Bench()
        var random = SeededGenerator(UInt64(count) + 3)
        func digest() -> BinaryDigest {
            BinaryDigest(words: (random.next(), random.next(), random.next(), random.next()))
        }
        let digests = (0..<count).map { _ in digest() }.sorted()
        let writer = try IndexSegmentWriter("\(bench.path)/i", expected: count * 2)
        for (offset, digest) in digests.enumerated() {
            let record = PackRecord(kind: .data, coding: .zstd, length: 9, stored: 8, digest: digest)
            try writer.add(IndexEntry(record, pack: 7, offset: UInt64(offset)))
        }
        try writer.finish()
        let segment = try IndexSegment("\(bench.path)/i")
        try segment.check()
        for (offset, digest) in digests.enumerated() where offset % 7 == 0 {
            #expect(try segment.entry(digest)?.offset == UInt64(offset))
        }
        for _ in 0..<1000 { #expect(try segment.entry(digest()) == nil) }
        // Digests that begin alike are in one bucket.
        let alike = try IndexSegmentWriter("\(bench.path)/j", expected: 1000)
        for number in 0..<1000 {
            let name = BinaryDigest(words: (5, 5, 5, UInt64(number) * 2))
            try alike.add(
                IndexEntry(
                    PackRecord(kind: .data, coding: .plain, length: 1, stored: 1, digest: name), pack: 1,
                    offset: UInt64(number)))
        }
        try alike.finish()
        let bucket = try IndexSegment("\(bench.path)/j")
        for number in 0..<1000 {
            #expect(
                try bucket.entry(BinaryDigest(words: (5, 5, 5, UInt64(number) * 2)))?.offset == UInt64(number)
            )
            #expect(try bucket.entry(BinaryDigest(words: (5, 5, 5, UInt64(number) * 2 + 1))) == nil)
        }
    }

    @Test("an error of another store is one, whatever code it gives", arguments: [0, 1, 3, 200] as [UInt8])
    func foreignError(code: UInt8) {
        let error = ([code] + Array("no room".utf8) + [0]).withUnsafeBytes { Wire.error($0) }
        #expect(error.code == (code == 3 ? .notFound : .failed))
        #expect(error.message.contains("no room"))
    }

    @Test("a blob of more pieces than one recipe has comes back")
    func manyPieces() throws {
        let bench = try Bench()
        let store = try ContentStore.create(bench.store)
        let session = try WriteSession(store)
        let writer = BlobWriter(session)
        // A hole and a block in turn: 70,000 pieces.
        let block = [UInt8](repeating: 7, count: 512)
        for _ in 0..<35_000 {
            try writer.zeros(512)
            try block.withUnsafeBytes { try writer.write($0) }
        }
        let (digest, length) = try writer.finish()
        try session.finish()
        session.end()
        #expect(length == 35_840_000)
        try store.setTag("t", to: digest.digest, kind: .blob)
        _ = try store.collectGarbage(grace: .zero)
        try store.get(digest.digest, to: "\(bench.path)/out")
        #expect(try bench.shell("sha256sum out | cut -c1-64") == "\(digest.digest.hex)\n")
        #expect(try store.verify(.reading).isSound)
    }
}
