internal import Glibc
internal import Synchronization
internal import VoltCore
internal import VoltOCI
internal import VoltSystem

/// The right to work on an upload, which one request has at a time. It is given back with the last user of this value,
/// if not before.
final class UploadLease: Sendable {
    let upload: Upload
    private let table: UploadTable
    private let isOver = Atomic(false)

    fileprivate init(_ upload: Upload, _ table: UploadTable) {
        self.upload = upload
        self.table = table
    }

    deinit { giveBack() }

    /// Lets others go on with the upload.
    func giveBack() { if !isOver.exchange(true, ordering: .relaxed) { table.put(back: upload) } }

    /// Ends the upload: it is a blob, or it is given up.
    func end() { if !isOver.exchange(true, ordering: .relaxed) { table.release(upload.path) } }

    /// Ends the upload and removes its file.
    func remove() {
        guard !isOver.exchange(true, ordering: .relaxed) else { return }
        upload.remove()
        table.release(upload.path)
    }

    /// Whether a text is the id of an upload: 32 hex digits.
    static func isID(_ text: some StringProtocol) -> Bool {
        text.utf8.count == 32 && text.utf8.allSatisfy { (48...57).contains($0) || (97...102).contains($0) }
    }
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
        case lease(UploadLease)
        case busy
        case unknown
    }

    /// Takes an upload out, to work on it.
    func take(_ path: String, id: String) throws -> Taken {
        let isBusy = state.withLock { state in !state.busy.insert(path).inserted }
        if isBusy { return .busy }
        do {
            if let upload = try resumed(path, id: id) { return .lease(UploadLease(upload, self)) }
        } catch {
            release(path)
            throw error
        }
        release(path)
        return Files.exists(path) ? .busy : .unknown
    }

    private func resumed(_ path: String, id: String) throws -> Upload? {
        let known = state.withLock { $0.idle.removeValue(forKey: path)?.upload }
        if let known, known.resume() { return known }
        return try Upload(opening: path, id: id)
    }

    /// Works on a new upload.
    func begin(_ upload: Upload) -> UploadLease {
        state.withLock { _ = $0.busy.insert(upload.path) }
        return UploadLease(upload, self)
    }

    /// Puts an upload back that goes on later.
    fileprivate func put(back upload: Upload) {
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
    fileprivate func release(_ path: String) { state.withLock { _ = $0.busy.remove(path) } }

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

    func uploadPath(_ id: String, in name: OCIRepositoryName) -> String {
        "\(directory(name))/_uploads/\(id)"
    }

    /// Begins an upload.
    func beginUpload(_ algorithm: OCIDigest.Algorithm, in name: OCIRepositoryName) throws -> UploadLease {
        try within(name, "_uploads") { directory in
            // Each may take what the disk has.
            let there = try Files.list(directory)
            if there.count >= Self.uploadLimit { try removeOldest(there, in: directory) }
            // Guessing one would let somebody else add to it.
            let id = Hex.encode((0..<16).map { _ in UInt8.random(in: 0...255) })
            let upload = try Upload(creating: "\(directory)/\(id)", id: id, algorithm: algorithm)
            return uploads.begin(upload)
        }
    }

    /// Removes the upload that brought nothing for the longest time, and none of the last minutes.
    private func removeOldest(_ ids: [String], in directory: String) throws {
        let now = Int64(time(nil))
        var ages: [(path: String, id: String, age: Int64)] = []
        for id in ids where UploadLease.isID(id) {
            var information = stat()
            let path = "\(directory)/\(id)"
            guard stat(path, &information) == 0 else { continue }
            ages.append((path, id, now.subtractingClamped(Int64(information.st_mtim.tv_sec))))
        }
        ages.sort { $0.age > $1.age }
        for (path, id, age) in ages where age >= Self.uploadRest {
            // One that a request works on is not left, however slow it is.
            guard case .lease(let lease) = try uploads.take(path, id: id) else { continue }
            var information = stat()
            // It may have got something since.
            guard stat(path, &information) == 0,
                now.subtractingClamped(Int64(information.st_mtim.tv_sec)) >= Self.uploadRest
            else { continue }
            lease.remove()
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
        for id in try Files.list(directory) where UploadLease.isID(id) {
            var information = stat()
            let path = "\(directory)/\(id)"
            guard stat(path, &information) == 0,
                now.subtractingClamped(Int64(information.st_mtim.tv_sec)) >= age.components.seconds,
                case .lease(let lease) = try uploads.take(path, id: id)
            else { continue }
            lease.remove()
            removed += 1
        }
        return removed
    }
}
