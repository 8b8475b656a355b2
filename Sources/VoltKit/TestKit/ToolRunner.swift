internal import CVoltSystem
internal import Glibc
internal import VoltSystem

/// Runs built programs the way a shell does, for tests that look at the outcome.
public struct ToolRunner: Sendable {
    /// What a program left behind.
    public struct Result: Sendable {
        /// The exit code, or 128 and the number of the signal that ended it.
        public let status: Int32
        /// The bytes of stdout as text.
        public let stdout: String
        /// The bytes of stderr as text.
        public let stderr: String
    }

    /// The directory with the built programs of this package.
    public static var products: String { Files.parent(of: Processes.selfPath) }

    /// The whole environment of the programs.
    public var environment: [String: String]
    /// The working directory.
    public var directory: String

    /// A runner with an empty home, `VOLT_ROOT` below a scratch directory and the built programs first on PATH.
    ///
    /// - Parameter scratch: a directory of the test's own.
    public init(scratch: String) {
        environment = [
            "HOME": "\(scratch)/home", "VOLT_ROOT": "\(scratch)/root", "TERM": "dumb", "LC_ALL": "C.UTF-8",
            "PATH": "\(Self.products):/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        ]
        directory = scratch
        try? Files.makeDirectory("\(scratch)/home")
    }

    /// Runs a program to its end.
    ///
    /// - Parameters:
    ///   - words: the program, searched on the runner's PATH, and its arguments.
    ///   - input: the bytes of stdin.
    public func callAsFunction(_ words: String..., input: String = "") throws -> Result {
        try run(words, input: input)
    }

    /// Runs a program to its end.
    public func run(_ words: [String], input: String = "") throws -> Result {
        let base = "\(directory)/.run-\(UInt64.random(in: 0...UInt64.max))"
        try Files.replace("\(base).in", with: input.utf8)
        let streams = [("in", O_RDONLY), ("out", O_WRONLY | O_CREAT), ("err", O_WRONLY | O_CREAT)].map {
            volt_open("\(base).\($0.0)", $0.1, 0o600)
        }
        defer {
            for suffix in ["in", "out", "err"] { unlink("\(base).\(suffix)") }
        }
        let pid = try Processes.spawnDetached(
            "/usr/bin/env", ["-C", directory, "--"] + words, environment: environment,
            descriptors: [0: streams[0], 1: streams[1], 2: streams[2]])
        streams.forEach { close($0) }
        var status: Int32 = 0
        while waitpid(pid, &status, 0) < 0, errno == EINTR {}
        return Result(
            status: volt_exited(status) != 0 ? volt_exit_status(status) : 128 + volt_term_signal(status),
            stdout: String(decoding: try Files.read("\(base).out"), as: UTF8.self),
            stderr: String(decoding: try Files.read("\(base).err"), as: UTF8.self))
    }
}

/// A directory that goes away with the value.
public struct ScratchDirectory: ~Copyable, Sendable {
    /// The absolute path.
    public let path: String

    /// Makes a directory below TMPDIR, or /tmp.
    public init() throws {
        let base = Environment.current["TMPDIR"] ?? "/tmp"
        path = "\(base)/volt-test-\(getpid())-\(UInt32.random(in: 0...UInt32.max))"
        try Files.makeDirectory(path, mode: 0o755)
    }

    deinit { try? Files.removeTree(path) }
}
