internal import Glibc
internal import Synchronization
internal import VoltCore
internal import VoltOCI
public import VoltS3
internal import VoltStore
internal import VoltSystem

/// The repositories of a registry in an S3 bucket, which several servers may share. What is asked of S3 is that an object
/// and a list show what was written before; no lock, and no write with a condition (docs/decisions/registry-on-s3.md).
///
/// Blobs that were asked for lie in the content store of this host as well.
public final class BucketStorage: Sendable {
    /// The bucket.
    public let bucket: S3Bucket
    /// For uploads, and for blobs that were asked for.
    let local: RegistryStorage
    private let clients: BucketClients
    let cacheLimit: UInt64
    let read = ReadManifests()
    private let known = Mutex<Set<OCIRepositoryName>>([])
    private let flights = BlobFlights()

    /// - Parameters:
    ///   - bucket: is there, and nobody else writes to it below its prefix.
    ///   - local: of this server alone.
    ///   - cacheLimit: the bytes of blobs that are kept on this host.
    public init(_ bucket: S3Bucket, local: RegistryStorage, cacheLimit: UInt64) {
        self.bucket = bucket
        self.local = local
        self.cacheLimit = cacheLimit
        clients = BucketClients(bucket)
    }

    /// Whether the bucket can be read and written.
    ///
    /// - Throws: `VoltError` that says what is wrong.
    public func check() throws {
        let key = "check/\(BucketKeys.random())"
        try ask { client in
            try client.put(key, [1])
            guard try client.get(key) == [1] else {
                throw VoltError(.failed, "'\(bucket)' does not give back what was written to it")
            }
            try client.delete(key)
        }
    }

    /// Asks S3 something, with a client that nobody else uses meanwhile.
    func ask<Result>(_ body: (S3Client) throws -> Result) throws -> Result {
        let client = clients.take()
        let result = try body(client)
        clients.give(back: client)
        return result
    }

    // MARK: Blobs

    /// The sha256 digest that stands for another one.
    func sha256(_ digest: OCIDigest, _ kind: String, _ name: OCIRepositoryName) throws -> Digest? {
        if let sha256 = digest.sha256 { return sha256 }
        guard let bytes = try ask({ try $0.get(aliasKey(digest, kind, name)) }) else { return nil }
        return try? Digest(String(decoding: bytes, as: UTF8.self))
    }

    func aliasKey(_ digest: OCIDigest, _ kind: String, _ name: OCIRepositoryName) -> String {
        "\(BucketKeys.repository(name, "sha512"))\(kind)/\(digest.hex)"
    }

    func keep(_ alias: OCIDigest?, of digest: Digest, _ kind: String, _ name: OCIRepositoryName) throws {
        guard let alias, alias.algorithm != .sha256 else { return }
        try ask { try $0.put(aliasKey(alias, kind, name), Array(digest.description.utf8)) }
    }

    /// The references of a repository to a blob, the newest first.
    func references(_ digest: Digest, in name: OCIRepositoryName) throws -> [BlobReference] {
        let prefix = BucketKeys.repository(name, "blobs")
        let objects = try ask { try $0.list("\(prefix)\(BucketKeys.hex(digest))/") }
        return objects.compactMap { BlobReference($0.key.dropFirst(prefix.count), modified: $0.modified) }
            .sorted { ($0.modified, $0.text) > ($1.modified, $1.text) }
    }

    /// Refers to the bytes of a blob that are there, unless a collector means to remove them.
    ///
    /// - Returns: false when other bytes are needed.
    func link(_ hex: String, _ generation: String, _ size: UInt64, in name: OCIRepositoryName) throws -> Bool
    {
        let key =
            "\(BucketKeys.repository(name, "blobs"))\(hex)/\(generation)-\(BucketKeys.random())-\(size)"
        return try ask { client in
            try client.put(key, Array(String(size).utf8))
            // A collector looks for references after its mark: one of us sees the other.
            if try client.list("\(BucketKeys.condemned)\(hex)/\(generation)/", limit: 1).isEmpty {
                return true
            }
            try client.delete(key)
            return false
        }
    }

    /// Gives a repository a blob of which the bytes may be there.
    private func link(_ digest: Digest, size: UInt64, in name: OCIRepositoryName) throws -> Bool {
        let hex = BucketKeys.hex(digest)
        let prefix = "\(BucketKeys.blobs)\(hex)/"
        for object in try ask({ try $0.list(prefix, limit: 16) }) where object.size == size {
            if try link(hex, String(object.key.dropFirst(prefix.count)), size, in: name) { return true }
        }
        return false
    }

    private func upload(_ file: String, _ digest: Digest, in name: OCIRepositoryName) throws {
        let descriptor = Glibc.open(file, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw SystemError.current.during("cannot read '\(file)'") }
        defer { close(descriptor) }
        var information = stat()
        guard fstat(descriptor, &information) == 0 else {
            throw SystemError.current.during("cannot read '\(file)'")
        }
        let size = UInt64(information.st_size)
        if try link(digest, size: size, in: name) { return }
        let hex = BucketKeys.hex(digest)
        for _ in 0..<5 {
            let generation = BucketKeys.random()
            try ask { client in
                try client.put("\(BucketKeys.blobs)\(hex)/\(generation)", from: descriptor, size: size)
            }
            // False only when the upload took longer than the grace of a collector.
            if try link(hex, generation, size, in: name) { return }
        }
        throw VoltError(
            .tryAgain, "blob '\(digest)' was collected while it was pushed",
            hint: "give the collection a longer --grace")
    }

    /// A blob of this host, or nil.
    private func cached(_ digest: Digest) throws -> (descriptor: Int32, size: UInt64)? {
        let path = "\(cache)/\(digest)"
        guard utimensat(AT_FDCWD, path, nil, 0) == 0 else { return nil }
        return try local.store.open(bare: digest)
    }

    var cache: String { "\(local.root)/_cache" }

    private func keepHere(_ file: String, _ digest: Digest) throws {
        try Files.makeDirectory(cache, mode: 0o700)
        try local.store.takeIn(file: file, as: digest, reference: "registry/_cache", note: [])
    }

    /// Fetches a blob to this host, verified.
    private func fetch(_ reference: BlobReference, _ digest: Digest) throws -> Bool {
        try Files.makeDirectory(cache, mode: 0o700)
        let path = "\(cache)/_\(BucketKeys.random())"
        let descriptor = Glibc.open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw SystemError.current.during("cannot write '\(path)'") }
        defer { close(descriptor) }
        do {
            let hasher = OCIHasher()
            let isThere = try ask { client in
                try client.read("\(BucketKeys.blobs)\(reference.hex)/\(reference.generation)") {
                    part throws(VoltError) in
                    hasher.update(part)
                    try Files.write(Array(part), to: descriptor, named: path)
                }
            }
            guard isThere else {
                unlink(path)
                return false
            }
            guard hasher.finish().sha256 == digest else {
                throw VoltError(
                    .failed, "blob '\(digest)' has other bytes in '\(bucket)' than its digest says",
                    hint: "push it again after 'volt registry gc' has removed what names it")
            }
            guard fdatasync(descriptor) == 0 else {
                throw SystemError.current.during("cannot write '\(path)'")
            }
            try keepHere(path, digest)
            return true
        } catch {
            unlink(path)
            throw error
        }
    }

    func remember(_ name: OCIRepositoryName) throws {
        if known.withLock({ $0.contains(name) }) { return }
        try ask { try $0.put("\(BucketKeys.names)\(name)", Array(name.description.utf8)) }
        known.withLock { known in
            if known.count > 100_000 { known.removeAll() }
            known.insert(name)
        }
    }
}

extension BucketStorage: Repositories {
    var isRemote: Bool { true }

    func isDue(_ digest: OCIDigest, in name: OCIRepositoryName) -> Bool { true }

    /// What is pushed beside it has names of its own.
    func alone<Result>(_ name: OCIRepositoryName, _ body: () throws -> Result) throws -> Result { try body() }

    func exists(_ name: OCIRepositoryName) throws -> Bool {
        if known.withLock({ $0.contains(name) }) { return true }
        return try ask { try $0.get("\(BucketKeys.names)\(name)") != nil }
    }

    func repositories() throws -> [OCIRepositoryName] {
        let objects = try ask { try $0.list(BucketKeys.names) }
        return objects.compactMap { OCIRepositoryName(parsing: $0.key.dropFirst(BucketKeys.names.count)) }
            .sorted()
    }

    func blob(_ digest: OCIDigest, in name: OCIRepositoryName) throws -> Digest? {
        guard let sha256 = try sha256(digest, "blobs", name) else { return nil }
        return try references(sha256, in: name).isEmpty ? nil : sha256
    }

    func size(of digest: Digest, in name: OCIRepositoryName) throws -> UInt64 {
        guard let reference = try references(digest, in: name).first else {
            throw VoltError(.notFound, "'\(name)' has no blob '\(digest)'")
        }
        return reference.size
    }

    func open(_ digest: Digest, in name: OCIRepositoryName) throws -> (descriptor: Int32, size: UInt64)? {
        let references = try references(digest, in: name)
        guard let newest = references.first else { return nil }
        // Once in ten minutes is enough for a grace of an hour.
        if Int64(time(nil)) - newest.modified > 600 {
            _ = try link(newest.hex, newest.generation, newest.size, in: name)
        }
        if let found = try cached(digest) { return found }
        return try flights.with(digest) {
            // Somebody else may have fetched it meanwhile.
            if let found = try cached(digest) { return found }
            for reference in references where try fetch(reference, digest) { return try cached(digest) }
            throw VoltError(
                .failed, "'\(bucket)' has lost blob '\(digest)'", hint: "push it again")
        }
    }

    func takeIn(_ file: String, as digest: Digest, alias: OCIDigest?, in name: OCIRepositoryName) throws {
        try upload(file, digest, in: name)
        try keep(alias, of: digest, "blobs", name)
        try keepHere(file, digest)
    }

    func mount(_ digest: OCIDigest, from source: OCIRepositoryName, to name: OCIRepositoryName) throws -> Bool
    {
        guard let sha256 = try sha256(digest, "blobs", source) else { return false }
        for reference in try references(sha256, in: source) {
            guard try link(reference.hex, reference.generation, reference.size, in: name) else { continue }
            try keep(digest, of: sha256, "blobs", name)
            return true
        }
        return false
    }

    func removeBlob(_ digest: OCIDigest, in name: OCIRepositoryName) throws -> Bool {
        guard let sha256 = try sha256(digest, "blobs", name) else { return false }
        let references = try references(sha256, in: name)
        try ask { client in
            if digest.algorithm != .sha256 { try client.delete(aliasKey(digest, "blobs", name)) }
            for reference in references { try client.delete(reference.key(in: name)) }
        }
        return !references.isEmpty
    }
}

/// Clients that keep their connections. A client is in the table, under its lock, or in the hands of the one thread that
/// took it out; that is why they may go from thread to thread.
private final class BucketClients: @unchecked Sendable {
    private let bucket: S3Bucket
    private let lock = Mutex(())
    private var idle: [S3Client] = []

    init(_ bucket: S3Bucket) { self.bucket = bucket }

    func take() -> S3Client { lock.withLock { _ in idle.popLast() } ?? S3Client(bucket) }

    func give(back client: S3Client) { lock.withLock { _ in if idle.count < 32 { idle.append(client) } } }
}

/// Lets each blob be fetched by one thread at a time.
private final class BlobFlights: Sendable {
    private final class Lane: Sendable {
        let lock = Mutex(())
    }

    private let lanes = (0..<64).map { _ in Lane() }

    func with<Result>(_ digest: Digest, _ body: () throws -> Result) throws -> Result {
        try lanes[Int(UInt(bitPattern: digest.hashValue) % 64)].lock.withLock { _ in
            // The lock is held, and the result is the caller's alone.
            nonisolated(unsafe) let result = try body()
            return result
        }
    }
}
