internal import CVoltSystem
internal import Glibc
public import VoltCore

/// Child processes that must outlive this one, or inherit its descriptors. They have the descriptors that they are
/// given and no others, whatever this process or its libraries hold open.
public enum Processes {
    /// Starts a program in a session of its own; it goes on when this process ends.
    ///
    /// - Parameters:
    ///   - executable: an absolute path.
    ///   - arguments: what comes after argv[0], which is `executable`.
    ///   - environment: the whole environment of the child.
    ///   - descriptors: descriptors of this process by their number in the child. Numbers 0 to 2 that
    ///     are not named are `/dev/null`.
    /// - Returns: the process id.
    public static func spawnDetached(
        _ executable: String, _ arguments: [String], environment: [String: String],
        descriptors: [Int32: Int32] = [:]
    ) throws(VoltError) -> Int32 {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        for number: Int32 in 0...2 where descriptors[number] == nil {
            posix_spawn_file_actions_addopen(&actions, number, "/dev/null", O_RDWR, 0)
        }
        for (number, descriptor) in descriptors.sorted(by: { $0.key < $1.key }) {
            posix_spawn_file_actions_adddup2(&actions, descriptor, number)
        }
        let first = max(3, (descriptors.keys.max() ?? 0) + 1)
        for number in 3..<first where descriptors[number] == nil {
            posix_spawn_file_actions_addclose(&actions, number)
        }
        _ = volt_spawn_close_from(&actions, first)
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        var all = sigset_t()
        var none = sigset_t()
        sigfillset(&all)
        sigemptyset(&none)
        // libdispatch's threads block most signals, and a child inherits the mask.
        posix_spawnattr_setsigdefault(&attributes, &all)
        posix_spawnattr_setsigmask(&attributes, &none)
        // POSIX_SPAWN_SETSID of spawn.h, which is behind _GNU_SOURCE.
        let newSession: Int32 = 0x80
        let flags =
            newSession | Int32(POSIX_SPAWN_SETSIGDEF) | Int32(POSIX_SPAWN_SETSIGMASK)
        posix_spawnattr_setflags(&attributes, Int16(flags))
        var pid: pid_t = 0
        let result = withCStrings([executable] + arguments) { argv in
            withCStrings(environment.map { "\($0)=\($1)" }.sorted()) { envp in
                posix_spawn(&pid, executable, &actions, &attributes, argv, envp)
            }
        }
        guard result == 0 else { throw SystemError(number: result).during("cannot start '\(executable)'") }
        return pid
    }

    /// Replaces this process by another program, which has descriptors 0 to 2; returns only by throwing.
    ///
    /// - Parameters:
    ///   - executable: an absolute path, also argv[0].
    ///   - environment: the whole environment.
    ///   - readOnly: whether the program is on a read-only mount of its own. So is what enters a container: the
    ///     container could reach the program's file by `/proc/PID/exe`, and change it (CVE-2019-5736).
    ///   - keepsBlocked: whether signals that are blocked stay so, for a program that takes those which have come.
    public static func execute(
        _ executable: String, _ arguments: [String], environment: [String: String], readOnly: Bool = false,
        keepsBlocked: Bool = false
    ) throws(VoltError) -> Never {
        if !keepsBlocked {
            var none = sigset_t()
            sigemptyset(&none)
            sigprocmask(SIG_SETMASK, &none, nil)
        }
        let number = withCStrings([executable] + arguments) { argv in
            withCStrings(environment.map { "\($0)=\($1)" }.sorted()) { envp -> Int32 in
                if readOnly { return volt_exec_read_only(executable, argv, envp) }
                volt_close_on_exec(3)
                execve(executable, argv, envp)
                return errno
            }
        }
        throw SystemError(number: number).during("cannot run '\(executable)'")
    }

    /// Whether a process with this id exists and is not a zombie.
    public static func isAlive(_ pid: Int32) -> Bool { field(3, of: pid).map { $0 != "Z" } ?? false }

    /// When a process started, in clock ticks after boot: with the process id it names one process for as long as the
    /// machine is up.
    public static func startTime(_ pid: Int32) -> UInt64? { field(22, of: pid).flatMap { UInt64($0) } }

    /// The process that started a process, or took it over.
    public static func parent(of pid: Int32) -> Int32? { field(4, of: pid).flatMap { Int32($0) } }

    /// A field of proc(5) stat, by its number there; only those after the name, which may have blanks.
    private static func field(_ number: Int, of pid: Int32) -> String? {
        guard let status = try? Files.read("/proc/\(pid)/stat", limit: 4096),
            let end = status.lastIndex(of: UInt8(ascii: ")"))
        else { return nil }
        let fields = status[(end + 1)...].split(separator: UInt8(ascii: " "))
        return fields.count > number - 3 ? String(decoding: fields[number - 3], as: UTF8.self) : nil
    }

    /// The absolute path of this program (`/proc/self/exe`).
    public static var selfPath: String {
        var buffer = [CChar](repeating: 0, count: 4097)
        let count = readlink("/proc/self/exe", &buffer, 4096)
        return count > 0
            ? String(decoding: buffer[..<count].map { UInt8(bitPattern: $0) }, as: UTF8.self) : ""
    }
}

private func withCStrings<Result>(
    _ strings: [String], _ body: ([UnsafeMutablePointer<CChar>?]) -> Result
) -> Result {
    let pointers = strings.map { strdup($0) } + [nil]
    defer { pointers.forEach { free($0) } }
    return body(pointers)
}

extension Processes {
    /// The path of a private helper, a program named `volt-<tool>--<name>`: beside this program, or in
    /// `../libexec/volt` seen from it.
    ///
    /// - Throws: `VoltError` with code `missing`.
    public static func helper(_ name: String) throws(VoltError) -> String {
        let directory = Files.parent(of: selfPath)
        let candidates = ["\(directory)/\(name)", "\(Files.parent(of: directory))/libexec/volt/\(name)"]
        if let path = candidates.first(where: { access($0, X_OK) == 0 }) { return path }
        throw VoltError(
            .missing, "'\(name)' is not installed beside '\(selfPath)'",
            hint: "install the tool again: its helper programs belong to it")
    }
}

extension Processes {
    /// Lets this process have as many files open as the host allows, up to 65536: the usual 1024 are for what uses select(2).
    public static func raiseOpenFiles() { _ = volt_limit(Int32(RLIMIT_NOFILE.rawValue), 65536) }
}
