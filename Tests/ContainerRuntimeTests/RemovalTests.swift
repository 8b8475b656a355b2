import Glibc
import Testing
import VoltSystem
import VoltTestKit

@Suite(.enabled(if: runsContainers, "needs root, systemd-nspawn and busybox-static"))
struct RemovalTests {
    let host: RuntimeHost

    init() throws { host = try RuntimeHost() }

    private func names(_ path: String) throws -> [String] {
        try Files.list("\(host.scratch.path)/root/\(path)").filter { !$0.hasPrefix(".exec") }
    }

    @Test(
        "an rm killed at any system call that writes leaves the container whole, or nothing after the next command",
        .enabled(if: Files.exists("/usr/bin/strace"), "needs strace"),
        arguments: ["rename", "unlink", "unlinkat", "fsync", "connect"])
    func killed(call: String) throws {
        var kills = 0
        for number in 1...60 {
            try #require(
                try host.volt("run", "-d", "--name", "c", "-v", "data:/data", "busybox", "touch", "/a", "/b")
                    .status == 0)
            _ = try host.wait(for: "c") { $0.state == "exited" }
            let result = try host.run(
                "strace", "-f", "-o", "\(host.scratch.path)/trace", "-e", "trace=\(call)", "-e",
                "inject=\(call):signal=KILL:when=\(number)", "volt-container", "rm", "c")
            if result.status != 0 {
                kills += 1
                try #require(result.status == 137, "\(call) \(number): \(result.stderr)")
            }
            let left = try host.states().map(\.spec.name)
            if left == ["c"] {
                #expect(try host.volt("logs", "c").status == 0)
                #expect(try host.volt("rm", "c").status == 0)
            } else {
                #expect(left == [])
            }
            #expect(try names("lib/container/containers") == [], "\(call) \(number)")
            #expect(try names("run/container/locks") == [], "\(call) \(number)")
            if result.status == 0 { break }
        }
        #expect(kills < 60)
        if call == "rename" || call == "unlink" || call == "unlinkat" { #expect(kills > 0) }
    }

    @Test(
        "a container that removes itself leaves no directory and no lock, also when its supervisor is killed at it"
    )
    func removesItself() throws {
        #expect(try host.volt("run", "--rm", "busybox", "true").status == 0)
        #expect(try names("lib/container/containers") == [])
        #expect(try names("run/container/locks") == [])
        try #require(
            try host.volt("run", "-d", "--rm", "--name", "c", "busybox", "sleep", "1000").status == 0)
        kill(try #require(try host.state("c").supervisor), SIGKILL)
        #expect(try host.states().isEmpty)
        #expect(try names("lib/container/containers") == [])
        _ = try host.volt("ps")
        #expect(try names("run/container/locks") == [])
    }

    @Test("parts that killed commands left are swept, and those of commands at work are not")
    func sweep() throws {
        let containers = "\(host.scratch.path)/root/lib/container/containers"
        for name in [
            "half/upper", ".removed-1/upper", ".step-4194303-1/stage", ".step-\(getpid())-1/stage",
            "busy/upper",
        ] {
            try Files.makeDirectory("\(containers)/\(name)")
        }
        try Files.makeDirectory("\(host.scratch.path)/root/run/container/locks")
        let lock = try FileLock.wait(for: "\(host.scratch.path)/root/run/container/locks/busy")
        _ = try host.volt("ps", "--all")
        #expect(try names("lib/container/containers") == [".step-\(getpid())-1", "busy"])
        #expect(try names("run/container/locks") == ["busy"])
        lock.keep()
    }

    @Test("containers of a newer format are refused, and nothing is touched")
    func newerFormat() throws {
        try #require(try host.volt("create", "--name", "c", "busybox", "true").status == 0)
        let file = "\(host.scratch.path)/root/lib/container/format"
        #expect(try Files.read(file) == Array("1\n".utf8))
        try Files.replace(file, with: "2\n".utf8)
        for words in [["ps"], ["rm", "c"], ["run", "--rm", "busybox", "true"]] {
            let result = try host.run.run(["volt-container"] + words)
            #expect(result.status == (words[0] == "run" ? 125 : 5))
            #expect(result.stderr.contains("format 2 is not one this tool reads (1)"), "\(result.stderr)")
            #expect(result.stderr.contains("hint: upgrade volt-container"))
        }
        try Files.replace(file, with: "1\n".utf8)
        #expect(try host.states().map(\.spec.name) == ["c"])
    }

    @Test("logs --since shows what was printed from a time on, and refuses what is no time")
    func since() throws {
        try #require(
            try host.volt(
                "run", "-d", "--name", "c", "busybox", "sh", "-c", "echo old; sleep 2; echo new; sleep 1000"
            ).status
                == 0)
        while try !host.volt("logs", "c").stdout.contains("new") { usleep(50_000) }
        #expect(try host.volt("logs", "--since", "1500ms", "c").stdout == "new\n")
        #expect(try host.volt("logs", "--since", "1h", "c").stdout == "old\nnew\n")
        #expect(try host.volt("logs", "--since", "1h", "--tail", "1", "c").stdout == "new\n")
        #expect(try host.volt("logs", "--since", "2001-01-01T00:00:00Z", "c").stdout == "old\nnew\n")
        #expect(try host.volt("logs", "--since", "2999-01-01T00:00:00Z", "c").stdout == "")
        let wrong = try host.volt("logs", "--since", "yesterday", "c")
        #expect(wrong.status == 64)
        #expect(wrong.stderr.contains("'yesterday' is no time"))
    }
}
