import Glibc
import Testing
import VoltArchive
import VoltCore
import VoltSystem
import VoltTestKit

@Suite struct RootedNameTests {
    @Test("a slash in front of a name is the root of a layer, and refused elsewhere; neither leaves the tree")
    func rooted() throws {
        let scratch = try ScratchDirectory()
        let run = ToolRunner(scratch: scratch.path)
        try Files.makeDirectory("\(scratch.path)/in/etc")
        try Files.replace("\(scratch.path)/in/etc/motd", with: "hello".utf8)
        let packed = try run(
            "tar", "-cf", "a.tar", "--absolute-names", "--transform", "s,^in,/,", "in", "in/etc/motd")
        try #require(packed.status == 0, "\(packed.stderr)")
        for isTaken in [true, false] {
            let target = "\(scratch.path)/out-\(isTaken)"
            try Files.makeDirectory(target)
            let descriptor = open("\(scratch.path)/a.tar", O_RDONLY)
            defer { close(descriptor) }
            var options = UnpackOptions()
            options.isVerified = isTaken
            func unpack() throws {
                _ = try Tar.unpack(descriptor: descriptor, name: "a.tar", into: target, options: options)
            }
            if isTaken {
                try unpack()
                #expect(try Files.read("\(target)/etc/motd") == Array("hello".utf8))
            } else {
                #expect(throws: VoltError.self) { try unpack() }
            }
        }
    }
}
