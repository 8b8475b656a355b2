internal import Glibc
internal import VoltCore
internal import VoltSystem

/// What went over to another store, or came from one.
public struct TransferResult: Sendable, Codable {
    /// The tags.
    public var tags: [String] = []
    /// Blobs and pieces that were not there before.
    public var blobs = 0
    /// Bytes that went or came.
    public var bytes: UInt64 = 0
}

extension ContentStore {
    /// Sends what tags name to another store, and sets them there; only what that one does not have travels.
    ///
    /// - Parameters:
    ///   - names: nothing is all tags.
    ///   - progress: told with the bytes sent.
    /// - Throws: `VoltError`; `notFound` for a tag that is not there.
    public func push(
        _ names: [String], to address: RemoteAddress, progress: @escaping (UInt64) -> Void = { _ in }
    ) throws -> TransferResult {
        let tags =
            try names.isEmpty
            ? self.tags()
            : names.map { name in
                guard let tag = try tag(name) else { throw Self.noTag(name) }
                return tag
            }
        return try RemoteStore.using(address, reading: false) { peer in
            let push = Push(self, peer, progress)
            for tag in tags { try push.send(BinaryDigest(tag.digest), tag.kind) }
            try push.commit()
            var result = TransferResult(blobs: push.count, bytes: 0)
            for tag in tags {
                try peer.send(.setTag, Wire.write(tag.kind, BinaryDigest(tag.digest), tag.name))
                try peer.flush()
                _ = try peer.expect(.done)
                result.tags.append(tag.name)
            }
            result.bytes = peer.sent
            return result
        }
    }

    /// Gets what tags of another store name, and sets them here; only what is not here travels.
    ///
    /// - Parameters:
    ///   - names: nothing is all tags.
    ///   - asName: another name for the one tag.
    ///   - progress: told with the bytes received.
    /// - Throws: `VoltError`; `notFound` for a tag that is not there, `refused` when the other side sends other bytes
    ///   than it says.
    public func pull(
        _ names: [String], from address: RemoteAddress, as asName: String? = nil,
        progress: @escaping (UInt64) -> Void = { _ in }
    ) throws -> TransferResult {
        try RemoteStore.using(address, reading: true) { peer in
            let tags =
                try names.isEmpty
                ? RemoteStore.tags(peer, "")
                : names.map { name in
                    let answer = try RemoteStore.tags(peer, name)
                    guard let tag = answer.first else {
                        throw VoltError(
                            .notFound, "'\(address)' has no tag '\(name)'",
                            hint: "list them with 'volt cas tags' there")
                    }
                    // The names that are set here are those that were asked for, whatever the other side says.
                    guard answer.count == 1, tag.name == name else {
                        throw peer.strange("tag '\(answer.last?.name ?? "")' in the place of '\(name)'")
                    }
                    return tag
                }
            let session = try WriteSession(self)
            defer { session.end() }
            let pull = Pull(session, peer, progress)
            for tag in tags { try pull.get(tag.digest, tag.kind) }
            try session.finish()
            var result = TransferResult(blobs: pull.count, bytes: peer.received)
            for tag in tags {
                let name = asName ?? tag.name
                try requireWhole(tag.digest, tag.kind)
                try setTag(name, to: tag.digest.digest, kind: tag.kind)
                result.tags.append(name)
            }
            return result
        }
    }
}

/// Another store, while something is done with it.
enum RemoteStore {
    static func using<Result>(_ address: RemoteAddress, reading: Bool, _ body: (Peer) throws -> Result) throws
        -> Result
    {
        let helper: Int32?
        let result: Result
        do {
            let peer: Peer
            (peer, helper) = try address.connect(reading: reading)
            result = try body(peer)
        }
        // The stream is closed, so that it ends.
        if let helper {
            var status: Int32 = 0
            while waitpid(helper, &status, 0) < 0, errno == EINTR {}
        }
        return result
    }

    static func tags(_ peer: Peer, _ name: String) throws -> [(
        kind: TagKind, digest: BinaryDigest, name: String
    )] {
        try peer.send(.tags, Array(name.utf8))
        try peer.flush()
        var tags: [(kind: TagKind, digest: BinaryDigest, name: String)] = []
        var seen: Set<String> = []
        while true {
            let (kind, bytes) = try peer.receive()
            switch kind {
            case .done: return tags
            case .error: throw Wire.error(bytes)
            case .tag:
                do throws(FormatError) { tags.append(try Wire.tag(bytes)) } catch {
                    throw peer.strange("what \(error.reason)")
                }
                let name = tags[tags.count - 1].name
                try ContentStore.checkTag(name)
                guard seen.insert(name).inserted else { throw peer.strange("tag '\(name)' twice") }
                guard tags.count <= 1 << 20 else { throw peer.strange("more tags than a store has") }
            default: throw peer.strange("'\(kind)' in the place of a tag")
            }
        }
    }
}

/// Sends blobs to another store.
private final class Push {
    private let store: ContentStore
    private let peer: Peer
    private let sender: BlobSender
    private let reader: BlobReader
    private let progress: (UInt64) -> Void
    private(set) var count = 0

    init(_ store: ContentStore, _ peer: Peer, _ progress: @escaping (UInt64) -> Void) {
        self.store = store
        self.peer = peer
        self.progress = progress
        sender = BlobSender(store, peer)
        reader = BlobReader(store)
    }

    func send(_ digest: BinaryDigest, _ kind: TagKind) throws {
        // The files before the tree, which needs them.
        if kind == .tree {
            var batch: [BinaryDigest] = []
            try TreeWalk.each(digest, in: BlobReader(store)) { event in
                guard case .entry(let entry) = event, case .file(let size, let file) = entry.kind, size > 0
                else {
                    return
                }
                batch.append(file)
                if batch.count >= 1024 {
                    try send(batch, depth: 0)
                    batch.removeAll(keepingCapacity: true)
                }
            }
            try send(batch, depth: 0)
        }
        try send([digest], depth: 0)
    }

    func commit() throws {
        try peer.send(.commit, [])
        try peer.flush()
        _ = try peer.expect(.done)
    }

    /// Sends those that the other side does not have, the pieces of a recipe before it.
    private func send(_ digests: [BinaryDigest], depth: Int) throws {
        var seen: Set<BinaryDigest> = []
        let missing = try absent(digests.filter { seen.insert($0).inserted })
        guard !missing.isEmpty else { return }
        var pieces: [BinaryDigest] = []
        var recipes: [IndexEntry] = []
        for digest in missing {
            switch try store.place(of: digest) {
            case nil: throw ContentStore.missing(digest)
            case .packed(let entry) where entry.kind == .recipe:
                guard depth < 4 else { throw ContentStore.damaged(digest, "its recipe is too deep") }
                recipes.append(entry)
                for piece in try reader.recipe(entry).pieces where piece.kind != .zeros {
                    pieces.append(piece.digest)
                }
                if pieces.count >= Wire.mostDigests {
                    try send(pieces, depth: depth + 1)
                    pieces.removeAll()
                }
            default:
                guard try sender.send(digest) else { throw ContentStore.missing(digest) }
                count += 1
            }
            progress(peer.sent)
        }
        try send(pieces, depth: depth + 1)
        for entry in recipes {
            try sender.send(entry)
            count += 1
        }
    }

    private func absent(_ digests: [BinaryDigest]) throws -> [BinaryDigest] {
        var absent: [BinaryDigest] = []
        for start in stride(from: 0, to: digests.count, by: Wire.mostDigests) {
            let part = digests[start..<min(start + Wire.mostDigests, digests.count)]
            try peer.send(.has, part)
            try peer.flush()
            let there = try peer.expect(.presence)
            guard there.count == part.count else { throw peer.strange("an answer of another length") }
            for (digest, isThere) in zip(part, there) where isThere == 0 { absent.append(digest) }
        }
        return absent
    }
}
