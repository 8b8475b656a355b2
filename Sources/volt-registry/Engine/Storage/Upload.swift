internal import CVoltSystem
internal import Glibc
internal import VoltCore
internal import VoltOCI
internal import VoltSystem

/// A blob that is on its way in: a file that grows, and the digest of what is in it.
///
/// One request works on it at a time, which took it from the table; that is why it may go from thread to thread.
final class Upload: @unchecked Sendable {
    let id: String
    let path: String
    private let descriptor: Int32
    /// The bytes that came.
    private(set) var count: UInt64
    /// Of all bytes so far; nil when some of them came to another process.
    private var digest: TrailingDigest?
    /// Up to where writing to the disk was begun.
    private var flushed: UInt64 = 0

    /// The kernel begins to write so many bytes before somebody waits for them.
    private static let flushStep: UInt64 = 8 << 20

    /// Begins one.
    init(creating path: String, id: String, algorithm: OCIDigest.Algorithm) throws {
        self.id = id
        self.path = path
        count = 0
        descriptor = volt_open(path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600)
        guard descriptor >= 0 else { throw SystemError.current.during("cannot write '\(path)'") }
        _ = flock(descriptor, LOCK_EX | LOCK_NB)
        digest = try TrailingDigest(algorithm, of: descriptor, path: path)
    }

    /// Goes on with one that is there; nil when there is none, or when another process writes to it.
    init?(opening path: String, id: String) throws {
        self.id = id
        self.path = path
        count = 0
        descriptor = volt_open(path, O_RDWR | O_NOFOLLOW, 0)
        guard descriptor >= 0 else {
            if errno == ENOENT { return nil }
            throw SystemError.current.during("cannot open '\(path)'")
        }
        guard resume() else { return nil }
        if count == 0 { digest = try TrailingDigest(.sha256, of: descriptor, path: path) }
    }

    /// Works on it again; false when it is gone, or another process works on it.
    func resume() -> Bool {
        var information = stat()
        var named = stat()
        // A file that has become a blob is no upload any more, though this descriptor would still write to it.
        guard flock(descriptor, LOCK_EX | LOCK_NB) == 0, fstat(descriptor, &information) == 0,
            lstat(path, &named) == 0, named.st_ino == information.st_ino, named.st_dev == information.st_dev
        else {
            rest()
            return false
        }
        let size = UInt64(information.st_size)
        // Another process went on with it meanwhile.
        if size != count { digest = nil }
        count = size
        flushed = min(flushed, size)
        return true
    }

    /// Lets another process work on it.
    func rest() { _ = flock(descriptor, LOCK_UN) }

    deinit { close(descriptor) }

    /// Adds bytes.
    func append(_ bytes: UnsafeRawBufferPointer) throws(VoltError) {
        var done = 0
        while done < bytes.count {
            let written = pwrite(
                descriptor, bytes.baseAddress?.advanced(by: done), bytes.count - done,
                off_t(count) + off_t(done))
            if written < 0 {
                if errno == EINTR { continue }
                throw SystemError.current.during("cannot write '\(path)'")
            }
            done += written
        }
        count += UInt64(bytes.count)
        digest?.wrote(bytes)
        if count - flushed >= Self.flushStep {
            volt_start_writeback(descriptor, Int64(flushed), Int64(count - flushed))
            flushed = count
        }
    }

    /// The digests of all bytes: the one that names it in the store, and the one that was asked for.
    ///
    /// This reads the file again when not all of it came to this process, or in another algorithm.
    func finish(_ wanted: OCIDigest.Algorithm) throws -> (sha256: OCIDigest, wanted: OCIDigest) {
        var known: [OCIDigest.Algorithm: OCIDigest] = [:]
        if let digest { known[digest.algorithm] = try digest.finish() }
        digest = nil
        let missing = Set([wanted, .sha256]).filter { known[$0] == nil }
        if !missing.isEmpty {
            let hashers = missing.map { OCIHasher($0) }
            let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 18, alignment: 4096)
            defer { buffer.deallocate() }
            var offset: off_t = 0
            while true {
                let read = pread(descriptor, buffer.baseAddress, buffer.count, offset)
                if read < 0, errno == EINTR { continue }
                guard read >= 0 else { throw SystemError.current.during("cannot read '\(path)'") }
                if read == 0 { break }
                for hasher in hashers { hasher.update(UnsafeRawBufferPointer(rebasing: buffer[..<read])) }
                offset += off_t(read)
            }
            for hasher in hashers { known[hasher.algorithm] = hasher.finish() }
        }
        guard let sha256 = known[.sha256], let other = known[wanted] else {
            throw VoltError(.failed, "cannot compute the digest of '\(path)'")
        }
        return (sha256, other)
    }

    /// Another descriptor of the file, which the caller closes.
    func duplicate() throws(VoltError) -> Int32 {
        let copy = fcntl(descriptor, F_DUPFD_CLOEXEC, 0)
        guard copy >= 0 else { throw SystemError.current.during("cannot open '\(path)'") }
        return copy
    }

    /// Makes the bytes durable.
    func sync() throws(VoltError) {
        guard fdatasync(descriptor) == 0 else { throw SystemError.current.during("cannot sync '\(path)'") }
    }

    /// Gives the file up.
    func remove() { unlink(path) }
}
