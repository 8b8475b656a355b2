import Glibc
import Testing
import VoltSystem
import VoltTestKit

/// Every way to start a program, in a process that has a file open without close-on-exec.
@Suite(.serialized) final class DescriptorTests {
    private let scratch: ScratchDirectory
    private let open: [Int32]
    private let list = ["-c", "ls -l /proc/self/fd | grep -e /leaked -e 'socket:' -e eventpoll; echo listed"]

    init() throws {
        scratch = try ScratchDirectory()
        let path = "\(scratch.path)/leaked"
        let first = creat(path, 0o600)
        // A low number and a high one.
        open = [first, fcntl(first, F_DUPFD, 700)]
        try #require(open.allSatisfy { $0 > 2 })
    }

    deinit { for descriptor in open { close(descriptor) } }

    @Test("a child whose lines are read has three descriptors")
    func child() throws {
        var lines: [String] = []
        let outcome = try Child.start("/bin/sh", list, environment: ["PATH": "/usr/bin:/bin"])
            .finish(limit: .seconds(20)) { lines.append($1) }
        #expect(outcome == .exited(0))
        #expect(lines == ["listed"])
    }

    @Test("a program whose output is captured or streamed has three descriptors")
    func program() throws {
        let program = ChildProgram(executable: "/bin/sh", environment: ["PATH": "/usr/bin:/bin"])
        let captured = try program.capture(list, input: [], limit: 1 << 16)
        #expect(String(decoding: captured.stdout, as: UTF8.self) == "listed\n")
        #expect(try program.run(list, input: []).stdout == "listed\n")
        let streamed = try program.stream(list, input: []) { output in
            var buffer = [UInt8](repeating: 0, count: 1 << 12)
            let count = read(output, &buffer, buffer.count)
            return String(decoding: buffer[..<max(0, count)], as: UTF8.self)
        }
        #expect(try streamed.value.get() == "listed\n")
    }

    @Test("a detached program has the descriptors that it was given, at their numbers")
    func detached() throws {
        let output = creat("\(scratch.path)/out", 0o600)
        let given = Glibc.open("/etc/passwd", O_RDONLY)
        defer { for descriptor in [output, given] { close(descriptor) } }
        let script = list[1] + "; test /proc/self/fd/5 -ef /etc/passwd && echo given; ls /proc/self/fd/4"
        let pid = try Processes.spawnDetached(
            "/bin/sh", ["-c", script], environment: ["PATH": "/usr/bin:/bin"],
            descriptors: [1: output, 5: given])
        var status: Int32 = 0
        while waitpid(pid, &status, 0) < 0, errno == EINTR {}
        #expect(String(decoding: try Files.read("\(scratch.path)/out"), as: UTF8.self) == "listed\ngiven\n")
    }

    @Test("a program in the foreground has three descriptors")
    func foreground() throws {
        let code = try Processes.runForeground(
            "/bin/sh", ["-c", "ls -l /proc/self/fd | grep -q /leaked && exit 3; exit 4"],
            environment: ["PATH": "/usr/bin:/bin"])
        #expect(code == 4)
    }
}
