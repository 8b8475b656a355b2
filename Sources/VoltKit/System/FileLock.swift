internal import CVoltSystem
internal import Glibc
public import VoltCore

/// A lock on a file (`flock(2)`), released by the kernel when its holder dies.
///
/// The file stays in place after the lock is released, unless its holder removes it with `removeFile`: whoever
/// waited for it then sees that the name belongs to another file, or to none, and begins anew.
public struct FileLock: ~Copyable, Sendable {
    private let descriptor: Int32

    /// Takes the lock, waiting for its holder.
    ///
    /// This blocks the calling thread.
    public static func wait(for path: String) throws(VoltError) -> FileLock {
        while true { if let lock = try take(path, LOCK_EX) { return lock } }
    }

    /// Takes a share of the lock, waiting for a holder that has it alone.
    public static func share(_ path: String) throws(VoltError) -> FileLock {
        while true { if let lock = try take(path, LOCK_SH) { return lock } }
    }

    /// Takes the lock when it is free.
    ///
    /// - Returns: nil when another process holds it.
    public static func tryLock(_ path: String) throws(VoltError) -> FileLock? {
        try take(path, LOCK_EX | LOCK_NB)
    }

    /// Removes the file of the lock, which goes on to be held until the value ends.
    public func removeFile(_ path: String) { unlink(path) }

    /// nil when another process holds the lock, or the file was removed by the one that held it.
    private static func take(_ path: String, _ operation: Int32) throws(VoltError) -> FileLock? {
        let descriptor = try open(path)
        while flock(descriptor, operation) != 0 {
            if errno == EINTR { continue }
            let error = SystemError.current
            close(descriptor)
            if error.number == EWOULDBLOCK { return nil }
            throw error.during("cannot lock '\(path)'")
        }
        var held = stat()
        var named = stat()
        guard fstat(descriptor, &held) == 0, stat(path, &named) == 0, held.st_ino == named.st_ino,
            held.st_dev == named.st_dev
        else {
            close(descriptor)
            return nil
        }
        return FileLock(descriptor: descriptor)
    }

    private static func open(_ path: String) throws(VoltError) -> Int32 {
        let descriptor = volt_open(path, O_RDWR | O_CREAT, 0o600)
        guard descriptor >= 0 else { throw SystemError.current.during("cannot open '\(path)'") }
        return descriptor
    }

    /// Does nothing: a call after the work makes sure that the lock was held until then.
    public func keep() {}

    private init(descriptor: Int32) { self.descriptor = descriptor }

    deinit { close(descriptor) }
}
