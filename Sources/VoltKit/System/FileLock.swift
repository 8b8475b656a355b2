internal import CVoltSystem
internal import Glibc
public import VoltCore

/// A lock on a file (`flock(2)`), released by the kernel when its holder dies.
///
/// The file stays in place after the lock is released: removing it would let two holders in.
public struct FileLock: ~Copyable, Sendable {
    private let descriptor: Int32

    /// Takes the lock, waiting for its holder.
    ///
    /// This blocks the calling thread.
    public static func wait(for path: String) throws(VoltError) -> FileLock {
        let descriptor = try open(path)
        while flock(descriptor, LOCK_EX) != 0 {
            if errno == EINTR { continue }
            let error = SystemError.current
            close(descriptor)
            throw error.during("cannot lock '\(path)'")
        }
        return FileLock(descriptor: descriptor)
    }

    /// Takes a share of the lock, waiting for a holder that has it alone.
    public static func share(_ path: String) throws(VoltError) -> FileLock {
        let descriptor = try open(path)
        while flock(descriptor, LOCK_SH) != 0 {
            if errno == EINTR { continue }
            let error = SystemError.current
            close(descriptor)
            throw error.during("cannot lock '\(path)'")
        }
        return FileLock(descriptor: descriptor)
    }

    /// Takes the lock when it is free.
    ///
    /// - Returns: nil when another process holds it.
    public static func tryLock(_ path: String) throws(VoltError) -> FileLock? {
        let descriptor = try open(path)
        if flock(descriptor, LOCK_EX | LOCK_NB) == 0 { return FileLock(descriptor: descriptor) }
        let error = SystemError.current
        close(descriptor)
        if error.number == EWOULDBLOCK { return nil }
        throw error.during("cannot lock '\(path)'")
    }

    private static func open(_ path: String) throws(VoltError) -> Int32 {
        let descriptor = volt_open(path, O_RDWR | O_CREAT, 0o600)
        guard descriptor >= 0 else { throw SystemError.current.during("cannot open '\(path)'") }
        return descriptor
    }

    /// Does nothing: a call after the work makes sure that the lock was held until then.
    public func keep() {}

    /// Lets the lock be inherited by a child made afterwards: the child then holds it too.
    public func shareWithChildren() { _ = volt_set_cloexec(descriptor, 0) }

    private init(descriptor: Int32) { self.descriptor = descriptor }

    deinit { close(descriptor) }
}
