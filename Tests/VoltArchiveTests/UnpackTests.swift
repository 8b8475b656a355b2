import Glibc
import Testing
import VoltArchive
import VoltCore
import VoltCrypto
import VoltSystem
import VoltTestKit

private func unpack(_ archive: [UInt8], in scratch: String, limits: ArchiveLimits = ArchiveLimits()) throws
    -> UnpackResult
{
    try Files.replace("\(scratch)/a.tar", with: archive)
    try Files.makeDirectory("\(scratch)/out")
    let descriptor = open("\(scratch)/a.tar", O_RDONLY)
    defer { close(descriptor) }
    return try Tar.unpack(descriptor: descriptor, name: "a.tar", into: "\(scratch)/out", limits: limits)
}

private func information(_ path: String) -> stat {
    var value = stat()
    lstat(path, &value)
    return value
}

let runsAsRoot = geteuid() == 0

@Suite(.enabled(if: runsAsRoot, "owners and device nodes need root")) struct UnpackTests {
    @Test("an owner of any number is kept, and the one that the kernel does not set is refused")
    func owners() throws {
        let scratch = try ScratchDirectory()
        var tar = TarBuilder()
        tar.pax([("uid", Array("4294967294".utf8)), ("gid", Array("2147483648".utf8))])
        tar.add("file", "x")
        _ = try unpack(tar.finished, in: scratch.path)
        #expect(information("\(scratch.path)/out/file").st_uid == 4_294_967_294)
        #expect(information("\(scratch.path)/out/file").st_gid == 2_147_483_648)
        for key in ["uid", "gid"] {
            for value in [
                "4294967295", "4294967296", "8589934591", "9223372036854775807", "18446744073709551615",
            ] {
                var tar = TarBuilder()
                tar.pax([(key, Array(value.utf8))])
                tar.add("file", "x")
                let archive = tar.finished
                let place = "\(scratch.path)/\(key)-\(value)"
                try Files.makeDirectory(place)
                #expect(throws: VoltError.self, "\(key) \(value)") { try unpack(archive, in: place) }
            }
        }
    }

    @Test("files, links and directories keep mode, owner and time")
    func attributes() throws {
        let scratch = try ScratchDirectory()
        var tar = TarBuilder()
        tar.add("./", type: "5", mode: 0o711)
        tar.add("./bin/", type: "5", mode: 0o1777, user: 5, time: 1_600_000_000)
        tar.add("./bin/su", "program", mode: 0o4755, user: 0, group: 7)
        tar.add("./bin/sh", type: "2", link: "/usr/bin/../su", user: 3)
        tar.add("./bin/hard", type: "1", link: "./bin/su")
        tar.add("deep/er/file", "x")
        let result = try unpack(tar.finished, in: scratch.path)
        let out = "\(scratch.path)/out"
        #expect(result.entries == 6 && result.bytes == 8)
        #expect(result.digest == SHA256Hasher.digest(of: tar.finished))
        #expect(information(out).st_mode & 0o7777 == 0o711)
        let bin = information("\(out)/bin")
        #expect(bin.st_mode & 0o7777 == 0o1777 && bin.st_uid == 5 && bin.st_mtim.tv_sec == 1_600_000_000)
        let su = information("\(out)/bin/su")
        #expect(su.st_mode & 0o7777 == 0o4755 && su.st_gid == 7 && su.st_mtim.tv_sec == 1_700_000_000)
        #expect(su.st_nlink == 2 && information("\(out)/bin/hard").st_ino == su.st_ino)
        let link = information("\(out)/bin/sh")
        #expect(link.st_mode & S_IFMT == S_IFLNK && link.st_uid == 3 && link.st_mtim.tv_sec == 1_700_000_000)
        #expect(information("\(out)/deep").st_mode & 0o7777 == 0o755)
    }

    @Test(
        "an archive that leaves its tree is refused, and nothing outside is written",
        arguments: [
            ("traversal", "../evil", "0", ""), ("inner traversal", "a/../../evil", "0", ""),
            ("absolute", "/tmp/evil", "0", ""),
            ("hard link up", "x", "1", "../secret"), ("hard link absolute", "x", "1", "/etc/passwd"),
            ("hard link to nothing", "x", "1", "nothing"), ("directory up", "../d/", "5", ""),
            ("through a link", "out/evil", "0", ""), ("through a link to the parent", "up/evil", "0", ""),
            ("directory through a link", "up/sub/", "5", ""),
            ("hard link through a link", "x", "1", "up/secret"),
            ("whiteout of the parent", "a/.wh...", "0", ""), ("whiteout of nothing", "a/.wh.", "0", ""),
            ("the root as a file", ".", "0", ""), ("hard link to the root", "x", "1", "."),
            ("link without a target", "x", "2", ""),
        ])
    func hostile(what: String, name: String, type: Character, link: String) throws {
        let scratch = try ScratchDirectory()
        try Files.makeDirectory("\(scratch.path)/outside")
        try Files.replace("\(scratch.path)/secret", with: "secret".utf8)
        var tar = TarBuilder()
        tar.add("out", type: "2", link: "\(scratch.path)/outside")
        tar.add("up", type: "2", link: "..")
        tar.add(name, type == "0" ? "evil" : "", type: type, link: link)
        let archive = tar.finished
        #expect { try unpack(archive, in: scratch.path) } throws: { ($0 as? VoltError)?.code == .refused }
        #expect(try Files.list("\(scratch.path)/outside").isEmpty)
        #expect(try Files.list(scratch.path) == ["a.tar", "out", "outside", "secret"])
        #expect(information("\(scratch.path)/secret").st_nlink == 1)
        #expect(!Files.exists("/tmp/evil"))
    }

    @Test("a name that was a link becomes what comes later, in place of the link")
    func replacedLink() throws {
        let scratch = try ScratchDirectory()
        try Files.makeDirectory("\(scratch.path)/outside")
        var tar = TarBuilder()
        tar.add("d", type: "2", link: "\(scratch.path)/outside")
        tar.add("d/", type: "5", mode: 0o755)
        tar.add("d/file", "inside")
        tar.add("f", type: "2", link: "\(scratch.path)/outside/f")
        tar.add("f", "inside")
        _ = try unpack(tar.finished, in: scratch.path)
        #expect(try Files.list("\(scratch.path)/outside").isEmpty)
        #expect(try Files.read("\(scratch.path)/out/d/file") == Array("inside".utf8))
        #expect(information("\(scratch.path)/out/f").st_mode & S_IFMT == S_IFREG)
    }

    @Test("device nodes are left out and named, pipes are made")
    func devices() throws {
        let scratch = try ScratchDirectory()
        var tar = TarBuilder()
        tar.add("dev/sda", type: "4", device: (8, 0))
        tar.add("dev/mem", type: "3", device: (1, 1))
        tar.add("gone", type: "3")
        tar.add("pipe", type: "6", mode: 0o620)
        let result = try unpack(tar.finished, in: scratch.path)
        #expect(result.skipped == 2)
        #expect(result.skippedExamples.first == "dev/sda: a device node; the container gets its own /dev")
        let gone = information("\(scratch.path)/out/gone")
        #expect(gone.st_mode & S_IFMT == S_IFCHR && gone.st_rdev == 0)
        #expect(information("\(scratch.path)/out/pipe").st_mode == S_IFIFO | 0o620)
    }

    @Test("whiteouts get the form of overlayfs, and spare what the layer itself has")
    func whiteouts() throws {
        let scratch = try ScratchDirectory()
        var tar = TarBuilder()
        tar.add("etc/.wh.passwd", "")
        tar.add("etc/.wh..wh..opq", "")
        tar.add("etc/.wh..wh.plnk", "")
        tar.add("kept", "kept")
        tar.add(".wh.kept", "")
        _ = try unpack(tar.finished, in: scratch.path)
        let out = "\(scratch.path)/out"
        #expect(try Files.list("\(out)/etc") == ["passwd"])
        #expect(information("\(out)/etc/passwd").st_mode & S_IFMT == S_IFCHR)
        #expect(try Files.read("\(out)/kept") == Array("kept".utf8))
        #expect(try ExtendedAttributes.names(of: "\(out)/etc").contains("trusted.overlay.opaque"))
    }

    @Test("extended attributes of files are kept, those that steer overlayfs are not")
    func extended() throws {
        let scratch = try ScratchDirectory()
        // cap_net_raw, version 2 of the on-disk form.
        let capability: [UInt8] = [1, 0, 0, 2, 0, 0x20, 0, 0] + [UInt8](repeating: 0, count: 12)
        var tar = TarBuilder()
        tar.pax([
            ("SCHILY.xattr.user.note", Array("hello".utf8)), ("SCHILY.xattr.security.capability", capability),
            ("SCHILY.xattr.trusted.overlay.redirect", Array("/x".utf8)),
        ])
        tar.add("ping", "x", mode: 0o755)
        _ = try unpack(tar.finished, in: scratch.path)
        #expect(
            Set(try ExtendedAttributes.names(of: "\(scratch.path)/out/ping")) == [
                "user.note", "security.capability",
            ])
    }

    @Test("names that are not UTF-8, and long ones, survive")
    func names() throws {
        let scratch = try ScratchDirectory()
        var tar = TarBuilder()
        tar.add([0xff, 0xfe, 0x2f, 0xe9], Array("raw".utf8))
        tar.pax([("path", Array("läng/\(String(repeating: "x", count: 250))".utf8))])
        tar.add("short", "long")
        _ = try unpack(tar.finished, in: scratch.path)
        let descriptor = [CChar](
            Array("\(scratch.path)/out/".utf8).map { CChar(bitPattern: $0) } + [
                CChar(bitPattern: 0xff), CChar(bitPattern: 0xfe), 0x2f, CChar(bitPattern: 0xe9), 0,
            ])
        #expect(access(descriptor, R_OK) == 0)
        #expect(
            try Files.read("\(scratch.path)/out/läng/\(String(repeating: "x", count: 250))")
                == Array("long".utf8))
    }

    @Test("names keep their bytes, composed or not: letters with accents do not become one file")
    func composition() throws {
        let scratch = try ScratchDirectory()
        // One letter, and a letter with an accent that follows it.
        let names = [[0xc3, 0xa9], [0x65, 0xcc, 0x81]].map { $0.map { UInt8($0) } }
        var tar = TarBuilder()
        for (index, name) in names.enumerated() {
            tar.pax([("path", name)])
            tar.add("x", "\(index)")
        }
        _ = try unpack(tar.finished, in: scratch.path)
        for (index, name) in names.enumerated() {
            let path = "\(scratch.path)/out/" + String(decoding: name, as: UTF8.self)
            #expect(try Files.read(path) == Array("\(index)".utf8), "\(name)")
        }
    }

    @Test("an archive that is cut or changed is an error", arguments: [100, 600, 1500])
    func cut(at count: Int) throws {
        let scratch = try ScratchDirectory()
        var tar = TarBuilder()
        tar.add("a", String(repeating: "x", count: 2000))
        let archive = Array(tar.finished.prefix(count))
        #expect(throws: VoltError.self) { try unpack(archive, in: scratch.path) }
    }

    @Test(
        "what is not an archive is an error",
        arguments: ["hello", "\u{1f}\u{8b}", "PK\u{3}\u{4}", String(repeating: "a", count: 600)])
    func notAnArchive(text: String) throws {
        let scratch = try ScratchDirectory()
        #expect(throws: VoltError.self) { try unpack(Array(text.utf8), in: scratch.path) }
    }

    @Test("entries, bytes and depth have limits; a size that lies writes nothing")
    func limits() throws {
        var limits = ArchiveLimits()
        limits.entries = 3
        limits.bytes = 100_000
        limits.depth = 4
        var many = TarBuilder()
        for index in 0..<4 { many.add("f\(index)", "x") }
        var deep = TarBuilder()
        deep.add("a/b/c/d/e", "x")
        var huge = TarBuilder()
        huge.add("huge", "x", size: 1 << 30)
        var long = TarBuilder()
        long.add("long", String(repeating: "x", count: 200_000))
        for archive in [many.finished, deep.finished, huge.finished, long.finished] {
            let scratch = try ScratchDirectory()
            #expect { try unpack(archive, in: scratch.path, limits: limits) } throws: {
                ($0 as? VoltError)?.code == .refused
            }
        }
    }

    @Test(
        "every compression is read, and the digest is that of the plain archive",
        arguments: ["gzip", "bzip2", "xz", "zstd"])
    func compression(program: String) throws {
        let scratch = try ScratchDirectory()
        var tar = TarBuilder()
        tar.add("a", String(repeating: "text ", count: 10_000))
        let run = ToolRunner(scratch: scratch.path)
        try Files.replace("\(scratch.path)/plain", with: tar.finished)
        guard try run("sh", "-c", "command -v \(program)").status == 0 else {
            Issue.record("'\(program)' is not installed")
            return
        }
        let made = try run("sh", "-c", "\(program) -c plain > packed")
        #expect(made.status == 0)
        let packed = try Files.read("\(scratch.path)/packed")
        let result = try unpack(packed, in: scratch.path)
        #expect(result.digest == SHA256Hasher.digest(of: tar.finished))
        #expect(result.compressedDigest == SHA256Hasher.digest(of: packed))
        #expect(result.compressedCount == UInt64(packed.count))
    }

    @Test("bytes changed at random neither crash nor escape", arguments: 0..<4)
    func fuzz(seed: Int) throws {
        var tar = TarBuilder()
        tar.add("d/", type: "5")
        tar.add("d/file", String(repeating: "y", count: 700))
        tar.add("d/link", type: "2", link: "../d")
        tar.pax([("path", Array("p/q".utf8)), ("SCHILY.xattr.user.a", [1, 2, 3])])
        tar.add("h", type: "1", link: "d/file")
        var state = UInt64(seed) &+ 77
        func next(_ bound: Int) -> Int {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Int(state >> 33) % bound
        }
        for _ in 0..<150 {
            let scratch = try ScratchDirectory()
            var archive = tar.finished
            for _ in 0..<(1 + next(6)) { archive[next(archive.count)] = UInt8(next(256)) }
            _ = try? unpack(archive, in: scratch.path)
            #expect(try Files.list(scratch.path) == ["a.tar", "out"], "seed \(seed)")
        }
    }
}
