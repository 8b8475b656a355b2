internal import Glibc
internal import Synchronization
internal import VoltCore
internal import VoltOCI
public import VoltStore
internal import VoltSystem

/// The repositories of a registry, in a content store and nothing else.
///
///     references/registry/NAME/_blobs/sha256:HEX          the repository has this blob
///     references/registry/NAME/_manifests/sha256:HEX      and this manifest; its media type
///     references/registry/NAME/_*/sha512:HEX              another digest of one; the sha256 digest
///     references/registry/NAME/_tags/TAG                  the digest of a manifest
///     references/registry/NAME/_referrers/DIGEST/DIGEST   a manifest about another one; its descriptor
///     references/registry/NAME/_uploads/ID                what came of a blob so far
///     references/registry/NAME/_lock, _gate               shared by who adds something, alone for who collects
///
/// Parts of a repository's name begin with a letter or digit, so that nothing of this can be one. Everything is read
/// from these files at each request: several processes work on one store at a time.
public final class RegistryStorage: Sendable {
    /// The store below.
    public let store: ContentStore
    let root: String
    /// Directories that are known to be there and durable.
    private let known = Mutex<Set<String>>([])
    let manifests = ManifestCache()
    /// The files of tags and of media types.
    let files = FileCache()
    let uploads = UploadTable()

    /// - Parameter store: may have other owners and tags, too.
    public init(_ store: ContentStore) throws {
        self.store = store
        root = "\(store.references)/registry"
    }

    /// The directory of a repository.
    func directory(_ name: OCIRepositoryName) -> String { "\(root)/\(name)" }

    /// The same below the references of the store.
    func reference(_ name: OCIRepositoryName, _ part: String) -> String { "registry/\(name)/\(part)" }

    /// Makes a directory of a repository, durable with all above it, and calls the body; once more when somebody
    /// removed it meanwhile.
    func within<Result>(_ name: OCIRepositoryName, _ part: String, _ body: (String) throws -> Result) throws
        -> Result
    {
        let path = part.isEmpty ? directory(name) : "\(directory(name))/\(part)"
        if known.withLock({ $0.contains(path) }) {
            if Files.isDirectory(path) { return try body(path) }
            known.withLock { _ = $0.remove(path) }
        }
        try makeDurable(path)
        known.withLock { known in
            if known.count > 100_000 { known.removeAll() }
            known.insert(path)
        }
        return try body(path)
    }

    private func makeDurable(_ path: String) throws {
        if Files.isDirectory(path) { return }
        let parent = Files.parent(of: path)
        if path != store.path { try makeDurable(parent) }
        try Files.makeDirectory(path, mode: 0o700)
        try Files.syncDirectory(parent)
    }

    /// Calls the body while nobody collects what a manifest may need.
    func sharing<Result>(_ name: OCIRepositoryName, _ body: () throws -> Result) throws -> Result {
        try within(name, "") { _ in }
        let share = try share(name)
        let result = try body()
        share.keep()
        return result
    }

    private func share(_ name: OCIRepositoryName) throws -> FileLock {
        // Pushes without a pause would never let a collection in that waits for the lock alone.
        let gate = try FileLock.wait(for: "\(directory(name))/_gate")
        let share = try FileLock.share("\(directory(name))/_lock")
        gate.keep()
        return share
    }

    /// The lock of who collects: those who add something wait.
    func lockAlone(_ name: OCIRepositoryName) throws -> FileLock {
        let gate = try FileLock.wait(for: "\(directory(name))/_gate")
        let lock = try FileLock.wait(for: "\(directory(name))/_lock")
        gate.keep()
        return lock
    }

    /// Whether anything was ever put there.
    func exists(_ name: OCIRepositoryName) -> Bool { Files.exists("\(directory(name))/_manifests") }

    // MARK: Blobs

    /// The blob of a repository in the store, or nil when the repository does not have it.
    func blob(_ digest: OCIDigest, in name: OCIRepositoryName) -> Digest? {
        resolve(digest, "\(directory(name))/_blobs")
    }

    /// The sha256 digest that stands for another one, when the directory has it.
    func resolve(_ digest: OCIDigest, _ directory: String) -> Digest? {
        let path = "\(directory)/\(digest)"
        if let sha256 = digest.sha256 { return Files.exists(path) ? sha256 : nil }
        guard let bytes = try? Files.read(path, limit: 1024),
            let sha256 = try? Digest(String(decoding: bytes, as: UTF8.self)),
            Files.exists("\(directory)/\(sha256)")
        else { return nil }
        return sha256
    }

    private func open(_ digest: Digest) throws -> (descriptor: Int32, size: UInt64) {
        if let found = try store.open(bare: digest) { return found }
        // It was put there packed, such as by a repair: from now on it is there as a file, too.
        try makeBare(digest)
        guard let found = try store.open(bare: digest) else {
            throw VoltError(
                .failed, "blob '\(digest)' is not in the store",
                hint: "see 'volt cas verify --store \(store.path)'")
        }
        return found
    }

    private func makeBare(_ digest: Digest) throws {
        let directory = "\(root)/_bare"
        try Files.makeDirectory(directory, mode: 0o700)
        let path = "\(directory)/\(UInt64.random(in: 0...UInt64.max))"
        try store.get(digest, to: path, mode: 0o444)
        try store.takeIn(file: path, as: digest, reference: "registry/_bare", note: [])
        // A repository refers to it, too.
        try Files.remove("\(directory)/\(digest)")
    }

    /// Takes a file in as a blob of a repository; it is durable afterwards.
    ///
    /// - Parameters:
    ///   - file: synced; it is gone afterwards.
    ///   - digest: of its bytes.
    ///   - alias: another digest of them.
    func takeIn(_ file: String, as digest: Digest, alias: OCIDigest?, in name: OCIRepositoryName) throws {
        try sharing(name) {
            try within(name, "_blobs") { directory in
                try store.takeIn(file: file, as: digest, reference: reference(name, "_blobs"), note: [])
                try keep(alias, of: digest, directory)
            }
        }
    }

    func keep(_ alias: OCIDigest?, of digest: Digest, _ directory: String) throws {
        guard let alias, alias.algorithm != .sha256 else { return }
        // No name of an alias is that of a temporary file.
        try Files.replace("\(directory)/\(alias)", with: digest.description.utf8, mode: 0o600)
    }

    /// Gives a repository a blob of another one.
    ///
    /// - Returns: false when the other one does not have it.
    func mount(_ digest: OCIDigest, from source: OCIRepositoryName, to name: OCIRepositoryName) throws -> Bool
    {
        guard let sha256 = blob(digest, in: source) else { return false }
        return try sharing(name) {
            try within(name, "_blobs") { directory in
                guard try store.addReference(reference(name, "_blobs"), to: sha256, note: []) else {
                    return false
                }
                try keep(digest, of: sha256, directory)
                return true
            }
        }
    }

    /// Whether opening a blob notes that it was asked for, which may wait for a lock.
    func isDue(_ digest: OCIDigest, in name: OCIRepositoryName) -> Bool {
        var information = stat()
        return stat("\(directory(name))/_blobs/\(digest)", &information) == 0
            && time(nil).subtractingClamped(information.st_mtim.tv_sec) > 600
    }

    /// Opens a blob that a client may rely on from now on, so that it is not collected before its manifest is there.
    ///
    /// - Returns: nil when it was collected a moment ago.
    func open(_ digest: Digest, in name: OCIRepositoryName) throws -> (descriptor: Int32, size: UInt64)? {
        let path = "\(directory(name))/_blobs/\(digest)"
        var information = stat()
        guard stat(path, &information) == 0 else { return nil }
        // Once in ten minutes is enough for a grace of an hour.
        if time(nil).subtractingClamped(information.st_mtim.tv_sec) > 600 {
            guard try sharing(name, { utimensat(AT_FDCWD, path, nil, 0) == 0 }) else { return nil }
        }
        return try open(digest)
    }

    /// Takes a blob from a repository; its bytes go with the next collection when nobody else has it.
    ///
    /// - Returns: false when it was not there.
    func removeBlob(_ digest: OCIDigest, in name: OCIRepositoryName) throws -> Bool {
        guard let sha256 = blob(digest, in: name) else { return false }
        let directory = "\(directory(name))/_blobs"
        if digest.algorithm != .sha256 { try Files.remove("\(directory)/\(digest)") }
        try Files.remove("\(directory)/\(sha256)")
        try Files.syncDirectory(directory)
        return true
    }

    /// Writes a file of a repository, durable when it returns.
    ///
    /// The temporary file is not beside it: no name that a client can choose is taken by one that was left.
    func replace(_ path: String, _ bytes: some Sequence<UInt8>, in name: OCIRepositoryName) throws {
        let temporary = "\(directory(name))/_new-\(UInt64.random(in: 0...UInt64.max))"
        try Files.replace(temporary, with: bytes, mode: 0o600)
        guard rename(temporary, path) == 0 else {
            let error = SystemError.current
            unlink(temporary)
            throw error.during("cannot write '\(path)'")
        }
        try Files.syncDirectory(Files.parent(of: path))
    }

    // MARK: Repositories

    /// The repositories that have manifests, in the order of ASCII.
    func repositories() throws -> [OCIRepositoryName] {
        var found: [OCIRepositoryName] = []
        try Self.walk(root, prefix: "", depth: 0, &found)
        return found.sorted()
    }

    private static func walk(
        _ directory: String, prefix: String, depth: Int, _ found: inout [OCIRepositoryName]
    ) throws {
        guard depth < 129 else { return }
        for entry in try Files.list(directory) where !entry.hasPrefix("_") {
            let path = "\(directory)/\(entry)"
            let name = prefix.isEmpty ? entry : "\(prefix)/\(entry)"
            if let repository = OCIRepositoryName(parsing: name),
                try !Files.list("\(path)/_manifests").isEmpty
            {
                found.append(repository)
            }
            try walk(path, prefix: name, depth: depth + 1, &found)
        }
    }
}

extension RegistryStorage: Repositories {
    var isRemote: Bool { false }

    func size(of digest: Digest, in name: OCIRepositoryName) throws -> UInt64 { try store.size(of: digest) }

    func alone<Result>(_ name: OCIRepositoryName, _ body: () throws -> Result) throws -> Result {
        // Nothing is made for a name that somebody makes up.
        guard exists(name) || Files.exists("\(directory(name))/_blobs") else { return try body() }
        let lock = try lockAlone(name)
        let result = try body()
        lock.keep()
        return result
    }
}
