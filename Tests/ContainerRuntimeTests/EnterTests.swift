import Glibc
import Testing
import VoltSystem
import VoltTestKit

/// What foreign code could reach of the host while a program of Volt is in its container.
@Suite(
    .enabled(if: runsContainers, "needs root, systemd-nspawn and busybox-static"), .timeLimit(.minutes(2)))
struct EnterTests {
    let host: RuntimeHost
    private let marker: String

    init() throws {
        host = try RuntimeHost()
        marker = "\(host.scratch.path)/marker"
        try Files.makeDirectory(marker)
        try Files.replace("\(marker)/file", with: "of the host\n".utf8)
    }

    /// Runs `volt-container` for a caller that has a directory of the host open as descriptor 8.
    private func leaking(_ words: String...) throws -> ToolRunner.Result {
        try host.run.run(["sh", "-c", "exec 8<\"$0\"; exec volt-container \"$@\"", marker] + words)
    }

    /// The processes that have the marker open.
    private func holders() throws -> [String] {
        try Files.list("/proc").filter { Int32($0) != nil }.compactMap { pid in
            let links = ((try? Files.list("/proc/\(pid)/fd")) ?? []).map {
                Self.link("/proc/\(pid)/fd/\($0)")
            }
            guard links.contains(marker) else { return nil }
            let line = (try? Files.read("/proc/\(pid)/cmdline", limit: 1 << 16)) ?? []
            return String(decoding: line.map { $0 == 0 ? 32 : $0 }, as: UTF8.self)
        }
    }

    private static func link(_ path: String) -> String {
        var buffer = [CChar](repeating: 0, count: 4096)
        let count = readlink(path, &buffer, buffer.count)
        return String(decoding: buffer.prefix(max(0, count)).map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    /// The descriptors that `ls -l /proc/self/fd` shows, without the one that it reads the directory with.
    private static func descriptors(_ listing: String) -> [String] {
        listing.split(separator: "\n").filter { $0.contains(" -> ") }.compactMap { line in
            line.split(separator: " ").dropLast(2).last.map(String.init)
        }.sorted()
    }

    @Test("a program that is interpreted by /proc/self/exe leads to no file of the host that can be changed")
    func interpreter() throws {
        let helper = "\(ToolRunner.products)/volt-container--run"
        func mode() throws -> mode_t {
            var information = stat()
            try #require(stat(helper, &information) == 0)
            return information.st_mode & 0o7777
        }
        let before = try mode()
        // Whatever happens, the programs of the next test are as they were.
        defer { if let now = try? mode(), now != before { chmod(helper, before) } }
        let root = "\(host.scratch.path)/busybox"
        try Files.replace("\(root)/bin/x", with: "#!/proc/self/exe\n".utf8, mode: 0o755)
        // Opens what each new process runs, and changes its mode afterwards, when that process may be gone.
        let watch = """
            #!/bin/sh
            while :; do
                for e in /proc/[0-9]*/exe; do
                    { [ /proc/self/fd/9 -ef /bin/busybox ] || {
                        ls -l /proc/self/fd/9; chmod 4777 /proc/self/fd/9; echo >>/proc/self/fd/9; } ; } 9<$e
                done
            done >>/seen 2>/dev/null

            """
        try Files.replace("\(root)/bin/watch", with: watch.utf8, mode: 0o755)
        symlink("busybox", "\(root)/bin/chmod")
        try #require(try host.volt("import", "--name", "attack", root).status == 0)
        try #require(try host.volt("run", "-d", "--name", "a", "attack", "watch").status == 0)
        var seen = 0
        // Until it has had the program in its hands often enough; it is not fast enough every time.
        for _ in 0..<200 where seen < 5 {
            _ = try host.volt("exec", "a", "/bin/x")
            seen =
                try host.volt("exec", "a", "grep", "-c", "fd/9 -> ", "/seen").stdout
                .split(separator: "\n").first.flatMap { Int($0) } ?? 0
            guard try mode() == before else { break }
        }
        #expect(seen >= 5)
        #expect(try mode() == before)
    }

    @Test("what enters a container refuses to when its program could be changed from there")
    func startedOtherwise() throws {
        try #require(try host.volt("run", "-d", "--name", "a", "busybox", "sleep", "1000").status == 0)
        let settings = "\(host.scratch.path)/settings"
        try Files.replace(settings, with: "volt-settings 1\0leader=1\0".utf8)
        let result = try host.run("volt-container--run", "exec", settings)
        #expect(result.status == 125)
        #expect(result.stderr.contains("was not started read-only"))
    }

    @Test("nothing that a container runs has a descriptor that was open in the caller")
    func descriptors() throws {
        let port = LoopbackPort.free()
        let started = try leaking(
            "run", "-d", "--name", "web", "-p", "127.0.0.1:\(port):80", "--health", "sleep 1000",
            "--health-interval", "100ms", "busybox", "sleep", "1000")
        try #require(started.status == 0, "\(started.stderr)")
        let state = try host.state("web")
        // The check is a child of process 1.
        let leader = try #require(state.pid)
        var children = 0
        for _ in 0..<400 where children < 2 {
            let text = try Files.read("/proc/\(leader)/task/\(leader)/children", limit: 4096)
            children = text.split(separator: 32).count
            usleep(5_000)
        }
        #expect(children == 2)
        // Supervisor, systemd-nspawn, process 1, the payload, its check, and the port process.
        #expect(try holders() == [])
        let own = ["0", "1", "2"]
        let executed = try leaking("exec", "web", "ls", "-l", "/proc/self/fd")
        #expect(Self.descriptors(executed.stdout) == own, "\(executed.stdout)")
        let foreground = try leaking("run", "--rm", "busybox", "ls", "-l", "/proc/self/fd")
        #expect(Self.descriptors(foreground.stdout) == own, "\(foreground.stdout)")
        try Files.makeDirectory("\(host.scratch.path)/context")
        try Files.replace(
            "\(host.scratch.path)/context/Voltfile",
            with: "FROM busybox\nRUN [\"ls\", \"-l\", \"/proc/self/fd\"]\n".utf8)
        let built = try leaking("build", "\(host.scratch.path)/context")
        #expect(Self.descriptors(built.stdout + built.stderr) == own, "\(built.stdout)\(built.stderr)")
    }

    @Test("a working directory does not lead through an open file to the host")
    func workingDirectory() throws {
        let root = "\(host.scratch.path)/busybox"
        symlink("/proc/self/fd/8", "\(root)/caller")
        symlink("/proc/self/fd/0", "\(root)/input")
        try #require(try host.volt("import", "--name", "links", root).status == 0)
        try #require(try host.volt("run", "-d", "--name", "c", "links", "sleep", "1000").status == 0)
        for words in [["exec", "-w", "/caller", "c"], ["run", "--rm", "-w", "/caller", "links"]] {
            let result = try host.run.run(
                ["sh", "-c", "exec 8<\"$0\"; exec volt-container \"$@\"", marker] + words + ["cat", "file"])
            #expect(result.status == 125)
            #expect(!result.stdout.contains("of the host"))
            #expect(result.stderr.contains("cannot enter '/caller'"), "\(result.stderr)")
        }
        let input = try host.run(
            "sh", "-c", "exec volt-container exec -i -w /input c cat file <\"$0\"", marker)
        #expect(input.status == 125, "\(input.stdout)")
    }

    @Test("the null device that a payload has is its container's, whose mode is its own affair")
    func null() throws {
        let test = "[ /proc/self/fd/0 -ef /dev/null ] && echo own"
        try #require(
            try host.volt("run", "-d", "--name", "d", "busybox", "sh", "-c", "\(test); sleep 1000").status
                == 0)
        _ = try host.wait(for: "d") { $0.state == "running" }
        var printed = ""
        for _ in 0..<200 where printed.isEmpty {
            printed = try host.volt("logs", "d").stdout
            usleep(5_000)
        }
        #expect(printed.contains("own"))
        #expect(try host.volt("exec", "d", "sh", "-c", test).stdout == "own\n")
        #expect(
            try host.run("sh", "-c", "volt-container run --rm busybox sh -c \"$0\" </dev/null", test).stdout
                == "own\n")
    }
}
