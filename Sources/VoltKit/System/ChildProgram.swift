internal import CVoltSystem
internal import Glibc
public import VoltCore

/// A program that is run to its end with its input and output in memory. The kernel kills it when this
/// process ends, however it ends, and it has no terminal to ask anybody at.
public struct ChildProgram: Sendable {
    /// What `run` keeps of each output, in bytes from its end.
    static let kept = 64 << 10

    /// The absolute path.
    public let executable: String
    /// The whole environment.
    public let environment: [String: String]

    /// - Parameters: see the properties.
    public init(executable: String, environment: [String: String]) {
        self.executable = executable
        self.environment = environment
    }

    /// The absolute path of a program on PATH, or nil.
    public static func find(_ name: String, path: String) -> String? {
        path.split(separator: ":").filter { $0.hasPrefix("/") }.map { "\($0)/\(name)" }
            .first { access($0, X_OK) == 0 && !Files.isDirectory($0) }
    }

    /// Runs the program to its end and keeps the last 64 KiB of both outputs as text.
    ///
    /// - Parameters:
    ///   - input: the bytes of stdin.
    ///   - line: called for each line of stdout while the program runs.
    /// - Returns: the exit code (128 and the signal), and the ends of both outputs.
    public func run(_ arguments: [String], input: [UInt8], line: () throws -> Void = {}) throws -> (
        status: Int32, stdout: String, stderr: String
    ) {
        let result = try execute(arguments, input: input) { stdout, part in
            for byte in part where byte == 10 { try line() }
            stdout += part
            if stdout.count > Self.kept { stdout.removeFirst(stdout.count - Self.kept) }
        }
        return (result.status, String(decoding: result.stdout, as: UTF8.self), result.stderr)
    }

    /// Runs the program to its end and gives all that it printed.
    ///
    /// - Parameters:
    ///   - input: the bytes of stdin.
    ///   - limit: the most bytes of stdout that are taken; with more the program is killed.
    ///   - time: how long it may take; afterwards it is killed.
    /// - Throws: `VoltError`; code `refused` when stdout is larger than the limit or the time is over.
    public func capture(
        _ arguments: [String], input: [UInt8], limit: Int, time: Duration = .seconds(30)
    ) throws(VoltError) -> (
        status: Int32, stdout: [UInt8], stderr: String
    ) {
        do {
            return try execute(arguments, input: input, time: time) { stdout, part throws(VoltError) in
                guard stdout.count + part.count <= limit else {
                    throw VoltError(
                        .refused, "'\(executable)' printed more than \(ByteSize(bytes: UInt64(limit)))")
                }
                stdout += part
            }
        } catch let error as VoltError { throw error } catch {
            throw VoltError(.failed, "'\(executable)': \(error)")
        }
    }

    private func execute(
        _ arguments: [String], input: [UInt8], time: Duration? = nil,
        take: (inout [UInt8], ArraySlice<UInt8>) throws -> Void
    ) throws -> (status: Int32, stdout: [UInt8], stderr: String) {
        var ends: [Int32] = []
        defer { ends.forEach { close($0) } }
        // A file in memory: a program that reads its input late, or never, cannot stop this one.
        let stdin = volt_memfd("stdin")
        guard stdin >= 0 else { throw SystemError.current.during("cannot make a file in memory") }
        ends.append(stdin)
        try Files.write(input, to: stdin, named: "stdin")
        lseek(stdin, 0, SEEK_SET)
        func makePipe() throws(VoltError) -> (read: Int32, write: Int32) {
            var pair: [Int32] = [-1, -1]
            guard volt_pipe(&pair) == 0 else { throw SystemError.current.during("cannot make a pipe") }
            ends += pair
            return (pair[0], pair[1])
        }
        let (stdout, stderr) = (try makePipe(), try makePipe())
        let argv = ([executable] + arguments).map { strdup($0) } + [nil]
        let envp = environment.map { strdup("\($0)=\($1)") } + [nil]
        defer { (argv + envp).forEach { free($0) } }
        let pid = volt_spawn_bound(executable, argv, envp, stdin, stdout.write, stderr.write)
        guard pid > 0 else { throw SystemError.current.during("cannot start '\(executable)'") }
        for end in [stdin, stdout.write, stderr.write] {
            close(end)
            ends.removeAll { $0 == end }
        }
        do {
            let output = try drain(
                stdout.read, stderr.read, until: time.map { ContinuousClock.now + $0 }, take: take)
            return (wait(for: pid), output.stdout, String(decoding: output.stderr, as: UTF8.self))
        } catch {
            kill(pid, SIGKILL)
            _ = wait(for: pid)
            throw error
        }
    }

    private func drain(
        _ stdout: Int32, _ stderr: Int32, until deadline: ContinuousClock.Instant?,
        take: (inout [UInt8], ArraySlice<UInt8>) throws -> Void
    ) throws -> (stdout: [UInt8], stderr: [UInt8]) {
        var taken: [UInt8] = []
        var tail: [UInt8] = []
        var watched = [stdout, stderr].map { pollfd(fd: $0, events: Int16(POLLIN), revents: 0) }
        var buffer = [UInt8](repeating: 0, count: 1 << 15)
        while watched.contains(where: { $0.fd >= 0 }) {
            let left = deadline.map { Int32(clamping: ($0 - ContinuousClock.now).milliseconds) }
            if let left, left <= 0 {
                throw VoltError(.refused, "'\(executable)' took too long and was ended")
            }
            guard poll(&watched, 2, left ?? -1) >= 0 || errno == EINTR else {
                throw SystemError.current.during("cannot read '\(executable)'")
            }
            for index in 0..<2 where watched[index].fd >= 0 && watched[index].revents != 0 {
                let count = read(watched[index].fd, &buffer, buffer.count)
                if count < 0, errno == EINTR { continue }
                guard count > 0 else {
                    watched[index].fd = -1
                    continue
                }
                if index == 0 {
                    try take(&taken, buffer[..<count])
                } else {
                    tail += buffer[..<count]
                    if tail.count > Self.kept { tail.removeFirst(tail.count - Self.kept) }
                }
            }
        }
        return (taken, tail)
    }

    func wait(for pid: Int32) -> Int32 {
        var status: Int32 = 0
        while waitpid(pid, &status, 0) < 0, errno == EINTR {}
        return volt_exited(status) != 0 ? volt_exit_status(status) : 128 + volt_term_signal(status)
    }
}
