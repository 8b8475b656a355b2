internal import CVoltSystem
internal import Glibc
public import VoltCore
internal import VoltSystem

/// The rights that a helper process keeps while it reads what a stranger sent. Everything else it gives up, for good.
public struct HelperRights: Sendable {
    /// Bytes of memory that it may map.
    public var memory: UInt64
    /// The size in bytes of the largest file that it may write.
    public var fileSize: UInt64
    /// The most descriptors that it may have open.
    public var descriptors: UInt64
    /// The mode bits that its files do not get.
    public var fileMask: UInt32
    /// Whether root becomes `nobody`, who reads and writes no file of this host's services.
    public var becomesNobody: Bool
    /// Whether a program that it runs may gain rights, as `ssh` with a setuid helper does.
    public var mayGainPrivileges: Bool

    /// - Parameters: see the properties.
    public init(
        memory: UInt64, fileSize: UInt64, descriptors: UInt64, fileMask: UInt32 = 0o077,
        becomesNobody: Bool = false, mayGainPrivileges: Bool = false
    ) {
        self.memory = memory
        self.fileSize = fileSize
        self.descriptors = descriptors
        self.fileMask = fileMask
        self.becomesNobody = becomesNobody
        self.mayGainPrivileges = mayGainPrivileges
    }

    /// `nobody` and `nogroup` of Debian.
    private static let nobody: UInt32 = 65534

    /// Gives up everything else. The process also leaves no core dump, and no process of the same user may trace it:
    /// a secret is in its memory.
    ///
    /// - Parameter helper: what the process is, for errors, such as `the worker`.
    public func keepOnly(_ helper: String) throws(VoltError) {
        umask(fileMask)
        // A write beyond the limit is then one that fails, with a message.
        signal(SIGXFSZ, SIG_IGN)
        let limits: [(Int32, UInt64)] = [
            (Int32(RLIMIT_AS.rawValue), memory), (Int32(RLIMIT_FSIZE.rawValue), fileSize),
            (Int32(RLIMIT_NOFILE.rawValue), descriptors), (Int32(RLIMIT_CORE.rawValue), 0),
        ]
        for (kind, value) in limits where volt_limit(kind, value) != 0 {
            throw SystemError.current.during("cannot limit \(helper)")
        }
        if becomesNobody, geteuid() == 0 {
            guard setgroups(0, nil) == 0, setgid(Self.nobody) == 0, setuid(Self.nobody) == 0 else {
                throw SystemError.current.during("cannot become 'nobody'")
            }
        }
        guard volt_forbid_dump() == 0, mayGainPrivileges || volt_no_new_privileges() == 0 else {
            throw SystemError.current.during("cannot protect the memory of \(helper)")
        }
    }

    /// Keeps the plain text of secrets out of core dumps, and other processes of the same user from reading it.
    public static func forbidDump() throws(VoltError) {
        guard volt_forbid_dump() == 0 else {
            throw SystemError.current.during("cannot protect the memory of this process")
        }
    }
}
