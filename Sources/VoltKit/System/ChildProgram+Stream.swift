internal import CVoltSystem
internal import Glibc
public import VoltCore

extension ChildProgram {
    /// How a program ended whose output was read while it ran.
    public struct Streamed<Value> {
        /// What the reader made of the output, or why it gave up.
        public var value: Result<Value, VoltError>
        /// The exit code, or 128 and the signal.
        public var status: Int32
        /// The end of its standard error.
        public var stderr: String
    }

    /// Runs the program while its output is read. A reader that gives up ends the program.
    ///
    /// - Parameters:
    ///   - input: the bytes of stdin.
    ///   - body: reads stdout of the program from a descriptor, which is closed afterwards. It need not read to the end.
    public func stream<Value>(
        _ arguments: [String] = [], input: [UInt8], _ body: (_ output: Int32) throws(VoltError) -> Value
    ) throws(VoltError) -> Streamed<Value> {
        // Files in memory: neither input that is read late nor much said on stderr can stop anything.
        let stdin = volt_memfd("stdin")
        guard stdin >= 0 else { throw SystemError.current.during("cannot make a file in memory") }
        defer { close(stdin) }
        try Files.write(input, to: stdin, named: "stdin")
        lseek(stdin, 0, SEEK_SET)
        let stderr = volt_memfd("stderr")
        guard stderr >= 0 else { throw SystemError.current.during("cannot make a file in memory") }
        defer { close(stderr) }
        var ends: [Int32] = [-1, -1]
        guard volt_pipe(&ends) == 0 else { throw SystemError.current.during("cannot make a pipe") }
        let argv = ([executable] + arguments).map { strdup($0) } + [nil]
        let envp = environment.map { strdup("\($0)=\($1)") } + [nil]
        defer { (argv + envp).forEach { free($0) } }
        let pid = volt_spawn_bound(executable, argv, envp, stdin, ends[1], stderr)
        close(ends[1])
        guard pid > 0 else {
            close(ends[0])
            throw SystemError.current.during("cannot start '\(executable)'")
        }
        let value: Result<Value, VoltError>
        do throws(VoltError) { value = .success(try body(ends[0])) } catch { value = .failure(error) }
        close(ends[0])
        if case .failure = value { Self.end(pid) }
        let status = wait(for: pid)
        return Streamed(value: value, status: status, stderr: Self.tail(stderr))
    }

    /// Lets a program that is about to end do so, and kills another one.
    private static func end(_ pid: Int32) {
        var information = siginfo_t()
        for _ in 0..<100 {
            // It stays there to be waited for.
            let result = waitid(P_PID, id_t(pid), &information, WEXITED | WNOHANG | WNOWAIT)
            if result != 0 || information.si_signo != 0 { return }
            usleep(5_000)
        }
        kill(pid, SIGKILL)
    }

    private static func tail(_ descriptor: Int32) -> String {
        let size = lseek(descriptor, 0, SEEK_END)
        var bytes = [UInt8](repeating: 0, count: min(max(0, Int(size)), kept))
        let count = pread(descriptor, &bytes, bytes.count, max(0, size - off_t(kept)))
        return String(decoding: bytes.prefix(max(0, count)), as: UTF8.self)
    }
}
