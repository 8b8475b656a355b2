internal import Glibc
internal import Synchronization
internal import VoltCore
internal import VoltSystem

/// A writer of a store: what it writes is private until it is published, and what it relies on stays while it
/// lives.
///
/// `gc` takes out only what was published or relied on (its time says so) before the oldest living session
/// began. So a session registers itself first, and refreshes the time of everything that it finds there.
final class WriteSession: Sendable {
    let store: ContentStore
    let directory: String
    let packs: PackWriter
    let bare: BareWriter
    private let lock: FileLock
    private let touched = Mutex(Set<UInt64>())

    init(_ store: ContentStore) throws {
        self.store = store
        try store.requireWritable()
        let name = StoreLayout.name(UInt64.random(in: 1...UInt64.max))
        directory = "\(store.layout.sessions)/\(name)"
        // Made under another name: one without a locked file would be cleared away as that of a dead writer.
        let nascent = "\(directory).new"
        try Files.makeDirectory(nascent, mode: 0o700)
        lock = try FileLock.wait(for: "\(nascent)/lock")
        guard rename(nascent, directory) == 0 else {
            throw SystemError.current.during("cannot write '\(directory)'")
        }
        packs = PackWriter(store, directory: directory)
        bare = BareWriter(store, directory: directory)
    }

    /// Removes the private area; what was published stays. Call it when no thread writes any more.
    func end() { try? Self.remove(directory) }

    /// Removes a private area that nobody uses. Under another name first: killed half-way, it would else be one without a
    /// lock, of which nobody knows whether it is used.
    static func remove(_ directory: String) throws {
        let old = "\(directory).old"
        guard rename(directory, old) == 0 else {
            throw SystemError.current.during("cannot remove '\(directory)'")
        }
        try Files.removeTree(old)
    }

    /// Publishes everything: after this call it is durable.
    func finish() throws {
        try packs.finish()
        try bare.publish()
        try IndexMerge(store).runIfWorthwhile(in: directory)
    }

    /// Holds off the removal of objects while the body finds out what is there.
    func looking<Result>(_ body: () throws -> Result) throws -> Result {
        let share = try FileLock.share(store.layout.sweepLock)
        let result = try body()
        share.keep()
        return result
    }

    /// The same for many looks in a row, until the value ends. Do not wait for anything with it.
    func beginLooking() throws -> FileLock { try FileLock.share(store.layout.sweepLock) }

    /// Whether a blob is there, in any form; if so it stays while this session lives. Call it in `looking`.
    func keeps(_ digest: BinaryDigest) throws -> Bool {
        if packs.isClaimed(digest) || bare.isClaimed(digest) { return true }
        guard let entry = try store.index.entries(digest).first(where: { try refresh($0.pack) }) else {
            return try keepsBare(digest)
        }
        // The pieces of an old blob may be in older packs.
        return entry.kind == .data ? true : try keepsPieces(of: entry)
    }

    /// Whether a blob is there as a whole file.
    func keepsBare(_ digest: BinaryDigest) throws -> Bool {
        if bare.isClaimed(digest) { return true }
        return utimensat(AT_FDCWD, store.layout.object(digest), nil, AT_SYMLINK_NOFOLLOW) == 0
    }

    private func refresh(_ pack: UInt64) throws -> Bool {
        if touched.withLock({ $0.contains(pack) }) { return true }
        guard utimensat(AT_FDCWD, store.layout.pack(pack), nil, AT_SYMLINK_NOFOLLOW) == 0 else {
            return false
        }
        touched.withLock { _ = $0.insert(pack) }
        return true
    }

    private func keepsPieces(of entry: IndexEntry) throws -> Bool {
        let recipe: Recipe
        do { recipe = try BlobReader(store).recipe(entry) } catch let error as VoltError {
            if error.code == .inputOutput { throw error }
            return false
        }
        for piece in recipe.pieces where piece.kind != .zeros {
            guard let entry = try store.index.entries(piece.digest).first(where: { try refresh($0.pack) })
            else {
                if piece.kind == .data, try keepsBare(piece.digest) { continue }
                return false
            }
            if piece.kind == .recipe, try !keepsPieces(of: entry) { return false }
        }
        return true
    }
}
