import CVoltSystem
import Glibc
import VoltCore
import VoltSystem

/// What this process gives up before it talks to a stranger.
enum Privileges {
    /// `nobody` and `nogroup` of Debian.
    private static let nobody: UInt32 = 65534

    /// Leaves a process that can neither read the files of the server nor write any, nor become more.
    static func drop() throws(VoltError) {
        umask(0o077)
        let limits: [(Int32, UInt64)] = [
            (Int32(RLIMIT_AS.rawValue), 1 << 30), (Int32(RLIMIT_FSIZE.rawValue), 1 << 20),
            (Int32(RLIMIT_NOFILE.rawValue), 64), (Int32(RLIMIT_CORE.rawValue), 0),
        ]
        for (kind, value) in limits where volt_limit(kind, value) != 0 {
            throw SystemError.current.during("cannot limit the messenger")
        }
        if geteuid() == 0 {
            guard setgroups(0, nil) == 0, setgid(nobody) == 0, setuid(nobody) == 0 else {
                throw SystemError.current.during("cannot become 'nobody'")
            }
        }
        // A token is in this process's memory: no core, and no ptrace(2) by the same user.
        guard volt_forbid_dump() == 0, volt_no_new_privileges() == 0 else {
            throw SystemError.current.during("cannot protect the messenger's memory")
        }
    }
}
