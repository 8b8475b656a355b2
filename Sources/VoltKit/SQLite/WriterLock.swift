internal import Glibc
internal import Synchronization

/// Lets one connection of this process write to a file at a time.
///
/// SQLite's own wait for its lock sleeps for up to 100 ms between two looks; threads of one process need
/// not wait so long. Other processes are kept apart by SQLite.
///
/// A pthread mutex may be used by any thread, which makes `@unchecked Sendable` true.
final class WriterLock: @unchecked Sendable {
    private static let all = Mutex<[String: WriterLock]>([:])

    /// The lock for the file at a path.
    static func of(_ path: String) -> WriterLock {
        all.withLock { locks in
            if let lock = locks[path] { return lock }
            let lock = WriterLock()
            locks[path] = lock
            return lock
        }
    }

    private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)

    private init() { pthread_mutex_init(mutex, nil) }

    func lock() { pthread_mutex_lock(mutex) }

    func unlock() { pthread_mutex_unlock(mutex) }
}
