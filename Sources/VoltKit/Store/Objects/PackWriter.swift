internal import CVoltSystem
internal import Dispatch
internal import Glibc
internal import Synchronization
internal import VoltCore
internal import VoltSystem

/// Writes packs into the private area of a session and publishes each when it is full. Any thread may append.
final class PackWriter: Sendable {
    /// A pack is closed when it has so many bytes.
    private static let fullBytes = 64 << 20
    /// A pack is closed when it has so many records, which bounds the memory of their entries.
    private static let fullCount = 1 << 16

    /// A pack that is being written; used under the lock, and by one thread alone when it is taken out.
    private final class Open: @unchecked Sendable {
        let number: UInt64
        let file: StoreFile
        var entries: [IndexEntry] = []
        var offset: Int
        var buffer = ByteWriter(capacity: 1 << 20)

        init(number: UInt64, path: String) throws {
            self.number = number
            file = try StoreFile(creating: path, mode: 0o600)
            buffer.raw(PackRecord.fileHeader)
            offset = buffer.count
        }

        func append(_ record: PackRecord, _ bytes: UnsafeRawBufferPointer) throws {
            entries.append(IndexEntry(record, pack: number, offset: UInt64(offset)))
            record.write(to: &buffer)
            offset += PackRecord.headerCount + bytes.count
            if bytes.count >= 1 << 18 {
                try flush()
                try file.write(bytes, at: offset - bytes.count)
            } else {
                buffer.raw(bytes)
                if buffer.count >= 1 << 20 { try flush() }
            }
        }

        func flush() throws {
            try buffer.bytes.withUnsafeBytes { try file.write($0, at: written) }
            // The disk begins at once, so that the sync at the end has little left to wait for.
            volt_start_writeback(file.descriptor, Int64(written), Int64(buffer.count))
            written += buffer.count
            buffer.removeAll()
            written = max(written, offset)
        }

        private var written = 0
    }

    private struct State {
        var open: Open?
        /// What is in packs that are not published yet.
        var claimed: Set<BinaryDigest> = []
        var stored: UInt64 = 0
        var count = 0
    }

    private let store: ContentStore
    private let directory: String
    private let state = Mutex(State())
    private let queue = DispatchQueue(label: "volt.store.packs")
    private let group = DispatchGroup()
    private let slots = DispatchSemaphore(value: 2)
    private let failed = FirstFailure()

    /// - Parameter directory: the private area of the session.
    init(_ store: ContentStore, directory: String) {
        self.store = store
        self.directory = directory
    }

    /// The bytes written to packs, and the number of records.
    var written: (bytes: UInt64, count: Int) { state.withLock { ($0.stored, $0.count) } }

    /// Whether this session has the blob in a pack that is not published yet, or is about to.
    func isClaimed(_ digest: BinaryDigest) -> Bool { state.withLock { $0.claimed.contains(digest) } }

    /// Tells the other threads that the caller is going to append this one.
    ///
    /// - Returns: false when another does.
    func claim(_ digest: BinaryDigest) -> Bool { state.withLock { $0.claimed.insert(digest).inserted } }

    /// Adds a record.
    func append(_ record: PackRecord, _ bytes: UnsafeRawBufferPointer) throws {
        let full: Open? = try state.withLock { state in
            let open: Open
            if let current = state.open {
                open = current
            } else {
                let number = UInt64.random(in: 1...UInt64.max)
                open = try Open(number: number, path: "\(directory)/\(StoreLayout.name(number)).pack")
                state.open = open
            }
            try open.append(record, bytes)
            state.stored += UInt64(PackRecord.headerCount + bytes.count)
            state.count += 1
            guard open.offset >= Self.fullBytes || open.entries.count >= Self.fullCount else { return nil }
            state.open = nil
            return open
        }
        guard let full else { return }
        if let error = failed.error { throw error }
        // The disk is waited for on a thread of its own, with one pack more than the one that is being written.
        slots.wait()
        queue.async(group: group) { [self] in
            defer { slots.signal() }
            do { try publish(full) } catch { failed.note(error) }
        }
    }

    /// Publishes the last pack.
    func finish() throws {
        let last: Open? = state.withLock { state in
            defer { state.open = nil }
            return state.open
        }
        group.wait()
        if let error = failed.error { throw error }
        if let last { try publish(last) }
    }

    /// The pack is durable under its name before the index speaks of it.
    private func publish(_ open: Open) throws {
        try open.flush()
        try open.file.sync()
        let name = store.layout.pack(open.number)
        guard rename(open.file.path, name) == 0 else {
            throw SystemError.current.during("cannot write '\(name)'")
        }
        try Files.syncDirectory(store.layout.packs)
        open.entries.sort { $0.digest < $1.digest }
        let path = "\(directory)/\(StoreLayout.name(open.number)).idx"
        let writer = try IndexSegmentWriter(path, expected: open.entries.count)
        for entry in open.entries { try writer.add(entry) }
        try writer.finish()
        try store.index.publish(path)
        state.withLock { state in for entry in open.entries { state.claimed.remove(entry.digest) } }
    }
}
