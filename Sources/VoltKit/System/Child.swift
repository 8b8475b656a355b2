internal import CVoltSystem
internal import Glibc
public import VoltCore

/// A child process in a session of its own whose output is read line by line while a deadline and a wish
/// to stop are watched. Everything blocks the calling thread.
public struct Child: ~Copyable {
    /// The process id, also the id of its session and process group.
    public let pid: Int32
    private var output: Int32
    private var errors: Int32
    private var input: Int32

    /// One of the standard streams of a child.
    public enum Stream: String, Sendable {
        /// Standard output.
        case stdout
        /// Standard error.
        case stderr
    }

    /// How a child ended.
    public enum Outcome: Sendable, Equatable {
        /// By itself, with this exit code.
        case exited(Int32)
        /// By a signal.
        case signalled(Int32)
        /// It was killed, since the deadline had passed.
        case timedOut
    }

    /// Starts a program.
    ///
    /// - Parameters:
    ///   - executable: an absolute path.
    ///   - environment: the whole environment of the child.
    public static func start(_ executable: String, _ arguments: [String], environment: [String: String])
        throws(VoltError) -> Child
    {
        var ends: [Int32] = []
        for _ in 0..<3 {
            var pair: [Int32] = [-1, -1]
            guard volt_pipe(&pair) == 0 else {
                let error = SystemError.current
                ends.forEach { close($0) }
                throw error.during("cannot start '\(executable)'")
            }
            ends += pair
        }
        // Ends 0, 3 and 5 are the child's.
        defer { for index in [0, 3, 5] { close(ends[index]) } }
        do throws(VoltError) {
            let pid = try Processes.spawnDetached(
                executable, arguments, environment: environment,
                descriptors: [0: ends[0], 1: ends[3], 2: ends[5]])
            return Child(pid: pid, output: ends[2], errors: ends[4], input: ends[1])
        } catch {
            for index in [1, 2, 4] { close(ends[index]) }
            throw error
        }
    }

    private init(pid: Int32, output: Int32, errors: Int32, input: Int32) {
        self.pid = pid
        self.output = output
        self.errors = errors
        self.input = input
    }

    /// Writes the input, reads all lines and waits for the end.
    ///
    /// - Parameters:
    ///   - bytes: what the child reads on stdin; small, since it is written before anything is read.
    ///   - limit: after this time the child's process group is killed.
    ///   - grace: how long the child may take to end after it was asked to stop.
    ///   - stop: asked ten times a second; when it turns true the child gets SIGTERM.
    ///   - longestLine: lines are cut at as many bytes.
    ///   - line: called for each line.
    public consuming func finish(
        input bytes: [UInt8] = [], limit: Duration, grace: Duration = .seconds(20),
        longestLine: Int = 64 << 10, stop: () -> Bool = { false },
        line: (Stream, String) -> Void
    ) -> Outcome {
        // A child that does not read must not end this process by SIGPIPE; servers ignore that signal.
        if !bytes.isEmpty { try? Files.write(bytes, to: input, named: "stdin") }
        close(input)
        var ending = Ending(pid: pid, deadline: .now + limit, grace: grace)
        var readers = [
            LineReader(stream: .stdout, descriptor: output, longest: longestLine),
            LineReader(stream: .stderr, descriptor: errors, longest: longestLine),
        ]
        var status: Int32 = 0
        var exited: ContinuousClock.Instant?
        while readers.contains(where: \.isOpen) {
            // What it started may hold the pipes open, and is not what was waited for.
            if exited == nil, waitpid(pid, &status, WNOHANG) == pid { exited = .now }
            if let exited, .now >= exited + .seconds(2) { break }
            guard ending.goesOn(stop) else { break }
            var polls = readers.map {
                pollfd(fd: $0.isOpen ? $0.descriptor : -1, events: Int16(POLLIN), revents: 0)
            }
            guard poll(&polls, 2, 100) > 0 else { continue }
            for index in readers.indices where polls[index].revents != 0 { readers[index].read(line) }
        }
        for index in readers.indices { readers[index].end(line) }
        // The pipes may be closed before the process ends.
        while exited == nil {
            let result = waitpid(pid, &status, WNOHANG)
            if result == pid { break }
            if result < 0, errno != EINTR { return .exited(255) }
            if result == 0 {
                _ = ending.goesOn(stop)
                usleep(5_000)
            }
        }
        // Nothing of the group outlives it.
        kill(-pid, SIGKILL)
        if ending.killed, !ending.asked { return .timedOut }
        return volt_exited(status) != 0
            ? .exited(volt_exit_status(status)) : .signalled(volt_term_signal(status))
    }
}

/// How a child is brought to its end: asked when the caller wants that, killed when its time is over.
private struct Ending {
    let pid: Int32
    var deadline: ContinuousClock.Instant
    let grace: Duration
    var asked = false
    var killed = false

    /// Asks or kills the child when it is time.
    ///
    /// - Returns: false a while after it was killed.
    mutating func goesOn(_ stop: () -> Bool) -> Bool {
        if !asked, !killed, stop() {
            asked = true
            kill(pid, SIGTERM)
            deadline = min(deadline, .now + grace)
        }
        guard .now >= deadline else { return true }
        if killed { return false }
        killed = true
        kill(-pid, SIGKILL)
        // A grandchild in another session may hold the pipes open.
        deadline = .now + .seconds(2)
        return true
    }
}

/// The lines of one pipe.
private struct LineReader {
    let stream: Child.Stream
    let descriptor: Int32
    private let longest: Int
    private(set) var isOpen = true
    private var pending: [UInt8] = []

    init(stream: Child.Stream, descriptor: Int32, longest: Int) {
        self.stream = stream
        self.descriptor = descriptor
        self.longest = longest
    }

    mutating func read(_ line: (Child.Stream, String) -> Void) {
        var part = [UInt8](repeating: 0, count: 1 << 16)
        let count = Glibc.read(descriptor, &part, part.count)
        if count < 0, errno == EINTR || errno == EAGAIN { return }
        guard count > 0 else { return end(line) }
        var rest = part[..<count]
        while let newline = rest.firstIndex(of: 10) {
            keep(rest[..<newline])
            line(stream, String(decoding: pending, as: UTF8.self))
            pending.removeAll(keepingCapacity: true)
            rest = rest[(newline + 1)...]
        }
        keep(rest)
    }

    /// Adds to the line that has not ended, up to the longest one.
    private mutating func keep(_ bytes: ArraySlice<UInt8>) {
        pending += bytes.prefix(longest - pending.count)
    }

    mutating func end(_ line: (Child.Stream, String) -> Void) {
        guard isOpen else { return }
        if !pending.isEmpty { line(stream, String(decoding: pending, as: UTF8.self)) }
        close(descriptor)
        isOpen = false
    }
}
