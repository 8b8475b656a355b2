internal import CVoltSystem
internal import Dispatch
internal import Glibc
internal import VoltCore
internal import VoltSystem

extension ContentStore {
    /// Serves the store to one other over two descriptors, such as those of ssh, until that one ends.
    ///
    /// - Throws: `VoltError` when the other side says what cannot be meant.
    public func serve(input: Int32, output: Int32, access: ServeAccess) throws {
        signal(SIGPIPE, SIG_IGN)
        try StoreServer(self, Peer(input: input, output: output, name: "the other side"), access).run()
    }

    /// Serves the store on a Unix socket that only its owner can connect to; returns by throwing only.
    ///
    /// - Parameter connections: so many at a time; others wait.
    /// - Throws: `VoltError`; `conflict` when something that is not a left socket is at the path.
    public func serve(socket path: String, access: ServeAccess, connections: Int = 16) throws -> Never {
        signal(SIGPIPE, SIG_IGN)
        try Self.requireFree(path)
        let descriptor = volt_unix_stream_listen(path)
        guard descriptor >= 0 else { throw SystemError.current.during("cannot listen on '\(path)'") }
        let slots = DispatchSemaphore(value: connections)
        while true {
            slots.wait()
            let connection = volt_stream_accept(descriptor)
            guard connection >= 0 else {
                let error = SystemError.current
                slots.signal()
                if [EINTR, ECONNABORTED, EMFILE, ENFILE].contains(error.number) {
                    usleep(10_000)
                    continue
                }
                throw error.during("cannot accept on '\(path)'")
            }
            StoreServer.serveInThread(self, connection, access) { slots.signal() }
        }
    }
}

extension ContentStore {
    /// Listening removes what is at the path: that may only be the socket of a server that has ended.
    private static func requireFree(_ path: String) throws {
        var information = stat()
        guard lstat(path, &information) == 0 else { return }
        guard information.st_mode & S_IFMT == S_IFSOCK else {
            throw VoltError(
                .conflict, "cannot listen on '\(path)': a file is there that is not a socket",
                hint: "name a path that is free")
        }
        let connection = volt_unix_stream_connect(path)
        guard connection < 0 else {
            close(connection)
            throw VoltError(
                .conflict, "cannot listen on '\(path)': another server does",
                hint: "end that one first, or name another path")
        }
    }
}

/// The rights of others on a store that is served.
public enum ServeAccess: Sendable {
    /// Get blobs.
    case reading
    /// The same, put blobs into the store and give them names that nothing has yet.
    case appending
    /// The same, and let names name something else.
    case writing
}

/// Answers one other store.
final class StoreServer {
    private let store: ContentStore
    private let peer: Peer
    private let access: ServeAccess
    private let sender: BlobSender
    private var session: WriteSession?
    private var receiver: BlobReceiver?

    init(_ store: ContentStore, _ peer: Peer, _ access: ServeAccess) {
        self.store = store
        self.peer = peer
        self.access = access
        sender = BlobSender(store, peer)
    }

    /// - Parameter descriptor: closed at the end.
    static func serveInThread(
        _ store: ContentStore, _ descriptor: Int32, _ access: ServeAccess,
        atEnd: @escaping @Sendable () -> Void = {}
    ) {
        DispatchQueue(label: "volt.store.server").async {
            // The other side hears of an error as the last frame.
            try? StoreServer(
                store, Peer(input: descriptor, output: descriptor, name: "the other side"), access
            ).run()
            atEnd()
        }
    }

    func run() throws {
        defer { session?.end() }
        do {
            try peer.greet()
            while let (kind, bytes) = try peer.receiveOrEnd() { try answer(kind, bytes) }
        } catch {
            let error =
                (error as? VoltError) ?? (error as? SystemError)?.during("cannot use the store")
                ?? VoltError(.failed, "\(error)")
            try? peer.send(.error, Wire.error(error))
            try? peer.flush()
            throw error
        }
    }

    private func answer(_ kind: Wire.Kind, _ bytes: UnsafeRawBufferPointer) throws {
        switch kind {
        case .has:
            let digests = try digests(bytes)
            let session = try writing().session
            try receiver?.settle()
            let there = try session.looking { try digests.map { try session.keeps($0) ? 1 : 0 as UInt8 } }
            try peer.send(.presence, there)
            try peer.flush()
        case .get:
            for digest in try digests(bytes) where try !sender.send(digest) {
                try peer.send(.missing, [digest])
            }
            try peer.flush()
        case .getBytes:
            for digest in try digests(bytes) {
                if let place = try store.place(of: digest) {
                    try sender.sendBytes(digest, place.length)
                } else {
                    try peer.send(.missing, [digest])
                }
            }
            try peer.flush()
        case .record:
            let receiver = try writing().receiver
            try receiver.take(record: bytes)
            if receiver.isFull { try receiver.settle() }
        case .file: try writing().receiver.take(file: bytes)
        case .commit:
            let (session, receiver) = try writing()
            try receiver.settle()
            try session.finish()
            try done()
        case .setTag:
            let (kind, digest, name) = try tag(bytes)
            _ = try writing()
            try store.requireWhole(digest, kind)
            try store.setTag(name, to: digest.digest, kind: kind, replacing: access == .writing)
            try done()
        case .tags:
            let name = String(decoding: bytes, as: UTF8.self)
            let tags = name.isEmpty ? try store.tags() : try store.tag(name).map { [$0] } ?? []
            for tag in tags { try peer.send(.tag, Wire.write(tag.kind, BinaryDigest(tag.digest), tag.name)) }
            try done()
        default: throw VoltError(.refused, "'\(kind)' is not a question")
        }
    }

    private func done() throws {
        try peer.send(.done, [])
        try peer.flush()
    }

    private func writing() throws -> (session: WriteSession, receiver: BlobReceiver) {
        guard access != .reading else {
            throw VoltError(.refused, "this store is only for reading", hint: "serve it without --read-only")
        }
        if let session, let receiver { return (session, receiver) }
        let session = try WriteSession(store)
        let receiver = BlobReceiver(session, peer)
        self.session = session
        self.receiver = receiver
        return (session, receiver)
    }

    private func digests(_ bytes: UnsafeRawBufferPointer) throws -> [BinaryDigest] {
        do throws(FormatError) { return try Wire.digests(bytes) } catch {
            throw peer.strange("what \(error.reason)")
        }
    }

    private func tag(_ bytes: UnsafeRawBufferPointer) throws -> (TagKind, BinaryDigest, String) {
        do throws(FormatError) { return try Wire.tag(bytes) } catch {
            throw peer.strange("what \(error.reason)")
        }
    }
}

extension ContentStore {
    /// Refuses a name for something of which a part is not there.
    func requireWhole(_ digest: BinaryDigest, _ kind: TagKind) throws {
        guard try place(of: digest) != nil else { throw Self.missing(digest) }
        guard kind == .tree else { return }
        try TreeWalk.each(digest, in: BlobReader(self)) { event in
            guard case .entry(let entry) = event, case .file(let size, let file) = entry.kind, size > 0 else {
                return
            }
            try requireSize(size, of: file, entry.shownName)
        }
    }
}
