import CTestTerminal
import Glibc
import Testing
import VoltSystem
import VoltTestKit

@Suite struct ProcessStateTests {
    @Test("a caller that left signals and descriptors in disorder does not reach the tool")
    func disorder() throws {
        let machine = try Machine()
        try machine.tool("cat", "/bin/cat")
        let status = try machine.inDisorder("cat", "/proc/self/status").text
        let signals = status.split(separator: "\n").filter { $0.hasPrefix("Sig") || $0.hasPrefix("ShdPnd") }
        func mask(_ field: String) -> UInt64? {
            signals.first { $0.hasPrefix(field) }.flatMap { UInt64($0.dropFirst(field.count + 2), radix: 16) }
        }
        #expect(mask("SigBlk") == 0)
        #expect(mask("SigCgt") == 0)
        // Only SIGHUP stays ignored: that is how nohup(1) asks for it.
        #expect(mask("SigIgn") == 1)
        try machine.tool("ls", "/bin/ls")
        // The fourth is the directory that ls reads.
        #expect(try machine.inDisorder("ls", "/proc/self/fd").text == "0\n1\n2\n3\n")
    }

    @Test("a descriptor that a word names is handed on, as for <(…) of a shell")
    func substitution() throws {
        let machine = try Machine()
        try machine.tool("cat", "/bin/cat")
        #expect(try machine.bash("volt cat <(echo a) <(echo b)").stdout == "a\nb\n")
        try machine.tool("ls", "/bin/ls")
        #expect(try machine.bash("volt ls /proc/self/fd 8</dev/null").stdout == "0\n1\n2\n3\n")
    }

    @Test("the sockets of a systemd socket unit are handed on")
    func listenDescriptors() throws {
        let machine = try Machine()
        try machine.tool("ls", "/bin/ls")
        let line = "exec 3</dev/null 4</dev/null 5</dev/null; export LISTEN_FDS=2; "
        #expect(
            try machine.bash(line + "LISTEN_PID=$$ exec volt ls /proc/self/fd").stdout == "0\n1\n2\n3\n4\n5\n"
        )
        #expect(try machine.bash(line + "LISTEN_PID=1 exec volt ls /proc/self/fd").stdout == "0\n1\n2\n3\n")
    }

    @Test("nohup works through volt")
    func nohup() throws {
        let machine = try Machine()
        try machine.script("one/volt-x", "kill -HUP $$; echo alive")
        #expect(try machine.bash("nohup volt x 2>/dev/null </dev/null | cat").stdout == "alive\n")
        #expect(try machine.bash("volt x; echo $?").stdout == "129\n")
    }

    @Test("a listing into a closed pipe ends by SIGPIPE, into a full disk with an error")
    func closedPipe() throws {
        let machine = try Machine()
        var ends: [Int32] = [0, 0]
        #expect(Glibc.pipe(&ends) == 0)
        close(ends[0])
        let pid = machine.spawnInDisorder(["help", "-a"], output: ends[1])
        close(ends[1])
        #expect(waitForExit(of: pid) == 128 + SIGPIPE)
        for line in ["volt --list-cmds=main >/dev/full", "volt help >&-", "volt plugins --json >/dev/full"] {
            let result = try machine.bash(line)
            #expect(result.outcome.hasPrefix("1 volt: error: cannot write to stdout: "))
        }
    }

    @Test("Ctrl-C on a terminal reaches the tool alone")
    func interrupt() throws {
        let machine = try Machine()
        try machine.script(
            "one/volt-x", "trap 'echo caught; exit 42' INT; echo ready; while :; do sleep 0.01; done")
        let terminal = try machine.onTerminal([machine.volt, "x"])
        #expect(terminal.wait(for: "ready"))
        terminal.type("\u{03}")
        #expect(terminal.wait(for: "caught"))
        #expect(terminal.exitCode() == 42)
        try machine.tool("sleep", "/bin/sleep")
        let plain = try machine.onTerminal([machine.volt, "sleep", "30"])
        plain.waitForProgram("/sleep")
        plain.type("\u{03}")
        #expect(plain.exitCode() == 128 + SIGINT)
    }

    @Test("Ctrl-Z stops the tool as a job of the shell, and fg goes on")
    func jobControl() throws {
        let machine = try Machine()
        try machine.script("one/volt-x", #"echo ready; read line; echo "read $line""#)
        let shell = try machine.onTerminal(["/bin/bash", "--norc", "--noprofile", "-i"])
        shell.type("PS1=; volt x\n")
        #expect(shell.wait(for: "ready\r\n"))
        shell.type("\u{1a}")
        #expect(shell.wait(for: "Stopped"))
        shell.type("fg\n")
        #expect(shell.wait(for: "volt x\r\n"))
        shell.type("words\n")
        #expect(shell.wait(for: "read words"))
        shell.type("exit 7\n")
        #expect(shell.exitCode() == 7)
    }
}

extension Machine {
    /// Starts `volt` as `test_spawn_in_disorder` does.
    func spawnInDisorder(_ words: [String], output: Int32) -> pid_t {
        withPointers([volt] + words) { argv in
            withPointers(environment.map { "\($0)=\($1)" }) { envp in
                test_spawn_in_disorder(volt, argv, envp, output)
            }
        }
    }

    func inDisorder(_ words: String...) throws -> (status: Int32, text: String) {
        let file = "\(root)/output"
        let descriptor = open(file, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
        let pid = spawnInDisorder(words, output: descriptor)
        close(descriptor)
        return (waitForExit(of: pid), String(decoding: try Files.read(file), as: UTF8.self))
    }

    func onTerminal(_ words: [String]) throws -> Terminal {
        var pid: pid_t = 0
        let descriptor = withPointers(words) { argv in
            withPointers(environment.map { "\($0)=\($1)" } + ["TERM=dumb"]) { envp in
                test_spawn_on_terminal(words[0], argv, envp, &pid)
            }
        }
        try #require(descriptor >= 0)
        return Terminal(descriptor: descriptor, pid: pid)
    }
}

/// The user's side of a terminal that a program runs on.
final class Terminal {
    private let descriptor: Int32
    private var pid: pid_t
    private var seen = ""

    init(descriptor: Int32, pid: pid_t) {
        self.descriptor = descriptor
        self.pid = pid
    }

    func type(_ text: String) {
        _ = Array(text.utf8).withUnsafeBytes { write(descriptor, $0.baseAddress, $0.count) }
    }

    /// Reads until a text shows behind what was seen before; false after 20 seconds or at the end.
    func wait(for text: String) -> Bool {
        var buffer = [UInt8](repeating: 0, count: 4096)
        while true {
            if let range = seen.firstRange(of: text) {
                seen = String(seen[range.upperBound...])
                return true
            }
            var events = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
            guard poll(&events, 1, 20_000) == 1 else { return false }
            let count = read(descriptor, &buffer, buffer.count)
            guard count > 0 else { return false }
            seen += String(decoding: buffer[..<count], as: UTF8.self)
        }
    }

    /// Returns when the process runs another program.
    func waitForProgram(_ ending: String) {
        var buffer = [CChar](repeating: 0, count: 4096)
        for _ in 0..<20_000 {
            let count = readlink("/proc/\(pid)/exe", &buffer, buffer.count)
            let path = String(decoding: buffer[..<max(0, count)].map { UInt8(bitPattern: $0) }, as: UTF8.self)
            if path.hasSuffix(ending) { return }
            usleep(1000)
        }
    }

    /// Waits for the program.
    func exitCode() -> Int32 {
        defer { pid = 0 }
        return waitForExit(of: pid)
    }

    deinit {
        if pid > 0 {
            kill(pid, SIGKILL)
            _ = waitForExit(of: pid)
        }
        close(descriptor)
    }
}

/// Waits for a child; its exit code as a shell gives it.
func waitForExit(of pid: pid_t) -> Int32 {
    var status: Int32 = 0
    while waitpid(pid, &status, 0) < 0 { if errno != EINTR { return -1 } }
    return status & 0x7f == 0 ? status >> 8 & 0xff : 128 + status & 0x7f
}

func withPointers<Result>(
    _ strings: [String], _ body: ([UnsafeMutablePointer<CChar>?]) -> Result
) -> Result {
    let pointers = strings.map { strdup($0) } + [nil]
    defer { pointers.forEach { free($0) } }
    return body(pointers)
}
