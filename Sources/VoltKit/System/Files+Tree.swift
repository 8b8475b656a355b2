internal import CVoltSystem
internal import Glibc
public import VoltCore

extension Files {
    /// Sets the permissions of a file or directory.
    public static func setMode(_ path: String, _ mode: UInt32) throws(VoltError) {
        guard chmod(path, mode) == 0 else { throw SystemError.current.during("cannot change the mode of '\(path)'") }
    }

    /// Renames within one file system; a file at the new path is replaced. Sync the directory to make it durable.
    public static func move(_ old: String, _ new: String) throws(VoltError) {
        guard Glibc.rename(old, new) == 0 else { throw SystemError.current.during("cannot rename '\(old)' to '\(new)'") }
    }

    /// Writes everything that is in memory for the file system of a path (`syncfs(2)`): one call instead of
    /// one `fsync` a file after many were written.
    public static func syncFileSystem(of path: String) throws(VoltError) {
        let descriptor = volt_open(path, O_RDONLY, 0)
        guard descriptor >= 0 else { throw SystemError.current.during("cannot open '\(path)'") }
        defer { close(descriptor) }
        guard volt_syncfs(descriptor) == 0 else { throw SystemError.current.during("cannot sync '\(path)'") }
    }
}
