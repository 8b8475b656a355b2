import Testing
import VoltCore
import VoltStore
import VoltSystem
import VoltTestKit

@Suite(.enabled(if: HostPaths.runsAsRoot, "owners and devices need root")) struct TreeTests {
    private let bench: Bench

    init() throws { bench = try Bench() }

    /// Every kind of name that a tree has.
    private func makeSource() throws {
        try bench.shell(
            """
            mkdir -p src/a/b src/empty 'src/with space'; cd src
            echo one > a/one; echo one > a/same; ln a/one a/b/second; ln -s ../one a/b/link; ln -s /nowhere dangling
            mkfifo pipe; mknod char c 1 3; mknod block b 7 0; : > nothing
            printf x > "$(printf 'name-\\377\\376')"; printf 'y' > 'with space/line
            break'
            head -c 3000000 /dev/urandom > big; head -c 700000 /dev/zero > zeros
            truncate -s 20M sparse; printf end >> sparse
            setfattr -n user.text -v value a/same; setfattr -n user.bytes -v 0x00ff10 a; setfattr -n user.none big
            cp /bin/true able; setfattr -n security.capability -v 0x0100000200040000000000000000000000000000 able
            chmod 4755 a/one; chmod 1777 empty; chown 12:34 a/same; chown -h 5:6 dangling
            touch -d '2001-02-03 04:05:06.123456789' a/same a; touch -hd '1999-01-01' dangling
            """)
    }

    @Test("a directory with every kind of name comes back as it was", arguments: Representation.allCases)
    func roundTrip(_ representation: Representation) throws {
        try makeSource()
        let store = try bench.open()
        var options = IngestOptions()
        options.representation = representation
        let result = try store.addTree("\(bench.path)/src", options: options, tag: "t")
        let copy = try store.checkout(result.digest, to: "\(bench.path)/out")
        #expect(copy.entries == result.entries)
        #expect(try bench.listing("src") == bench.listing("out"))
        // The same tree has the same name, wherever it is and however it is kept.
        options.representation = representation == .bare ? .packed : .bare
        #expect(try store.addTree("\(bench.path)/out", options: options).digest == result.digest)
        // A file without content has no blob, and can be read.
        #expect(
            try bench.shell(
                "volt-cas cat t:nothing --store store | wc -c; volt-cas get t:nothing got --store store > /dev/null; stat -c %s got"
            ) == "0\n0\n")
        // Zeros are not stored, nor written.
        #expect(try bench.shell("du -k out/sparse | cut -f1") == bench.shell("du -k src/sparse | cut -f1"))
        #expect(try store.verify(.init()).isSound)
    }

    @Test("files that have not changed are not read again, and those that have are")
    func cache() throws {
        try makeSource()
        let store = try bench.open()
        // What changed just now could change again within the granularity of its time.
        try bench.shell("sleep 2.1")
        let first = try store.addTree("\(bench.path)/src")
        let second = try store.addTree("\(bench.path)/src")
        #expect(first.unchanged == 0 && second.digest == first.digest && second.newBlobs == 0)
        #expect(second.unchanged == 9, "\(second)")
        // The same size and time, but another change: the kernel's time of it cannot be set back.
        try bench.shell(
            "cp -p src/a/same keep; printf two > x; cat x > src/a/same; echo >> src/a/same; touch -r keep src/a/same"
        )
        let third = try store.addTree("\(bench.path)/src")
        #expect(third.digest != first.digest && third.unchanged == 8, "\(third)")
        // What gc took is read again.
        _ = try store.collectGarbage(grace: .zero)
        let fourth = try store.addTree("\(bench.path)/src")
        #expect(fourth.digest == third.digest && fourth.newBlobs > 0)
        #expect(try store.verify(.init()).isSound)
        _ = try store.checkout(fourth.digest, to: "\(bench.path)/out")
        #expect(try bench.listing("src") == bench.listing("out"))
    }

    @Test("a copied tree without times has the same digest, and what is excluded is not in it")
    func choices() throws {
        try bench.shell(
            "mkdir -p a/sub; echo 1 > a/x; echo 2 > a/sub/x.o; echo 3 > a/sub/y; cp -r a b; touch -d 2001-01-01 b/x"
        )
        let store = try bench.open()
        var options = IngestOptions()
        options.keepsTimes = false
        let first = try store.addTree("\(bench.path)/a", options: options)
        #expect(try store.addTree("\(bench.path)/b", options: options).digest == first.digest)
        options.owner = (0, 0)
        options.excludes = ["*.o", "/x"]
        let less = try store.addTree("\(bench.path)/a", options: options)
        var names: [String] = []
        try store.eachEntry(of: less.digest) { path, _ in names.append(String(decoding: path, as: UTF8.self))
        }
        #expect(names == ["", "sub", "sub/y"])
        var changes: [String] = []
        try store.difference(from: TreePart(first.digest), to: TreePart(less.digest)) { change in
            changes.append("\(change.kind.rawValue) \(String(decoding: change.path, as: UTF8.self))")
        }
        #expect(changes == ["removed sub/x.o", "removed x"])
    }

    @Test("owners of every number go through trees, layouts and archives as they are")
    func owners() throws {
        try bench.shell(
            """
            mkdir src; for id in 0 2097152 2147483647 2147483648 4294967294; do
                echo $id > src/$id; chown $id:$((4294967294 - id)) src/$id; done
            chown -h 4294967294:4294967294 src; tar -cf archive.tar --format=pax --numeric-owner -C src .
            """)
        _ = try bench.open()
        for words in [
            ["add-tree", "src", "--tag", "t"], ["add-tree", "archive.tar", "--tag", "a"],
            ["checkout", "t", "out"], ["checkout", "a", "out-of-archive"], ["export", "t", "--to", "layout"],
            ["import", "layout", "--as", "back"], ["checkout", "back", "out-of-layout"],
        ] {
            let result = try bench.runner.run(["volt-cas"] + words + ["--store", bench.store])
            try #require(result.status == 0, "\(words): \(result.stderr)")
        }
        let owners = "stat -c '%n %u:%g' . *"
        let source = try bench.shell("cd src; \(owners)")
        for copy in ["out", "out-of-archive", "out-of-layout"] {
            #expect(try bench.shell("cd \(copy); \(owners)") == source, "\(copy)")
        }
        let given = try bench.cas("add-tree", "src", "--owner", "4294967294:4294967294")
        #expect(given.status == 0, "\(given.stderr)")
        for owner in ["4294967295:0", "0:4294967295", "4294967296:0", "-1:0", "+5:0", "0", "root:0"] {
            #expect(try bench.cas("add-tree", "src", "--owner=\(owner)").status == 64, "\(owner)")
        }
    }

    @Test("a merge replaces what is in the way and, when asked, removes what the tree does not have")
    func merge() throws {
        try bench.shell(
            """
            mkdir -p a/dir secret; echo new > a/dir/file; echo top > a/top; echo safe > secret/file
            mkdir out; ln -s ../secret out/dir; mkdir out/top; echo old > out/other
            """)
        let store = try bench.open()
        let tree = try store.addTree("\(bench.path)/a").digest
        #expect(throws: VoltError.self) { try store.checkout(tree, to: "\(bench.path)/out") }
        var options = CheckoutOptions()
        options.merges = true
        // A link in the place of a directory is replaced, and nothing is written through it.
        _ = try store.checkout(tree, to: "\(bench.path)/out", options: options)
        #expect(try bench.shell("cat secret/file out/dir/file out/top out/other") == "safe\nnew\ntop\nold\n")
        options.deletes = true
        _ = try store.checkout(tree, to: "\(bench.path)/out", options: options)
        #expect(try bench.listing("a") == bench.listing("out"))
    }

    @Test("a checkout by links shares the files of the store, which a writer cannot change through them")
    func links() throws {
        try bench.shell(
            "mkdir a; echo one > a/one; printf '#!/bin/sh\\necho ran' > a/run; chmod 755 a/run; : > a/none")
        let store = try bench.open()
        var ingest = IngestOptions()
        ingest.representation = .bare
        let tree = try store.addTree("\(bench.path)/a", options: ingest).digest
        var options = CheckoutOptions()
        options.method = .link
        _ = try store.checkout(tree, to: "\(bench.path)/one", options: options)
        _ = try store.checkout(tree, to: "\(bench.path)/two", options: options)
        #expect(try bench.shell("test one/one -ef two/one && test one/run -ef two/run && one/run") == "ran\n")
        #expect(try bench.shell("stat -c %a one/one one/run") == "444\n555\n")
        // Trees of packed files have nothing to link.
        try bench.shell("mkdir p; echo packed > p/x")
        let packed = try store.addTree("\(bench.path)/p").digest
        #expect(throws: VoltError.self) {
            try store.checkout(packed, to: "\(bench.path)/three", options: options)
        }
    }

    @Test("a file that is written to without end is refused by its name")
    func changing() throws {
        try bench.shell("mkdir a; head -c 4000000 /dev/urandom > a/log")
        let store = try bench.open()
        try bench.shell("(while test -e a/log; do echo line; done >> a/log) > /dev/null 2>&1 & :")
        defer { _ = try? Files.remove("\(bench.path)/a/log") }
        let error = #expect(throws: VoltError.self) { try store.addTree("\(bench.path)/a") }
        #expect(error?.code == .tryAgain && error?.message.contains("'log' changes while it is read") == true)
        #expect(try Files.list("\(bench.store)/sessions") == [])
    }
}
