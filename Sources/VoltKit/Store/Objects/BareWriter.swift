internal import CVoltSystem
internal import Glibc
internal import Synchronization
internal import VoltCore
internal import VoltSystem

/// Puts whole files into the store, made durable and named in batches: a sync for each would cost ten times as
/// much as the writing.
final class BareWriter: Sendable {
    /// Files in a batch.
    private static let batch = 4096
    /// So many files are synced one by one: a sync of the whole file system waits for what others write, too.
    private static let few = 32

    private struct State {
        var pending: [(digest: BinaryDigest, path: String)] = []
        var claimed: Set<BinaryDigest> = []
        var next = 0
        var bytes: UInt64 = 0
        var count = 0
    }

    private let store: ContentStore
    private let directory: String
    private let state = Mutex(State())

    init(_ store: ContentStore, directory: String) {
        self.store = store
        self.directory = directory
    }

    /// The bytes and the number of the files put into the store.
    var written: (bytes: UInt64, count: Int) { state.withLock { ($0.bytes, $0.count) } }

    func isClaimed(_ digest: BinaryDigest) -> Bool { state.withLock { $0.claimed.contains(digest) } }

    /// A name in the private area that nothing has.
    func freePath() -> String {
        let number = state.withLock { state in
            state.next += 1
            return state.next
        }
        return "\(directory)/f\(number)"
    }

    /// A new file in the private area, for the bytes of a blob.
    func temporary() throws -> StoreFile { try StoreFile(creating: freePath(), mode: 0o444) }

    /// Takes a file whose bytes have this digest; it is removed when another thread was faster.
    ///
    /// - Parameter path: a file on the file system of the store, which nobody writes to any more.
    func add(_ digest: BinaryDigest, _ path: String, size: UInt64) throws {
        let (isMine, isFull) = state.withLock { state in
            guard state.claimed.insert(digest).inserted else { return (false, false) }
            state.pending.append((digest, path))
            state.bytes += size
            state.count += 1
            return (true, state.pending.count >= Self.batch)
        }
        if !isMine { try Files.remove(path) }
        if isFull { try publish() }
    }

    /// Makes what was added durable, and then gives it its names.
    func publish() throws {
        let batch = state.withLock { state in
            defer { state.pending.removeAll() }
            return state.pending
        }
        if batch.isEmpty { return }
        let isSmall = batch.count <= Self.few
        if isSmall { for (_, path) in batch { try Self.sync(path) } } else { try syncStore() }
        var directories: Set<String> = []
        for (digest, path) in batch {
            let name = store.layout.object(digest)
            let directory = Files.parent(of: name)
            directories.insert(directory)
            if rename(path, name) == 0 { continue }
            guard errno == ENOENT else { throw SystemError.current.during("cannot write '\(name)'") }
            try Files.makeDirectory(directory, mode: 0o700)
            directories.insert(store.layout.objects)
            guard rename(path, name) == 0 else { throw SystemError.current.during("cannot write '\(name)'") }
        }
        if isSmall { for name in directories { try Files.syncDirectory(name) } } else { try syncStore() }
        state.withLock { state in for (digest, _) in batch { state.claimed.remove(digest) } }
    }

    private static func sync(_ path: String) throws {
        let file = volt_open(path, O_RDONLY | O_NOFOLLOW, 0)
        guard file >= 0 else { throw SystemError.current.during("cannot open '\(path)'") }
        defer { close(file) }
        guard fsync(file) == 0 else { throw SystemError.current.during("cannot sync '\(path)'") }
    }

    private func syncStore() throws {
        let directory = volt_open(store.layout.objects, O_RDONLY | O_DIRECTORY, 0)
        guard directory >= 0 else {
            throw SystemError.current.during("cannot open '\(store.layout.objects)'")
        }
        defer { close(directory) }
        guard volt_syncfs(directory) == 0 else {
            throw SystemError.current.during("cannot sync '\(store.layout.objects)'")
        }
    }
}
