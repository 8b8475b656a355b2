internal import CGit2
internal import Glibc
public import VoltCore

/// libgit2 as this process uses it: no configuration of the user or of the machine, and bounds on what
/// a foreign repository can make it allocate.
public enum GitLibrary {
    /// Decompressed objects that libgit2 keeps for the next delta, in bytes.
    private static let cache = 64 << 20
    /// Packs that are mapped at one time, in bytes; larger packs are read through windows.
    private static let mapped = 1 << 30
    /// Objects in one pack: ten times those of the Linux kernel's repository, and 3 GB of an index.
    private static let objects = 100_000_000

    /// The version of the libgit2 that is linked.
    public static var version: String {
        var major: Int32 = 0
        var minor: Int32 = 0
        var revision: Int32 = 0
        git_libgit2_version(&major, &minor, &revision)
        return "\(major).\(minor).\(revision)"
    }

    /// The version of the libssh2 that libgit2 speaks SSH with, or nil where it uses another way.
    public static var sshVersion: String? {
        typealias Version = @convention(c) (Int32) -> UnsafePointer<CChar>?
        // libgit2 links it, and this program does not: it is asked for by its name.
        guard let symbol = dlsym(nil, "libssh2_version") else { return nil }
        return unsafeBitCast(symbol, to: Version.self)(0).map { String(cString: $0) }
    }

    /// Whether SSH takes RSA keys with SHA-2, which servers since OpenSSH 8.8 insist on: libssh2 does since 1.11.
    public static var signsRSAWithSHA2: Bool {
        guard let sshVersion else { return true }
        let numbers = sshVersion.split { !("0"..."9").contains($0) }.prefix(2).map { Int($0) ?? 0 }
        return !numbers.lexicographicallyPrecedes([1, 11])
    }

    /// Starts the library. Once in a process, before any other call.
    ///
    /// - Parameters:
    ///   - home: the only directory that is searched for configuration; empty or absent, except that
    ///     `.ssh/known_hosts` in it decides which type of host key is asked for.
    ///   - caFile: certificates to trust in the place of the machine's, or nil.
    /// - Throws: `VoltError` when a setting cannot be made or the certificates cannot be read.
    public static func start(home: String, caFile: String?) throws(VoltError) {
        do throws(GitFailure) {
            try check(git_libgit2_init())
            // Before anything opens a repository: `insteadOf` in a user's file would send a fetch elsewhere.
            for level in [
                GIT_CONFIG_LEVEL_SYSTEM, GIT_CONFIG_LEVEL_XDG, GIT_CONFIG_LEVEL_GLOBAL,
                GIT_CONFIG_LEVEL_PROGRAMDATA,
            ] {
                try check(volt_git_set_search_path(level.rawValue, home))
            }
            try check(volt_git_set_owner_validation(1))
            try check(volt_git_set_memory(cache, mapped))
            try check(volt_git_set_pack_objects(objects))
            try check(volt_git_set_user_agent("volt"))
        } catch {
            throw VoltError(.failed, "cannot start libgit2: \(error.message)")
        }
        guard let caFile else { return }
        do throws(GitFailure) { try check(volt_git_set_certificates(caFile)) } catch {
            throw VoltError(
                .failed, "cannot use the certificates in '\(caFile)': \(error.message)",
                hint: "give a file of PEM certificates")
        }
    }
}
