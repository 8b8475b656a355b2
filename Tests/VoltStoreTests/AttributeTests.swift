import Testing
import VoltCore
import VoltSystem
import VoltTestKit

@testable import VoltStore

/// What files have besides their bytes, and what a tree, an archive or a mount does not have of it.
@Suite(.serialized, .enabled(if: HostPaths.runsAsRoot, "devices and lists need root")) struct AttributeTests {
    private let bench: Bench
    /// user::rw-, user:1000:rw-, group::r--, mask::rw-, other::r--
    private static let list =
        "0x0200000001000600ffffffff02000600e803000004000400ffffffff10000600ffffffff20000400ffffffff"

    init() throws {
        bench = try Bench()
        _ = try bench.open()
        try bench.shell(
            """
            mkdir -p src/d; echo x > src/f; mkfifo src/pipe; mknod src/null c 1 3; python3 -c 'import socket; socket.socket(socket.AF_UNIX).bind("src/socket")'
            for n in f pipe null socket d; do setfattr -n system.posix_acl_access -v \(Self.list) src/$n; done
            setfattr -n system.posix_acl_default -v \(Self.list) src/d; touch -d '2001-01-01' src/f src/d
            """)
    }

    private func lists(_ directory: String) throws -> String {
        try bench.shell(
            "cd \(directory); getfattr -e hex -hR -m 'posix|user' -d . | grep -v '^$' | sort; stat -c '%n %a' * | sort"
        )
    }

    @Test("access control lists of files, directories, pipes, devices and sockets are kept")
    func special() throws {
        #expect(try bench.cas("add-tree", "src", "--tag", "t", "-q").status == 0)
        #expect(try bench.cas("checkout", "t", "out", "-q").status == 0)
        #expect(try lists("src") == lists("out"))
        #expect(try lists("out").components(of: "posix_acl_access") == 5)
    }

    @Test("lists and names of any bytes go through archives and OCI image layouts")
    func archives() throws {
        try bench.shell(
            """
            rm src/socket; python3 - <<'X'
            import os
            for name in [b"user.\\xc3\\xa9", b"user.e\\xcc\\x81", b"user.\\xff\\xfe", b"user.a=b", b"user.a%41b", b"user.n x", b"user.%C3%A9"]:
                os.setxattr("src/f", name, b"v\\x00\\xff")
            X
            volt-cas add-tree src --tag t --store store -q; volt-cas export t --to layout --store store -q; volt-cas init --store other > /dev/null
            volt-cas import layout --store other > /dev/null; volt-cas checkout t out --store other -q
            """)
        #expect(try lists("src") == lists("out"))
        #expect(try lists("out").components(of: "posix_acl_access") == 4)
        // As other tools write and read them.
        try bench.shell(
            """
            tar --xattrs --acls -C src -cf plain.tar . 2> /dev/null || tar --xattrs -C src -cf plain.tar .
            volt-cas add-tree plain.tar --tag plain --store store -q; volt-cas checkout plain again --store store -q
            """)
        for name in ["user.a=b", "user.a%41b"] {
            #expect(
                try bench.shell("getfattr --only-values -n \(name) again/f | od -An -tx1") == " 76 00 ff\n")
        }
        let layer = try bench.shell("ls -S layout/blobs/sha256/* | head -1").dropLast()
        #expect(try bench.shell("grep -ac 'SCHILY.acl.access=user::rw-,' \(layer)") != "0\n")
    }

    @Test("more attributes than an archive may have for a file are refused")
    func tooMany() throws {
        let store = try bench.open()
        var bytes = TreeBytes()
        let values = (0..<9).map {
            TreeEntry.Attribute(name: Array("user.\($0)".utf8), value: [UInt8](repeating: 1, count: 60_000))
        }
        bytes.add(TreeEntry(name: [97], kind: .file(size: 0, digest: .zero), mode: 0o644, extended: values))
        try Files.replace("\(bench.path)/tree", with: bytes.finished)
        let tree = try store.put(file: "\(bench.path)/tree").digest
        try store.setTag("t", to: tree, kind: .tree)
        let export = try bench.cas("export", "t", "--to", "layout", "-q")
        #expect(export.status == 5 && export.stderr.contains("'a' has more extended attributes"), "\(export)")
    }

    @Test("what a tree does not keep is named")
    func dropped() throws {
        try bench.shell(
            """
            setfattr -n trusted.mine -v x src/f; setfattr -n trusted.mine -v x src/d; ln -s target src/link; ln src/link src/more
            ln src/pipe src/pipe2; touch -d '2001-01-01' src/f
            """)
        for _ in 0..<2 {
            let added = try bench.cas("add-tree", "src", "--tag", "t", "-q")
            #expect(added.status == 0, "\(added)")
            for text in [
                "'trusted.mine' belongs to the host and is not kept: 2 names have it, such as d",
                "more is another name of link",
                "pipe2 is another name of pipe",
            ] { #expect(added.stderr.contains(text), "\(added.stderr)") }
        }
    }

    @Test("a device that a mount cannot show is named")
    func hidden() throws {
        try bench.shell(
            "mknod src/zero c 0 0; mkdir mnt; volt-cas add-tree src --tag t --bare --store store -q")
        let mount = try bench.cas("mount", "t", "mnt", "-o", "json")
        defer { _ = try? bench.shell("umount -l mnt 2> /dev/null || :") }
        #expect(mount.status == 0 && mount.stderr.contains("1 character devices of number 0:0"), "\(mount)")
        #expect(mount.stdout.contains("\"hidden\" : 1"), "\(mount)")
        #expect(try bench.cas("umount", "mnt").status == 0)
        try bench.shell("rm src/zero; volt-cas add-tree src --tag t --bare --store store -q")
        #expect(try bench.cas("mount", "t", "mnt").stderr.isEmpty)
        #expect(try bench.cas("umount", "mnt").status == 0)
    }
}

extension String {
    /// How often a text is in it.
    fileprivate func components(of text: String) -> Int {
        var count = 0
        var rest = self[...]
        while let place = rest.firstRange(of: text) {
            count += 1
            rest = rest[place.upperBound...]
        }
        return count
    }
}
