internal import Glibc
internal import Synchronization
public import VoltCore
internal import VoltSystem

/// What a check looks at.
public struct VerifyOptions: Sendable {
    /// Read every byte, instead of only looking whether all is there.
    public var readsData = false
    /// Bytes a second that are read at most; nil for as fast as the disk is.
    public var rate: UInt64?
    /// Put what is damaged aside, so that it counts as missing and can be put there again.
    public var quarantines = false
    /// Threads that read; 0 is one for each processor.
    public var threads = 0
    /// Told from time to time with the bytes read so far, and all there are to read.
    public var progress: (@Sendable (UInt64, UInt64) -> Void)?

    /// Whether all is there, without reading it.
    public init() {}
}

/// What a check found.
public struct VerifyResult: Sendable, Codable {
    /// A file of the store, or a blob, that is not as it should be.
    public struct Damage: Sendable, Codable, Equatable {
        /// The file; of a tree that cannot be read what names it, such as `tag 'site'`.
        public let path: String
        /// The blob; nil when the whole file is not readable.
        public let digest: Digest?
        /// What is wrong.
        public let reason: String
    }

    /// Blobs and pieces looked at.
    public var blobs = 0
    /// Bytes read from packs and files.
    public var bytes: UInt64 = 0
    /// The first 1000.
    public var damaged: [Damage] = []
    /// How many are damaged.
    public var damagedCount = 0
    /// Files that this host could not read, so that nobody knows whether they are damaged, the first 1000.
    public var unread: [Damage] = []
    /// How many could not be read.
    public var unreadCount = 0
    /// Damaged whole files that were made anew from another copy in the store.
    public var mended = 0
    /// Digests that a tag or a lease needs and that are nowhere, the first 100.
    public var missing: [Digest] = []
    /// How many are missing.
    public var missingCount = 0
    /// Whether what is damaged was put aside.
    public var quarantined = false

    /// Whether all was read and is as it should be.
    public var isSound: Bool { damagedCount == 0 && missingCount == 0 && unreadCount == 0 }
}

extension ContentStore {
    /// Checks the store: that what tags and leases need is there, and with `readsData` that every byte is right.
    ///
    /// - Throws: `VoltError` when the check itself cannot go on, `inputOutput` since this host lacks something; damage is a
    ///   part of the result.
    public func verify(_ options: VerifyOptions = VerifyOptions()) throws -> VerifyResult {
        try Verify(self, options).run()
    }
}

/// One check.
final class Verify: Sendable {
    private let store: ContentStore
    private let options: VerifyOptions
    private let result = Mutex(VerifyResult())
    private struct Record: Hashable {
        let pack: UInt64
        let offset: UInt64
    }

    /// Damaged records, and the packs that they are in.
    private let damagedRecords = Mutex<Set<Record>>([])
    private let damagedPacks = Mutex<Set<UInt64>>([])
    private let throttle: Throttle?
    private let total: UInt64

    init(_ store: ContentStore, _ options: VerifyOptions) throws {
        self.store = store
        self.options = options
        throttle = options.rate.map { Throttle(rate: $0) }
        total = options.readsData ? try Self.size(of: store) : 0
    }

    func run() throws -> VerifyResult {
        let session = try writing()
        defer { session?.end() }
        checkIndex()
        if options.readsData {
            try readAll(session)
            if let session, options.quarantines, result.withLock({ $0.damagedCount > 0 }) {
                try quarantine(session)
                try session.finish()
            }
        }
        do {
            var marks = try Marks(store, in: session?.directory, now: SystemClock().now())
            try marks.findMissing()
            result.withLock { result in
                result.missingCount = marks.missingCount
                result.missing = marks.missing.map(\.digest.digest)
            }
            for tree in marks.unreadable + marks.damaged {
                note(.init(path: tree.root, digest: tree.digest, reason: tree.reason))
            }
            try checkSizes()
        } catch let error as VoltError {
            if error.code == .inputOutput { throw error }
            // The file of a tag or a lease: what is needed is not known.
            note(.init(path: store.path, digest: nil, reason: error.message))
        }
        return result.withLock { $0 }
    }

    /// A session, unless the store is read-only or its disk has no room for one: to look at something needs none.
    private func writing() throws -> WriteSession? {
        if options.quarantines { return try WriteSession(store) }
        if store.isReadOnly { return nil }
        do { return try WriteSession(store) } catch let error as VoltError {
            guard error.code == .inputOutput else { throw error }
            return nil
        }
    }

    /// Looks whether the files of trees have the sizes that the trees say.
    private func checkSizes() throws {
        let now = SystemClock().now()
        var roots = try store.tags().filter { $0.kind == .tree }.map { ("tag '\($0.name)'", $0.digest) }
        roots += try store.leases().filter { $0.kind == .tree && $0.expires > now }.map {
            ("lease '\($0.id)'", $0.digest)
        }
        // Hashes of those that were looked at, instead of all digests.
        var seen: Set<Int> = []
        for (root, tree) in roots {
            var path: [UInt8] = []
            do {
                try store.eachEntry(of: tree) { place, entry in
                    guard case .file(let size, let file) = entry.kind, size > 0 else { return }
                    var hasher = Hasher()
                    hasher.combine(file)
                    hasher.combine(size)
                    guard seen.insert(hasher.finalize()).inserted, try store.place(of: file) != nil else {
                        return
                    }
                    path = place
                    try store.requireSize(size, of: file, String(shown: place))
                    path = []
                }
            } catch let error as VoltError {
                if error.code == .inputOutput { throw error }
                // What cannot be read at all was named before.
                if !path.isEmpty { note(.init(path: root, digest: tree, reason: error.message)) }
            }
        }
    }

    /// What this host cannot read is not damaged for that.
    private func note(_ path: String, _ digest: Digest?, _ error: any Error) {
        let damage = VerifyResult.Damage(
            path: path, digest: digest, reason: (error as? VoltError)?.message ?? "\(error)")
        guard (error as? VoltError)?.code == .inputOutput else { return note(damage) }
        result.withLock { result in
            result.unreadCount += 1
            if result.unread.count < 1000 { result.unread.append(damage) }
        }
    }

    private func note(_ damage: VerifyResult.Damage) {
        result.withLock { result in
            result.damagedCount += 1
            if result.damaged.count < 1000 { result.damaged.append(damage) }
        }
    }

    // MARK: The index

    private func checkIndex() {
        for path in (try? store.index.paths()) ?? [] {
            do {
                let segment = try IndexSegment(path)
                try segment.check()
                result.withLock { $0.blobs += segment.header.count }
            } catch { note(path, nil, error) }
        }
    }

    // MARK: Every byte

    private static func size(of store: ContentStore) throws -> UInt64 {
        var total: UInt64 = 0
        var information = stat()
        for name in try Files.list(store.layout.packs)
        where stat("\(store.layout.packs)/\(name)", &information) == 0 {
            total += UInt64(information.st_size)
        }
        for directory in try Files.list(store.layout.objects) {
            for name in try Files.list("\(store.layout.objects)/\(directory)")
            where stat("\(store.layout.objects)/\(directory)/\(name)", &information) == 0 {
                total += UInt64(information.st_blocks) * 512
            }
        }
        return total
    }

    private func readAll(_ session: WriteSession?) throws {
        let count = options.threads > 0 ? options.threads : max(1, Int(sysconf(Int32(_SC_NPROCESSORS_ONLN))))
        let workers = Workers(count) { [store] in BlobReader(store) }
        let failed = FirstFailure()
        // The packs first: they are the longest jobs.
        for name in try Files.list(store.layout.packs) {
            guard let number = StoreLayout.number(name, suffix: ".pack") else { continue }
            workers.submit { [self] reader in
                if failed.error == nil { readPack(number, reader) }
            }
        }
        for directory in try Files.list(store.layout.objects) {
            workers.submit { [self] reader in
                if failed.error != nil { return }
                do { try readObjects(directory, reader, session) } catch { failed.note(error) }
            }
        }
        workers.finish()
        if let error = failed.error { throw error }
    }

    private func readPack(_ number: UInt64, _ reader: BlobReader) {
        let path = store.layout.pack(number)
        do {
            try PackScan.each(path) { record, content, offset in
                read(UInt64(PackRecord.headerCount + content.count), blobs: 0)
                do { _ = try reader.open(record, content, "'\(path)' at \(offset)") } catch let error
                    as VoltError
                {
                    note(path, record.digest.digest, error)
                    damagedRecords.withLock { _ = $0.insert(Record(pack: number, offset: UInt64(offset))) }
                    damagedPacks.withLock { _ = $0.insert(number) }
                }
            }
        } catch {
            // gc may have removed it since it was listed.
            guard Files.exists(path) else { return }
            note(path, nil, error)
            if (error as? VoltError)?.code == .inputOutput { return }
            damagedPacks.withLock { _ = $0.insert(number) }
        }
    }

    private func readObjects(_ directory: String, _ reader: BlobReader, _ session: WriteSession?) throws {
        for name in try Files.list("\(store.layout.objects)/\(directory)") {
            let path = "\(store.layout.objects)/\(directory)/\(name)"
            let hex = name.hasSuffix(".x") ? name.dropLast(2) : name[...]
            guard let digest = try? Digest("sha256:\(directory)\(hex)") else {
                note(.init(path: path, digest: nil, reason: "the name is not that of a blob"))
                continue
            }
            do {
                let (found, size) = try reader.digest(ofFile: path)
                read(size, blobs: 1)
                if found != BinaryDigest(digest) {
                    note(.init(path: path, digest: digest, reason: "has other bytes"))
                    if options.quarantines, let session {
                        try setAside(path, name: "\(directory)\(name)")
                        if !name.hasSuffix(".x") { try mend(BinaryDigest(digest), reader, session) }
                    }
                }
            } catch let error as VoltError {
                guard Files.exists(path) else { continue }
                note(path, digest, error)
            }
        }
    }

    private func read(_ bytes: UInt64, blobs: Int) {
        let sum = result.withLock { result in
            result.bytes += bytes
            result.blobs += blobs
            return result.bytes
        }
        throttle?.took(bytes)
        options.progress?(sum, total)
    }

    // MARK: Quarantine

    /// Makes a whole file anew from a packed copy, when there is a sound one.
    private func mend(_ digest: BinaryDigest, _ reader: BlobReader, _ session: WriteSession) throws {
        guard try store.index.entry(digest) != nil else { return }
        let file = try session.bare.temporary()
        do { try reader.write(digest, to: file) } catch let error as VoltError {
            if error.code == .inputOutput { throw error }
            return try Files.remove(file.path)
        }
        try session.bare.add(digest, file.path, size: UInt64(file.size))
        result.withLock { $0.mended += 1 }
    }

    private func setAside(_ path: String, name: String) throws {
        guard rename(path, "\(store.layout.quarantine)/\(name)") == 0 else {
            throw SystemError.current.during("cannot move '\(path)' to quarantine")
        }
    }

    /// Takes damaged records out of the index: then they are missing, and can be put there again. What is sound in
    /// their packs is moved to others.
    private func quarantine(_ session: WriteSession) throws {
        let damaged = damagedRecords.withLock { $0 }
        let packs = damagedPacks.withLock { $0 }
        let lock = try FileLock.wait(for: store.layout.indexLock)
        // A segment that cannot be read is moved aside whole; `repair --index` makes it anew from the packs.
        var segments: [IndexSegment] = []
        for path in try store.index.paths() {
            if let segment = try? IndexSegment(path), (try? segment.check()) != nil {
                segments.append(segment)
            } else {
                try setAside(path, name: Files.lastComponent(of: path))
            }
        }
        if !packs.isEmpty {
            let reader = BlobReader(store)
            let path = "\(session.directory)/sound.idx"
            let writer = try IndexSegmentWriter(path, expected: segments.reduce(0) { $0 + $1.header.count })
            var entries = try SortedMerge(segments)
            while let entry = try entries.next() {
                guard packs.contains(entry.pack) else {
                    try writer.add(entry)
                    continue
                }
                if damaged.contains(Record(pack: entry.pack, offset: entry.offset)) { continue }
                var isRead = false
                do {
                    try reader.stored(entry) {
                        isRead = true
                        try session.packs.append($0, $1)
                    }
                } catch { if isRead { throw error } }
            }
            try session.packs.finish()
            try writer.finish()
            try store.index.publish(path)
            for segment in segments { try Files.remove(segment.path) }
            for number in packs {
                let path = store.layout.pack(number)
                try setAside(path, name: Files.lastComponent(of: path))
            }
            try Files.syncDirectory(store.layout.packs)
        }
        try Files.syncDirectory(store.layout.index)
        try Files.syncDirectory(store.layout.quarantine)
        lock.keep()
        result.withLock { $0.quarantined = true }
    }
}

/// Reads the records of a pack one after the other, without the index.
enum PackScan {
    /// - Parameter body: gets the record, its stored bytes (valid during the call) and where it begins.
    /// - Throws: `VoltError` when the pack cannot be read on, with the offset.
    static func each(_ path: String, _ body: (PackRecord, UnsafeRawBufferPointer, Int) throws -> Void) throws
    {
        let file = try StoreFile(reading: path)
        let size = file.size
        var buffer = [UInt8](repeating: 0, count: 4 << 20)
        // The bytes from `start` on that are in the buffer.
        var start = 0
        var held = 0
        func load(_ offset: Int, _ count: Int) throws -> Int {
            if offset + count <= start + held { return offset - start }
            if count > buffer.count { buffer = [UInt8](repeating: 0, count: count) }
            start = offset
            held = try buffer.withUnsafeMutableBytes { try file.read(at: offset, into: $0) }
            guard held >= count else { throw FormatError("ends in the middle of a record, at \(offset)") }
            return 0
        }
        do {
            var place = try load(0, PackRecord.fileHeaderCount)
            try buffer.withUnsafeBytes {
                try PackRecord.checkFileHeader(
                    UnsafeRawBufferPointer(rebasing: $0[place..<place + PackRecord.fileHeaderCount]))
            }
            var offset = PackRecord.fileHeaderCount
            while offset < size {
                place = try load(offset, PackRecord.headerCount)
                let header = place
                let record = try buffer.withUnsafeBytes { bytes in
                    try PackRecord(
                        UnsafeRawBufferPointer(rebasing: bytes[header..<header + PackRecord.headerCount]))
                }
                let total = PackRecord.headerCount + Int(record.stored)
                place = try load(offset, total)
                let content = place + PackRecord.headerCount
                try buffer.withUnsafeBytes { bytes in
                    try body(
                        record,
                        UnsafeRawBufferPointer(rebasing: bytes[content..<content + Int(record.stored)]),
                        offset)
                }
                offset += total
            }
        } catch let error as FormatError {
            throw VoltError(.failed, "'\(path)' \(error.reason)")
        }
    }
}

/// Holds a rate of bytes.
final class Throttle: Sendable {
    private let rate: UInt64
    private let began = ContinuousClock.now
    private let taken = Mutex<UInt64>(0)

    init(rate: UInt64) { self.rate = max(1, rate) }

    /// Waits until so many more bytes are within the rate.
    func took(_ bytes: UInt64) {
        let sum = taken.withLock { taken in
            taken += bytes
            return taken
        }
        let due = began + .seconds(Double(sum) / Double(rate))
        let left = due - ContinuousClock.now
        if left > .zero { usleep(UInt32(clamping: left.nanoseconds / 1000)) }
    }
}
