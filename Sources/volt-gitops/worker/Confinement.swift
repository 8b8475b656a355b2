internal import CVoltSystem
import Glibc
import VoltCore
import VoltSystem

/// What the worker takes from itself before it talks to a server.
enum Confinement {
    /// Memory that may be mapped: packs and one file are mapped or unpacked whole, and `TreeLimits` holds
    /// the sizes of both below this.
    private static let memory: UInt64 = 8 << 30
    /// The largest file that may be written: a pack.
    private static let fileSize: UInt64 = 4 << 30
    /// The deepest tree takes one descriptor a directory.
    private static let descriptors: UInt64 = 512

    static func apply() throws(VoltError) {
        signal(SIGPIPE, SIG_IGN)
        // A pack beyond the limit is then a write that fails, with a message.
        signal(SIGXFSZ, SIG_IGN)
        umask(0o022)
        let limits: [(Int32, UInt64)] = [
            (Int32(RLIMIT_AS.rawValue), memory), (Int32(RLIMIT_FSIZE.rawValue), fileSize),
            (Int32(RLIMIT_NOFILE.rawValue), descriptors), (Int32(RLIMIT_CORE.rawValue), 0),
        ]
        for (kind, value) in limits where volt_limit(kind, value) != 0 {
            throw SystemError.current.during("cannot limit the worker")
        }
        // A token is in this process's memory: no core, and no ptrace(2) by the same user.
        guard volt_forbid_dump() == 0 else {
            throw SystemError.current.during("cannot protect the worker's memory")
        }
    }

    /// Ends this process when its parent ends or closes stdout.
    ///
    /// Not PR_SET_PDEATHSIG: that is sent when the *thread* ends that started the child, and the pools of
    /// a Swift server end idle threads.
    static func endWithParent() throws(VoltError) {
        let parent = volt_pidfd_open(getppid())
        guard parent >= 0 else { throw SystemError.current.during("cannot watch the parent") }
        var attributes = pthread_attr_t()
        pthread_attr_init(&attributes)
        pthread_attr_setdetachstate(&attributes, Int32(PTHREAD_CREATE_DETACHED))
        defer { pthread_attr_destroy(&attributes) }
        var thread = pthread_t()
        let argument = UnsafeMutableRawPointer(bitPattern: Int(parent))
        let result = pthread_create(
            &thread, &attributes,
            { argument in
                let parent = Int32(Int(bitPattern: argument))
                var watched = [
                    pollfd(fd: parent, events: Int16(POLLIN), revents: 0),
                    pollfd(fd: 1, events: 0, revents: 0),
                ]
                while true {
                    let count = poll(&watched, 2, -1)
                    if count > 0 { _exit(ExitCode.failed.rawValue) }
                    if count < 0, errno != EINTR { return nil }
                }
            }, argument)
        guard result == 0 else { throw SystemError(number: result).during("cannot start a thread") }
    }
}
