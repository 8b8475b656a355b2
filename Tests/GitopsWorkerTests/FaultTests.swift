import Dispatch
import GitopsSource
import Glibc
import Testing
import VoltSystem
import VoltTestKit

@Suite struct FaultTests {
    @Test("a worker that waits for a silent server is killed and leaves a mirror that works")
    func silent() throws {
        let bench = try Bench()
        let commit = try bench.push()
        let gate = try Gate { _ in .hang }
        let pid = try bench.start(
            bench.snapshotRequest(bench.access("http://127.0.0.1:\(gate.port)/site.git"), "1"))
        try eventually("the server is asked") { !gate.requests.isEmpty }
        killAndWait(pid)
        #expect(try bench.snapshot(bench.fileAccess(), "1").commit == commit)
        #expect(try bench.leftovers == [])
    }

    @Test("a worker killed in the middle of a pack leaves a mirror that works and no half of a pack")
    func midFetch() throws {
        let bench = try Bench()
        try bench.push("small")
        let server = try GitHTTPServer(directory: bench.path)
        DispatchQueue(label: "git-http").async { server.serve() }
        defer { server.stop() }
        #expect(try bench.snapshot(bench.access("http://127.0.0.1:\(server.port)/site.git"), "0").status == 0)
        try bench.shell("head -c 3000000 /dev/urandom > work/big")
        let commit = try bench.push("big")
        let real = server.port
        let gate = try Gate { $0.hasPrefix("POST") ? .forward(real, upTo: 1_000_000) : .forward(real) }
        let pid = try bench.start(
            bench.snapshotRequest(bench.access("http://127.0.0.1:\(gate.port)/site.git"), "1"))
        let packs = "\(bench.mirror)/git/objects/pack"
        func unfinished() throws -> [String] {
            try Files.list(packs).filter { !$0.hasSuffix(".pack") && !$0.hasSuffix(".idx") }
        }
        try eventually("a part of the pack has come") { try !unfinished().isEmpty }
        killAndWait(pid)
        #expect(try bench.snapshot(bench.access("http://127.0.0.1:\(real)/site.git"), "1").commit == commit)
        #expect(try unfinished() == [])
        #expect(try Files.read("\(bench.path)/snapshots/1/big").count == 3_000_000)
    }

    @Test(
        "a worker killed while it writes ten thousand files leaves no snapshot, and the next one makes it whole"
    )
    func midSnapshot() throws {
        let bench = try Bench()
        try bench.shell(
            "cd work && for d in $(seq 100); do mkdir d$d; for f in $(seq 100); do echo $d.$f > d$d/f$f; done; done"
        )
        let commit = try bench.push()
        let pid = try bench.start(bench.snapshotRequest(bench.fileAccess(), "1"))
        try eventually("the snapshot is begun") { try !bench.leftovers.isEmpty }
        killAndWait(pid)
        let wasCut = !Files.exists("\(bench.path)/snapshots/1")
        #expect(wasCut)
        let answer = try bench.snapshot(bench.fileAccess(), "1")
        #expect(answer.commit == commit, "\(answer.failure)")
        #expect(try bench.leftovers == [])
        #expect(try bench.shell("find snapshots/1 -type f | wc -l") == "10000")
        #expect(try bench.read("1/d100/f100") == "100.100\n")
    }

    @Test(
        "a mirror whose pack is damaged, or that is no repository any more, is made again",
        arguments: [
            "for p in mirror/git/objects/pack/*.pack; do chmod u+w $p; printf xxxxxxxxxxxxxxxxxxxx | dd of=$p bs=1 seek=12 conv=notrunc status=none; done",
            "rm mirror/git/HEAD", "rm -r mirror/git/objects/pack/*.pack",
            "printf garbage > mirror/git/config",
            "printf x > mirror/git/refs/heads/main",
            "touch mirror/git/refs/heads/main.lock mirror/git/HEAD.lock",
        ])
    func damage(script: String) throws {
        let bench = try Bench()
        try bench.shell("for i in 1 2 3; do head -c 5000 /dev/zero | tr '\\0' $i > work/f$i; done")
        try bench.push()
        #expect(try bench.snapshot(bench.fileAccess(), "1").status == 0)
        try bench.shell(script)
        let same = try bench.snapshot(bench.fileAccess(), "same")
        #expect(same.status == 0, "\(same.failure)")
        try bench.shell("echo more > work/f4")
        let commit = try bench.push("more")
        let answer = try bench.snapshot(bench.fileAccess(), "2")
        #expect(answer.commit == commit, "\(answer.failure)")
        #expect(try bench.read("2/f4") == "more\n")
    }

    @Test("the worker ends with the process that started it")
    func orphan() throws {
        let bench = try Bench()
        let gate = try Gate { _ in .hang }
        let request = SourceRequest(
            action: .tip, repository: bench.access("http://127.0.0.1:\(gate.port)/site.git"),
            mirror: bench.mirror)
        try Files.replace("\(bench.path)/request", with: try SourceStream.encode(request))
        let parent = try Processes.spawnDetached(
            "/bin/sh",
            ["-c", "volt-gitops--worker < \(bench.path)/request & echo $! > \(bench.path)/pid; wait"],
            environment: bench.tools.environment)
        try eventually("the server is asked") { !gate.requests.isEmpty }
        let worker = try #require(Int32(try bench.shell("cat pid")))
        #expect(Processes.isAlive(worker))
        killAndWait(parent)
        try eventually("the worker is gone") { !Processes.isAlive(worker) }
    }

    @Test(
        "a request that is none, or too long, is refused",
        arguments: ["", "{}", "[", String(repeating: " ", count: 70_000)])
    func badRequest(text: String) throws {
        let bench = try Bench()
        let result = try bench.tools.run(["volt-gitops--worker"], input: text)
        #expect(result.status == 64)
        #expect(try SourceStream.event(result.stdout.utf8.dropLast()) != .note(message: ""))
    }
}
