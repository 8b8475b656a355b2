internal import CVoltSystem
internal import Glibc
internal import VoltSystem

/// The signals that a command in the foreground passes on to the payload as they are.
///
/// Not among them: those that nothing can catch, those that tell a process about itself (SIGCHLD, SIGPIPE, SIGURG,
/// SIGSEGV and the like), and SIGTSTP, SIGTTIN and SIGTTOU, by which a shell stops and continues the command itself.
public enum PassedSignals {
    /// Their numbers; the payload gets SIGTERM as the stop signal of its image.
    public static let numbers: [Int32] =
        [
            SIGHUP, SIGINT, SIGQUIT, SIGABRT, SIGUSR1, SIGUSR2, SIGALRM, SIGTERM, SIGCONT, SIGXCPU, SIGXFSZ,
            SIGVTALRM, SIGPROF, SIGWINCH, SIGIO, SIGPWR,
        ] + Array(34...64)

    /// Keeps them until the program that this process becomes asks for them.
    public static func hold() {
        let descriptor = volt_signals(numbers, numbers.count)
        if descriptor >= 0 { close(descriptor) }
    }

    /// Process 1 of the container that a systemd-nspawn runs, which hands signals to the payload; nil when there is
    /// none. It is nspawn's only child.
    public static func leader(of nspawn: Int32) -> Int32? {
        guard nspawn > 0 else { return nil }
        if let bytes = try? Files.read("/proc/\(nspawn)/task/\(nspawn)/children", limit: 4096) {
            return String(decoding: bytes, as: UTF8.self).split(separator: " ").first.flatMap { Int32($0) }
        }
        // A kernel without CONFIG_PROC_CHILDREN.
        for name in (try? Files.list("/proc")) ?? [] {
            if let candidate = Int32(name), Processes.parent(of: candidate) == nspawn { return candidate }
        }
        return nil
    }
}
