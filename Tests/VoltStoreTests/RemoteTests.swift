import Dispatch
import Glibc
import Synchronization
import Testing
import VoltCore
import VoltStore
import VoltSystem
import VoltTestKit

/// Two stores that send to each other.
@Suite struct RemoteTests {
    private let bench: Bench

    init() throws {
        bench = try Bench()
        try bench.shell(
            """
            mkdir -p src/d; head -c 3000000 /dev/urandom > src/big; for i in $(seq 200); do echo $i > src/d/$i; done
            truncate -s 8M src/holes; echo x >> src/holes; cp src/big src/d/again; printf a > "$(printf 'src/n\\377')"
            volt-cas init --store one > one.path; volt-cas init --store two > two.path
            """)
    }

    private func cas(_ words: String...) throws -> ToolRunner.Result {
        try bench.runner.run(["volt-cas"] + words)
    }

    private func start(_ words: [String]) throws -> Int32 {
        try Processes.spawnDetached(
            "/usr/bin/env", ["-C", bench.path, "--"] + words, environment: bench.runner.environment)
    }

    private func stop(_ process: Int32) {
        kill(process, SIGKILL)
        waitpid(process, nil, 0)
    }

    private func eventually(_ what: String, _ condition: () throws -> Bool) throws {
        for _ in 0..<500 {
            if try condition() { return }
            usleep(20_000)
        }
        Issue.record("never: \(what)")
    }

    private func same(_ tag: String, in store: String, _ source: String = "src") throws {
        try bench.shell("rm -rf out; volt-cas checkout \(tag) out --store \"\(store)\" -q")
        #expect(try bench.listing(source) == bench.listing("out"))
        #expect(try cas("verify", "--read-data", "-q", "--store", store).status == 0)
    }

    @Test(
        "a push to a directory sends what is not there, once, in the form it has here",
        arguments: [[], ["--bare"]])
    func push(form: [String]) throws {
        try #require(
            try bench.runner.run(
                ["volt-cas", "add-tree", "src", "--tag", "s", "--store", "one", "-q"] + form
            ).status == 0)
        let first = try cas("push", "two", "s", "--store", "one", "-q", "-o", "json")
        #expect(first.status == 0 && first.stdout.contains("\"s\""), "\(first)")
        try same("s", in: "two")
        let again = try cas("push", "two", "--all", "--store", "one", "-q", "-o", "json")
        #expect(again.stdout.contains("\"blobs\" : 0"), "\(again)")
        // One piece of the large file is new.
        try bench.shell(
            "cp -a src more; printf abc | dd of=more/big bs=1 seek=1000000 conv=notrunc status=none")
        try #require(
            try bench.runner.run(
                ["volt-cas", "add-tree", "more", "--tag", "m", "--store", "one", "-q"] + form
            ).status == 0)
        let more = try cas("push", "two", "m", "--store", "one", "-q", "-o", "json")
        #expect(more.status == 0)
        if form.isEmpty {
            let line = more.stdout.split(separator: "\n").first { $0.contains("bytes") } ?? ""
            let sent = Int(line.filter(\.isNumber)) ?? .max
            #expect(sent < 1_200_000, "\(more.stdout)")
        }
        try same("m", in: "two", "more")
    }

    @Test("a pull gets a tag under its name or another, and says when there is none")
    func pull() throws {
        try #require(try cas("add-tree", "src", "--tag", "s", "--store", "one", "-q").status == 0)
        try bench.shell("echo blob | volt-cas put - --tag b --store one > /dev/null")
        #expect(try cas("pull", "./one", "s", "--as", "there/s", "--store", "two", "-q").status == 0)
        try same("there/s", in: "two")
        #expect(try cas("pull", "./one", "--all", "--store", "two", "-q").status == 0)
        #expect(try cas("cat", "b", "--store", "two").stdout == "blob\n")
        let none = try cas("pull", "./one", "nope", "--store", "two")
        #expect(none.status == 3 && none.stderr.contains("has no tag 'nope'"), "\(none)")
        #expect(try cas("pull", "nowhere", "s", "--store", "two").status == 3)
        for bad in ["", "ssh://host", "-oProxyCommand=x:/y", "ssh://-oX=y/z", "unix:relative", "ssh://h:0/x"]
        {
            let result = try cas("pull", "--store", "two", "--", bad, "s")
            #expect(result.status == 64, "\(bad): \(result)")
        }
    }

    @Test("a socket serves several at a time, and one for reading takes nothing")
    func socket() throws {
        try #require(try cas("add-tree", "src", "--tag", "s", "--store", "one", "-q").status == 0)
        let server = try start(["volt-cas", "serve", "--socket", "sock", "--read-only", "--store", "one"])
        defer { stop(server) }
        try eventually("it listens") { Files.exists("\(bench.path)/sock") }
        #expect(try bench.shell("stat -c %a sock") == "600\n")
        let second = try cas("serve", "--socket", "sock", "--store", "one")
        #expect(second.status == 4 && second.stderr.contains("another server does"), "\(second)")
        let file = try cas("serve", "--socket", "src/d/1", "--store", "one")
        #expect(file.status == 4 && file.stderr.contains("not a socket"), "\(file)")
        #expect(try bench.shell("cat src/d/1") == "1\n")
        try bench.shell(
            """
            for i in 1 2 3; do volt-cas init --store t$i > /dev/null; volt-cas pull unix:$PWD/sock s --store t$i -q & done; wait
            for i in 1 2 3; do volt-cas verify --read-data -q --store t$i > /dev/null; volt-cas ls s --store t$i | wc -l; done | uniq | wc -l | grep -x 1
            """)
        try same("s", in: "t3")
        let refused = try cas("push", "unix:\(bench.path)/sock", "s", "--store", "t1")
        #expect(refused.status == 5 && refused.stderr.contains("only for reading"), "\(refused)")
    }

    @Test("the socket of a server that was killed is taken over")
    func leftSocket() throws {
        for _ in 0..<2 {
            let server = try start(["volt-cas", "serve", "--socket", "sock", "--store", "one"])
            defer { stop(server) }
            try eventually("it listens") {
                try cas("push", "unix:\(bench.path)/sock", "--all", "--store", "two").status == 0
            }
        }
        #expect(Files.exists("\(bench.path)/sock"))
        #expect(try cas("pull", "unix:\(bench.path)/sock", "--all", "--store", "two").status != 0)
    }

    @Test(
        "a store is reached through a real sshd, with a key that may do nothing else",
        .enabled(
            if: geteuid() == 0 && Files.exists("/usr/sbin/sshd"), "needs root and the package openssh-server")
    )
    func ssh() throws {
        let port = LoopbackPort.free()
        let tools = try bench.shell("dirname $(command -v volt-cas)").dropLast()
        try bench.shell(
            """
            chmod 755 .; mkdir -p /run/sshd; ssh-keygen -q -t ed25519 -N '' -f host; ssh-keygen -q -t ed25519 -N '' -f user
            ssh-keygen -q -t ed25519 -N '' -f limited; mkdir "it's"; mv two "it's/two"
            cat user.pub > authorized
            printf 'restrict,command="\(tools)/volt-cas serve --stdio --read-only --store \(bench.path)/one" ' >> authorized; cat limited.pub >> authorized
            printf 'Port \(port)\\nListenAddress 127.0.0.1\\nHostKey %s/host\\nAuthorizedKeysFile %s/authorized\\nStrictModes no\\nUsePAM no\\nPasswordAuthentication no\\nPidFile none\\nSetEnv PATH=\(tools):/usr/bin:/bin\\n' $PWD $PWD > sshd_config
            mkdir -p bin; for k in user limited; do mkdir bin/$k; printf '#!/bin/sh\\nexec /usr/bin/ssh -F none -i %s/%s -o IdentitiesOnly=yes -o StrictHostKeyChecking=no -o UserKnownHostsFile=%s/known -o LogLevel=ERROR "$@"\\n' $PWD $k $PWD > bin/$k/ssh; chmod +x bin/$k/ssh; done
            volt-cas add-tree src --tag s --store one -q
            """)
        let server = try start(["/usr/sbin/sshd", "-D", "-f", "\(bench.path)/sshd_config"])
        defer { stop(server) }
        let run = { (key: String, script: String) throws -> ToolRunner.Result in
            try bench.runner.run(["sh", "-euc", "PATH=\(bench.path)/bin/\(key):$PATH; \(script)"])
        }
        try eventually("sshd listens") {
            try run("user", "ssh -p \(port) root@127.0.0.1 true").status == 0
        }
        let address = "\"ssh://root@127.0.0.1:\(port)\(bench.path)/it's/two\""
        let push = try run("user", "volt-cas push \(address) s --store one -q")
        #expect(push.status == 0, "\(push)")
        try same("s", in: "it's/two")
        try bench.shell("volt-cas init --store three")
        // Whatever the command says, this key reads that one store.
        let pull = try run("limited", "volt-cas pull ssh://root@127.0.0.1:\(port)/etc s --store three -q")
        #expect(pull.status == 0, "\(pull)")
        try same("s", in: "three")
        let denied = try run("limited", "volt-cas push \(address) s --store one -q")
        #expect(denied.status == 5 && denied.stderr.contains("only for reading"), "\(denied)")
        let wrong = try run(
            "user", "volt-cas pull root@127.0.0.1:/nowhere s --store three -q 2>&1 || echo failed")
        #expect(wrong.stdout.contains("failed"))
    }

    @Test(
        "what is damaged is put aside and comes from another store, whole or in pieces that are cut elsewhere",
        arguments: ["packed", "bare", "other form"])
    func repair(form: String) throws {
        let words = form == "bare" ? ["--bare"] : []
        try #require(
            try bench.runner.run(
                ["volt-cas", "add-tree", "src", "--tag", "s", "--store", "one", "-q"] + words
            ).status == 0)
        if form == "other form" {
            try #require(
                try cas("add-tree", "src", "--tag", "s", "--bare", "--store", "two", "-q").status == 0)
        } else {
            try #require(try cas("push", "two", "s", "--store", "one", "-q").status == 0)
        }
        var random = SeededGenerator(7)
        for round in 0..<6 {
            try bench.shell(
                """
                f=$(find one/packs one/objects one/index -type f -size +2k | sort | sed -n "$((\(Int.random(in: 0..<1000, using: &random)) % $(find one/packs one/objects one/index -type f -size +2k | wc -l) + 1))p")
                chmod u+w "$f"; dd if=/dev/urandom of="$f" bs=1 count=64 seek=$((\(Int.random(in: 0..<1_000_000, using: &random)) % ($(stat -c %s "$f") - 64))) conv=notrunc status=none
                """)
            #expect(try cas("verify", "--read-data", "-q", "--store", "one").status == 1)
            let result = try cas("repair", "--from", "./two", "--store", "one", "-q")
            #expect(result.status == 0, "round \(round): \(result)")
            try same("s", in: "one")
        }
    }

    @Test("a push that is killed at any moment leaves both stores sound, and the next one ends it")
    func killed() throws {
        let rounds = Int(Environment.current["VOLT_SOAK_ROUNDS"] ?? "") ?? 8
        try bench.shell(
            "volt-cas add-tree src --tag s --store one -q; volt-cas add-tree src --bare --tag t --store one -q"
        )
        var killed = 0
        for round in 0..<rounds {
            try bench.shell("rm -rf two; volt-cas init --store two > /dev/null")
            let result = try bench.shell(
                "timeout -s KILL 0.0\(10 + round * 31 % 60) volt-cas push two --all --store one -q > /dev/null 2>&1 && echo ended || :"
            )
            if result.isEmpty { killed += 1 }
            #expect(try cas("verify", "--read-data", "-q", "--store", "two").status == 0, "round \(round)")
            #expect(try cas("gc", "--store", "two").status == 0)
            #expect(try cas("push", "two", "s", "--store", "one", "-q").status == 0)
            #expect(try cas("gc", "--grace", "0s", "--store", "two").status == 0)
            try same("s", in: "two")
        }
        #expect(killed > 0)
    }

    @Test(
        "what another store says is compared with its digest, and nothing of a lie stays",
        arguments: [
            "bytes", "recipe", "other", "length", "greeting", "silence", "long", "name", "two names",
        ])
    func lies(lie: String) throws {
        try #require(try cas("add-tree", "src", "--tag", "s", "--store", "one", "-q").status == 0)
        // Stands between: what comes from the real one is changed on its way.
        try bench.shell("mkdir bin")
        try Files.replace(
            "\(bench.path)/bin/ssh",
            with: """
                #!/usr/bin/python3
                import subprocess, sys, os, threading, struct
                lie = "\(lie)"
                server = subprocess.Popen(["volt-cas", "serve", "--stdio", "--store", "\(bench.path)/one"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
                if lie == "greeting": os.write(1, b"Welcome to this host!\\n"); sys.exit(0)
                if lie == "silence": sys.exit(0)
                def up():
                    while True:
                        data = os.read(0, 65536)
                        if not data: break
                        server.stdin.write(data); server.stdin.flush()
                    server.stdin.close()
                threading.Thread(target=up, daemon=True).start()
                def exactly(n):
                    data = b""
                    while len(data) < n:
                        part = server.stdout.read(n - len(data))
                        if not part: sys.exit(0)
                        data += part
                    return data
                done = False
                while True:
                    head = exactly(4); body = bytearray(exactly(struct.unpack("<I", head)[0]))
                    kind = body[0]
                    if kind == 6 and not done:
                        recipe = body[1 + 4] == 1
                        if lie == "bytes" and not recipe: body[-1] ^= 1; done = True
                        if lie == "other" and not recipe: body[1 + 24] ^= 1; done = True
                        if lie == "length" and not recipe: body[1 + 8] ^= 1; done = True
                        # Two pieces change places; the length stays.
                        if lie == "recipe" and recipe and len(body) > 57 + 96:
                            a, b = body[57:57 + 48], body[57 + 48:57 + 96]
                            body[57:57 + 48], body[57 + 48:57 + 96] = b, a
                            import hashlib
                            body[1 + 20:1 + 24] = hashlib.sha256(bytes(body[57:])).digest()[:4]
                            done = True
                        if lie == "long": head = struct.pack("<I", 1 << 30)
                    # The tag that was asked for, under the name of another, or with another.
                    other = bytearray(body[:34]) + b"precious"
                    if kind == 16 and lie == "name": body = other; head = struct.pack("<I", len(body))
                    if kind == 16 and lie == "two names":
                        sys.stdout.buffer.write(struct.pack("<I", len(other)) + bytes(other))
                    sys.stdout.buffer.write(head + bytes(body)); sys.stdout.buffer.flush()

                """.utf8, mode: 0o755)
        let result = try bench.runner.run([
            "sh", "-euc", "PATH=\(bench.path)/bin:$PATH; timeout 20 volt-cas pull host:/x s --store two",
        ])
        #expect([1, 5, 75].contains(result.status) && result.stderr.contains("volt-cas: hint:"), "\(result)")
        let tags = try cas("tags", "--store", "two", "-o", "json")
        #expect(tags.status == 0 && !tags.stdout.contains("\"name\""), "\(tags)")
        // The truth comes in afterwards.
        #expect(try cas("pull", "./one", "s", "--store", "two", "-q").status == 0)
        try same("s", in: "two")
    }

    @Test("a store for appending takes what is new, and no tag of it is replaced or removed")
    func appendOnly() throws {
        try bench.shell(
            """
            volt-cas add-tree src --tag backup/monday --store one -q; volt-cas push two --all --store one -q > /dev/null
            mkdir evil; echo gone > evil/x; volt-cas init --store evil.store > /dev/null; volt-cas add-tree evil --tag backup/monday --store evil.store -q
            volt-cas add-tree evil --tag backup/tuesday --store evil.store -q
            """)
        let before = try cas("tags", "--store", "two", "-o", "json").stdout
        let server = try start(["volt-cas", "serve", "--socket", "sock", "--append-only", "--store", "two"])
        defer { stop(server) }
        try eventually("it listens") { Files.exists("\(bench.path)/sock") }
        let there = "unix:\(bench.path)/sock"
        let replaced = try cas("push", there, "backup/monday", "--store", "evil.store", "-q")
        #expect(replaced.status == 4 && replaced.stderr.contains("names something else"), "\(replaced)")
        #expect(try cas("tags", "--store", "two", "-o", "json").stdout == before)
        // What is there as it is, and what is new.
        #expect(try cas("push", there, "backup/monday", "--store", "one", "-q").status == 0)
        #expect(try cas("push", there, "backup/tuesday", "--store", "evil.store", "-q").status == 0)
        #expect(
            try cas("pull", there, "backup/monday", "--as", "back", "--store", "evil.store", "-q").status == 0
        )
        // A client that keeps to no order: names first, other kinds, names that are none.
        try Files.replace(
            "\(bench.path)/hostile.py",
            with: """
                import socket, struct, sys
                def frame(kind, rest=b""): return struct.pack("<IB", 1 + len(rest), kind) + rest
                digest = bytes.fromhex(sys.argv[1])
                for name, kind, say in [(b"backup/monday", 1, 17), (b"backup/monday", 0, 17), (b"../format", 0, 17), (b"backup/monday.1.2.tmp", 0, 17), (b"new", 0, 13)]:
                    s = socket.socket(socket.AF_UNIX); s.connect("sock")
                    s.sendall(frame(1, b"VOLTWIRE\\1") + frame(14, bytes([kind]) + digest + name)); s.shutdown(socket.SHUT_WR)
                    data = b""
                    while part := s.recv(65536): data += part
                    kinds = []
                    while data:
                        count = struct.unpack("<I", data[:4])[0]; kinds.append(data[4]); data = data[4 + count:]
                    assert kinds[-1] == say, (name, kinds)
                print("held")
                """.utf8)
        let tree = try bench.shell(
            "volt-cas tags --store evil.store -o json | grep -o 'sha256:[0-9a-f]*' | tail -1 | cut -c8-"
        ).dropLast()
        #expect(try bench.shell("python3 hostile.py \(tree)") == "held\n")
        try same("backup/monday", in: "two")
        let none = try cas("serve", "--stdio", "--append-only", "--read-only", "--store", "two")
        #expect(none.status == 64, "\(none)")
    }

    @Test("of two that give one new name at a time to a store for appending one is told that it is taken")
    func appendRace() throws {
        let store = try ContentStore.open("\(bench.path)/two")
        let digests = try (0..<8).map { number in
            try Files.replace("\(bench.path)/x", with: [UInt8(number)])
            return try store.put(file: "\(bench.path)/x").digest
        }
        for round in 0..<20 {
            let set = Mutex(0)
            DispatchQueue.concurrentPerform(iterations: digests.count) { index in
                if (try? store.setTag("t\(round)", to: digests[index], kind: .blob, replacing: false)) != nil
                {
                    set.withLock { $0 += 1 }
                }
            }
            #expect(set.withLock { $0 } == 1)
        }
        #expect(try Files.list("\(bench.path)/two/tags").count == 20)
    }

    @Test("a piece that was put there as a whole file serves the blobs that have it")
    func pieces() throws {
        try #require(try cas("add-tree", "src", "--tag", "s", "--store", "one", "-q").status == 0)
        let store = try ContentStore.open("\(bench.path)/one")
        let other = try ContentStore.open("\(bench.path)/two")
        // Every piece of the large file as a whole file, then the file packed.
        let pieces = try store.pieces(of: store.file("big", in: try store.resolve("s").digest))
        #expect(pieces.count > 5)
        for digest in pieces {
            try store.get(digest, to: "\(bench.path)/piece")
            _ = try other.put(file: "\(bench.path)/piece", representation: .bare)
        }
        #expect(try cas("add-tree", "src", "--tag", "s", "--store", "two", "-q").status == 0)
        try same("s", in: "two")
        #expect(try cas("gc", "--grace", "0s", "--store", "two").status == 0)
        try same("s", in: "two")
    }
}
