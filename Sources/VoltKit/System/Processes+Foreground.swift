internal import CVoltSystem
internal import Glibc
public import VoltCore

extension Processes {
    /// Runs a program that talks to the terminal of this process, such as an editor, and waits for its end.
    ///
    /// Meanwhile the keys that interrupt are its affair alone.
    ///
    /// - Parameters:
    ///   - executable: an absolute path.
    ///   - environment: the whole environment of the child.
    /// - Returns: its exit code, or 128 and the number of the signal that ended it.
    public static func runForeground(
        _ executable: String, _ arguments: [String], environment: [String: String]
    ) throws(VoltError) -> Int32 {
        let interrupt = signal(SIGINT, SIG_IGN)
        let quit = signal(SIGQUIT, SIG_IGN)
        defer {
            signal(SIGINT, interrupt)
            signal(SIGQUIT, quit)
        }
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        var all = sigset_t()
        sigfillset(&all)
        posix_spawnattr_setsigdefault(&attributes, &all)
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGDEF))
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        _ = volt_spawn_close_from(&actions, 3)
        let argv = ([executable] + arguments).map { strdup($0) } + [nil]
        let envp = environment.map { strdup("\($0)=\($1)") } + [nil]
        defer { (argv + envp).forEach { free($0) } }
        var pid: pid_t = 0
        let result = posix_spawn(&pid, executable, &actions, &attributes, argv, envp)
        guard result == 0 else { throw SystemError(number: result).during("cannot start '\(executable)'") }
        var status: Int32 = 0
        while waitpid(pid, &status, 0) < 0 {
            guard errno == EINTR else { throw SystemError.current.during("cannot wait for '\(executable)'") }
        }
        return volt_exited(status) != 0 ? volt_exit_status(status) : 128 + volt_term_signal(status)
    }
}
