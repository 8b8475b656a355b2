internal import CVoltSystem
import Glibc
import VoltCore
import VoltSystem

/// A program that is killed by the kernel when this process ends, however it ends.
struct ChildProgram {
    /// What is kept of each output, in bytes from its end.
    private static let kept = 64 << 10

    let executable: String
    let environment: [String: String]

    /// Runs the program to its end.
    ///
    /// - Parameters:
    ///   - input: the bytes of stdin.
    ///   - line: called for each line of stdout while the program runs.
    /// - Returns: the exit code (128 and the signal), and the ends of both outputs.
    func run(_ arguments: [String], input: [UInt8], line: () throws -> Void = {}) throws -> (
        status: Int32, stdout: String, stderr: String
    ) {
        var ends: [Int32] = []
        defer { ends.forEach { close($0) } }
        func makePipe() throws(VoltError) -> (read: Int32, write: Int32) {
            var pair: [Int32] = [-1, -1]
            guard volt_pipe(&pair) == 0 else { throw SystemError.current.during("cannot make a pipe") }
            ends += pair
            return (pair[0], pair[1])
        }
        func closeEnd(_ descriptor: Int32) {
            close(descriptor)
            ends.removeAll { $0 == descriptor }
        }
        let (stdin, stdout, stderr) = (try makePipe(), try makePipe(), try makePipe())
        let argv = ([executable] + arguments).map { strdup($0) } + [nil]
        let envp = environment.map { strdup("\($0)=\($1)") } + [nil]
        defer { (argv + envp).forEach { free($0) } }
        let pid = volt_spawn_bound(executable, argv, envp, stdin.read, stdout.write, stderr.write)
        guard pid > 0 else { throw SystemError.current.during("cannot start '\(executable)'") }
        closeEnd(stdin.read)
        closeEnd(stdout.write)
        closeEnd(stderr.write)
        // A pipe takes 64 KiB before a write waits, and a password is shorter.
        try? Files.write(input, to: stdin.write, named: "stdin")
        closeEnd(stdin.write)
        do {
            let output = try drain(stdout.read, stderr.read, line: line)
            return (wait(for: pid), output.stdout, output.stderr)
        } catch {
            kill(pid, SIGKILL)
            _ = wait(for: pid)
            throw error
        }
    }

    private func drain(_ stdout: Int32, _ stderr: Int32, line: () throws -> Void) throws -> (
        stdout: String, stderr: String
    ) {
        var tails: [[UInt8]] = [[], []]
        var watched = [stdout, stderr].map { pollfd(fd: $0, events: Int16(POLLIN), revents: 0) }
        var buffer = [UInt8](repeating: 0, count: 1 << 15)
        while watched.contains(where: { $0.fd >= 0 }) {
            guard poll(&watched, 2, -1) >= 0 || errno == EINTR else {
                throw SystemError.current.during("cannot read '\(executable)'")
            }
            for index in 0..<2 where watched[index].fd >= 0 && watched[index].revents != 0 {
                let count = read(watched[index].fd, &buffer, buffer.count)
                if count < 0, errno == EINTR { continue }
                guard count > 0 else {
                    watched[index].fd = -1
                    continue
                }
                if index == 0 { for byte in buffer[..<count] where byte == 10 { try line() } }
                tails[index] += buffer[..<count]
                if tails[index].count > Self.kept { tails[index].removeFirst(tails[index].count - Self.kept) }
            }
        }
        return (String(decoding: tails[0], as: UTF8.self), String(decoding: tails[1], as: UTF8.self))
    }

    private func wait(for pid: Int32) -> Int32 {
        var status: Int32 = 0
        while waitpid(pid, &status, 0) < 0, errno == EINTR {}
        return volt_exited(status) != 0 ? volt_exit_status(status) : 128 + volt_term_signal(status)
    }

    /// The absolute path of a program on PATH, or nil.
    static func find(_ name: String, path: String) -> String? {
        path.split(separator: ":").filter { $0.hasPrefix("/") }.map { "\($0)/\(name)" }
            .first { access($0, X_OK) == 0 && !Files.isDirectory($0) }
    }
}
