internal import CVoltSystem
internal import Glibc
public import VoltCore

extension Files {
    /// Sets the permissions of a file or directory.
    public static func setMode(_ path: String, _ mode: UInt32) throws(VoltError) {
        guard chmod(path, mode) == 0 else {
            throw SystemError.current.during("cannot change the mode of '\(path)'")
        }
    }

    /// Makes a directory of this user's that nobody else walks into; one that exists becomes so, at the end of a link
    /// too. Its parents are made as `makeDirectory` does.
    public static func makePrivateDirectory(_ path: String) throws(VoltError) {
        try makeDirectory(parent(of: path))
        guard mkdir(path, 0o700) == 0 || errno == EEXIST else {
            throw SystemError.current.during("cannot make directory '\(path)'")
        }
        let descriptor = volt_open(path, O_RDONLY | O_DIRECTORY, 0)
        guard descriptor >= 0 else { throw SystemError.current.during("cannot open '\(path)'") }
        defer { close(descriptor) }
        var information = stat()
        guard fstat(descriptor, &information) == 0,
            information.st_uid == geteuid() || fchown(descriptor, geteuid(), getegid()) == 0,
            information.st_mode & 0o777 == 0o700 || fchmod(descriptor, 0o700) == 0
        else { throw SystemError.current.during("cannot close '\(path)' to other users") }
    }

    /// Renames within one file system; a file at the new path is replaced. Sync the directory to make it durable.
    public static func move(_ old: String, _ new: String) throws(VoltError) {
        guard Glibc.rename(old, new) == 0 else {
            throw SystemError.current.during("cannot rename '\(old)' to '\(new)'")
        }
    }

    /// Writes everything that is in memory for the file system of a path (`syncfs(2)`): one call instead of
    /// one `fsync` a file after many were written.
    public static func syncFileSystem(of path: String) throws(VoltError) {
        let descriptor = volt_open(path, O_RDONLY, 0)
        guard descriptor >= 0 else { throw SystemError.current.during("cannot open '\(path)'") }
        defer { close(descriptor) }
        guard volt_syncfs(descriptor) == 0 else { throw SystemError.current.during("cannot sync '\(path)'") }
    }

    /// Makes a tree durable: file by file when it is small, else with `syncFileSystem`, which also waits for
    /// what other programs wrote.
    public static func syncTree(_ path: String) throws(VoltError) {
        var paths: [String] = []
        guard collect(path, &paths) else { return try syncFileSystem(of: path) }
        for path in paths.reversed() {
            let descriptor = volt_open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK, 0)
            guard descriptor >= 0 else { throw SystemError.current.during("cannot open '\(path)'") }
            defer { close(descriptor) }
            guard fsync(descriptor) == 0 else { throw SystemError.current.during("cannot sync '\(path)'") }
        }
    }

    /// The files and directories of a tree, or false when they are many.
    private static func collect(_ path: String, _ paths: inout [String]) -> Bool {
        guard paths.count < 64, let names = try? list(path) else { return false }
        paths.append(path)
        for name in names {
            let child = "\(path)/\(name)"
            var information = stat()
            guard lstat(child, &information) == 0, paths.count < 64 else { return false }
            switch information.st_mode & S_IFMT {
            case S_IFREG: paths.append(child)
            case S_IFDIR: if !collect(child, &paths) { return false }
            // The name of a link or a pipe is all there is of it; its directory is synced.
            default: continue
            }
        }
        return true
    }
}
