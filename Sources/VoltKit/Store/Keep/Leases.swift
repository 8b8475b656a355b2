internal import FoundationEssentials
internal import Glibc
public import VoltCore
internal import VoltSystem

/// Keeps a blob for a time, for an operation that needs it and gives it no name.
public struct Lease: Sendable, Equatable, Codable {
    /// 16 hex digits.
    public let id: String
    /// What the blob is: of a tree its files are kept too.
    public let kind: TagKind
    /// The blob.
    public let digest: Digest
    /// Who has it, for people.
    public let holder: String
    /// When it is over.
    public let expires: Timestamp
}

extension ContentStore {
    /// Takes a lease, durable when this returns.
    ///
    /// - Throws: `VoltError`; `notFound` when the blob is not in the store.
    public func takeLease(on digest: Digest, kind: TagKind, holder: String, for time: Duration) throws
        -> Lease
    {
        try takeLease(on: digest, kind: kind, holder: holder, for: time, durably: true)
    }

    /// - Parameter durably: false for what is over when the power fails, such as a mount.
    func takeLease(on digest: Digest, kind: TagKind, holder: String, for time: Duration, durably: Bool) throws
        -> Lease
    {
        try requireWritable()
        let share = try FileLock.share(layout.sweepLock)
        guard try has(digest) else { throw Self.missing(BinaryDigest(digest)) }
        let lease = Lease(
            id: StoreLayout.name(UInt64.random(in: 1...UInt64.max)), kind: kind, digest: digest,
            holder: holder,
            expires: SystemClock().now().advanced(by: time))
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        let path = "\(layout.leases)/\(lease.id)"
        let bytes = try encoder.encode(lease) + [10]
        if durably {
            try Files.replace(path, with: bytes, mode: 0o600)
        } else {
            try Files.replaceUnsynced(path, with: bytes, mode: 0o600)
        }
        share.keep()
        return lease
    }

    /// Gives a lease back.
    ///
    /// - Throws: `VoltError`; `notFound` when there is none.
    public func endLease(_ id: String) throws {
        try requireWritable()
        let path = "\(layout.leases)/\(id)"
        guard StoreLayout.number(id, suffix: "") != nil, Files.exists(path) else {
            throw VoltError(
                .notFound, "there is no lease '\(id)'", hint: "list them with 'volt cas lease ls'")
        }
        try Files.remove(path)
        try Files.syncDirectory(layout.leases)
    }

    /// All leases, those that are over among them.
    public func leases() throws -> [Lease] {
        try Files.list(layout.leases).filter { StoreLayout.number($0, suffix: "") != nil }.compactMap {
            name in
            let path = "\(layout.leases)/\(name)"
            guard Files.exists(path) else { return nil }
            guard
                let lease = try? JSONDecoder().decode(
                    Lease.self, from: Data(try Files.read(path, limit: 4096)))
            else {
                throw VoltError(.failed, "the lease '\(path)' is damaged", hint: "remove the file")
            }
            return lease
        }
    }
}
