import Glibc
import Testing
import VoltCore
import VoltSystem
import VoltTestKit

@Suite final class RemovalTests {
    private let scratch: ScratchDirectory

    init() throws { scratch = try ScratchDirectory() }

    @discardableResult
    private func shell(_ script: String) throws -> String {
        let result = try ToolRunner(scratch: scratch.path).run(["sh", "-euc", script])
        guard result.status == 0 else { throw VoltError(.failed, "exit \(result.status): \(result.stderr)") }
        return result.stdout
    }

    @Test("a tree is removed by the bytes of its names, and no link in it is followed")
    func names() throws {
        try shell(
            """
            mkdir -p keep "$(printf 'tree/d\\377/e')" "$(printf 'tree/d\\357\\277\\275')"; echo x > keep/x; ln -s ../keep tree/link; ln -s keep alias
            echo 1 > "$(printf 'tree/d\\377/e/\\200')"; mkfifo tree/pipe; chmod 500 tree/d*
            """)
        try Files.removeTree("\(scratch.path)/tree")
        try Files.removeTree("\(scratch.path)/alias")
        try Files.removeTree("\(scratch.path)/nothing")
        try Files.removeTree("\(scratch.path)/nothing/below")
        #expect(try shell("ls -I home; cat keep/x") == "keep\nx\n")
        for path in ["/", "\(scratch.path)/keep/.", "\(scratch.path)/keep/.."] {
            #expect(throws: VoltError.self, "\(path)") { try Files.removeTree(path) }
        }
    }

    @Test(
        "what is mounted in a tree, or on it, is never removed, also of the same file system",
        .enabled(if: HostPaths.runsAsRoot, "mounts need root"), arguments: ["bind", "tmpfs"],
        ["tree/a/mnt", "tree", "tree/file"])
    func mounts(kind: String, place: String) throws {
        if kind == "tmpfs", place == "tree/file" { return }
        try shell(
            """
            mkdir -p tree/a/mnt host; echo precious > host/precious; : > tree/file
            if test \(kind) = tmpfs; then mount -t tmpfs none \(place); echo precious > \(place)/precious
            elif test -f \(place); then mount --bind host/precious \(place); else mount --bind host \(place); fi
            """)
        defer { _ = try? shell("umount -l \(place)") }
        let error = #expect(throws: VoltError.self) { try Files.removeTree("\(scratch.path)/tree") }
        #expect(error?.code == .conflict && error?.message.contains("mount point") == true, "\(error as Any)")
        #expect(
            try shell("cat host/precious; test -f \(place) && cat \(place) || cat \(place)/precious")
                == "precious\nprecious\n")
        try shell("umount \(place)")
        try Files.removeTree("\(scratch.path)/tree")
        #expect(try shell("ls -I home; cat host/precious") == "host\nprecious\n")
    }
}
