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
}
