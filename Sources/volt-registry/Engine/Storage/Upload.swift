internal import CVoltSystem
internal import Glibc
internal import Synchronization
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

/// The uploads that no request works on at the moment, with what is known of them in memory.
final class UploadTable: Sendable {
    private struct State {
        var idle: [String: Idle] = [:]
        var busy: Set<String> = []
    }
    private struct Idle {
        let upload: Upload
        let since: ContinuousClock.Instant
    }

    /// More are closed, and opened again from their files.
    private static let limit = 256
    private let state = Mutex(State())

    /// What asking for an upload gives.
    enum Taken {
        case upload(Upload)
        case busy
        case unknown
    }

    /// Takes an upload out, to work on it.
    func take(_ path: String, id: String) throws -> Taken {
        let found: Taken = state.withLock { state in
            guard state.busy.insert(path).inserted else { return .busy }
            return state.idle.removeValue(forKey: path).map { .upload($0.upload) } ?? .unknown
        }
        switch found {
        case .busy: return .busy
        case .upload(let upload):
            if upload.resume() { return .upload(upload) }
        case .unknown: break
        }
        do {
            if let upload = try Upload(opening: path, id: id) { return .upload(upload) }
        } catch {
            release(path)
            throw error
        }
        release(path)
        return Files.exists(path) ? .busy : .unknown
    }

    /// Says that a new upload is worked on.
    func begin(_ path: String) { state.withLock { _ = $0.busy.insert(path) } }

    /// Puts an upload back that goes on later.
    func give(back upload: Upload) {
        upload.rest()
        let idle = Idle(upload: upload, since: .now)
        let path = upload.path
        let dropped: Idle? = state.withLock { state in
            state.busy.remove(path)
            state.idle[path] = idle
            guard state.idle.count > Self.limit,
                let oldest = state.idle.min(by: { $0.value.since < $1.value.since })
            else { return nil }
            return state.idle.removeValue(forKey: oldest.key)
        }
        withExtendedLifetime(dropped) {}
    }

    /// Forgets an upload that is over.
    func release(_ path: String) { state.withLock { _ = $0.busy.remove(path) } }

    /// Closes those that nobody worked on for a time; their files stay.
    func closeIdle(for time: Duration) {
        let limit = ContinuousClock.now - time
        let dropped = state.withLock { state in
            let old = state.idle.filter { $0.value.since < limit }
            for path in old.keys { state.idle[path] = nil }
            return old
        }
        withExtendedLifetime(dropped) {}
    }
}

extension RegistryStorage {
    /// Uploads of a repository that are under way, or were left.
    private static let uploadLimit = 1024
    /// Seconds without a byte after which an upload gives way to a new one.
    private static let uploadRest: Int64 = 300

    /// 32 hex digits.
    static func isUploadID(_ text: some StringProtocol) -> Bool {
        text.utf8.count == 32 && text.utf8.allSatisfy { (48...57).contains($0) || (97...102).contains($0) }
    }

    func uploadPath(_ id: String, in name: OCIRepositoryName) -> String {
        "\(directory(name))/_uploads/\(id)"
    }

    /// Begins an upload.
    func beginUpload(_ algorithm: OCIDigest.Algorithm, in name: OCIRepositoryName) throws -> Upload {
        try within(name, "_uploads") { directory in
            // Each may take what the disk has.
            let there = try Files.list(directory)
            if there.count >= Self.uploadLimit { try removeOldest(there, in: directory) }
            // Guessing one would let somebody else add to it.
            let id = Hex.encode((0..<16).map { _ in UInt8.random(in: 0...255) })
            let upload = try Upload(creating: "\(directory)/\(id)", id: id, algorithm: algorithm)
            uploads.begin(upload.path)
            return upload
        }
    }

    /// Removes the upload that brought nothing for the longest time, and none of the last minutes.
    private func removeOldest(_ ids: [String], in directory: String) throws {
        let now = Int64(time(nil))
        var ages: [(path: String, id: String, age: Int64)] = []
        for id in ids where Self.isUploadID(id) {
            var information = stat()
            let path = "\(directory)/\(id)"
            guard stat(path, &information) == 0 else { continue }
            ages.append((path, id, now.subtractingClamped(Int64(information.st_mtim.tv_sec))))
        }
        ages.sort { $0.age > $1.age }
        for (path, id, age) in ages where age >= Self.uploadRest {
            // One that a request works on is not left, however slow it is.
            guard case .upload(let upload) = try uploads.take(path, id: id) else { continue }
            var information = stat()
            // It may have got something since.
            guard stat(path, &information) == 0,
                now.subtractingClamped(Int64(information.st_mtim.tv_sec)) >= Self.uploadRest
            else {
                uploads.give(back: upload)
                continue
            }
            upload.remove()
            uploads.release(path)
            return
        }
        let wait = max(1, Self.uploadRest - min(Self.uploadRest, max(0, ages.first?.age ?? 0)))
        throw HeadedError(
            error: RegistryError(
                status: 429, code: "TOOMANYREQUESTS",
                message:
                    "the repository has \(Self.uploadLimit) uploads under way: end some, or try again in \(wait) s"
            ), headers: [("Retry-After", String(wait))])
    }

    /// Removes uploads that brought nothing for a time.
    ///
    /// - Parameter now: seconds since 1970.
    /// - Returns: how many.
    func removeUploads(olderThan age: Duration, now: Int64, in name: OCIRepositoryName) throws -> Int {
        var removed = 0
        let directory = "\(directory(name))/_uploads"
        for id in try Files.list(directory) where Self.isUploadID(id) {
            var information = stat()
            let path = "\(directory)/\(id)"
            guard stat(path, &information) == 0,
                now.subtractingClamped(Int64(information.st_mtim.tv_sec)) >= age.components.seconds,
                case .upload(let upload) = try uploads.take(path, id: id)
            else { continue }
            upload.remove()
            uploads.release(path)
            removed += 1
        }
        return removed
    }
}
