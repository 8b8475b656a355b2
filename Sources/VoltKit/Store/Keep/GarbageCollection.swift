internal import Glibc
public import VoltCore
internal import VoltSystem

/// What `gc` did, or would do.
public struct GarbageResult: Sendable, Codable {
    /// Blobs and pieces that nothing needs and that are old enough.
    public var removed = 0
    /// Bytes that their removal gives back.
    public var freed: UInt64 = 0
    /// Blobs and pieces that stay.
    public var kept = 0
    /// Packs whose rest was moved to others.
    public var rewritten = 0
    /// Private areas of writers that died.
    public var clearedSessions = 0
    /// Trees with a name that cannot be read: all that their bytes could name stays.
    public var unreadable: [UnreadableTree] = []

    /// Nothing was done.
    public init() {}
}

extension ContentStore {
    /// Removes what no tag and no lease needs. Writers go on beside it.
    ///
    /// A blob stays when it was put into the store, or found there by a writer, within the grace period, or since the
    /// oldest living writer began. It can be killed at any point: what is left is then garbage, and no blob is lost.
    ///
    /// - Parameters:
    ///   - grace: how old a blob has to be to go.
    ///   - dryRun: only count.
    ///   - fullness: a pack of which a smaller part is needed is written anew.
    public func collectGarbage(grace: Duration = .seconds(3600), dryRun: Bool = false, fullness: Double = 0.6)
        throws
        -> GarbageResult
    {
        try collect(GarbageCollection(self, grace: grace, dryRun: dryRun, fullness: fullness))
    }

    /// Removes blobs at once; of a blob in pieces the pieces go with the next `gc`.
    ///
    /// - Throws: `VoltError`; `notFound` when one is not there, `conflict` when one is needed, or was found by a writer
    ///   that lives.
    public func remove(_ digests: [Digest]) throws -> GarbageResult {
        for digest in digests where try !has(digest) { throw Self.missing(BinaryDigest(digest)) }
        let result = try collect(
            GarbageCollection(self, grace: .zero, only: Set(digests.map { BinaryDigest($0) })))
        for digest in digests where try has(digest) {
            throw VoltError(
                .conflict, "blob '\(digest)' is needed by a tag or a lease, or by a writer that is under way",
                hint: "see 'volt cas tags' and 'volt cas lease ls'")
        }
        return result
    }

    /// Puts what is in small packs together into large ones; nothing is removed.
    public func mergePacks() throws -> GarbageResult {
        try collect(GarbageCollection(self, grace: .zero, merges: true))
    }

    private func collect(_ collection: @autoclosure () throws -> GarbageCollection) throws -> GarbageResult {
        if isReadOnly {
            // Only what would go is said.
            let collection = try collection()
            if !collection.dryRun { try requireWritable() }
            return try collection.run()
        }
        let lock = try FileLock.tryLock("\(layout.root)/locks/gc")
        guard let lock else {
            throw VoltError(
                .tryAgain, "another 'gc' of store '\(path)' is running", hint: "wait until it has ended")
        }
        let result = try collection().run()
        lock.keep()
        return result
    }
}

/// One collection.
final class GarbageCollection {
    private struct Pack {
        var live = 0
        var liveBytes: UInt64 = 0
        var dead = 0
        var isYoung = true
        var size: UInt64 = 0
    }

    private let store: ContentStore
    private let grace: Duration
    fileprivate let dryRun: Bool
    private let fullness: Double
    /// What may go; nil is all that nothing needs.
    private let only: Set<BinaryDigest>?
    /// Whether small packs are put together, instead of removing something.
    private let merges: Bool
    /// nil in a store that is read-only, and on a disk that has no room for one.
    private var session: WriteSession?
    private var result = GarbageResult()
    private var roots: Set<Digest> = []

    /// A smaller pack is put together with others.
    private static let smallPack: UInt64 = 32 << 20

    init(
        _ store: ContentStore, grace: Duration, dryRun: Bool = false, fullness: Double = 0.6,
        only: Set<BinaryDigest>? = nil, merges: Bool = false
    ) throws {
        self.only = merges ? [] : only
        self.merges = merges
        self.store = store
        self.grace = grace
        self.dryRun = dryRun
        self.fullness = fullness
        guard !store.isReadOnly else { return }
        do { session = try WriteSession(store) } catch let error as VoltError {
            guard error.code == .inputOutput else { throw error }
        }
    }

    func run() throws -> GarbageResult {
        defer { session?.end() }
        if !dryRun { try clearSessions() }
        let cleared = result.clearedSessions
        var gone = (removed: 0, freed: UInt64(0))
        while true {
            result = GarbageResult()
            result.clearedSessions = cleared
            let limit = try cutoff()
            roots = try Self.roots(store)
            var marks = try Marks(store, in: session?.directory, now: SystemClock().now())
            try marks.findMissing()
            result.unreadable = marks.unreadable
            if let damaged = marks.damaged.first {
                throw VoltError(
                    .refused, "\(damaged.root) cannot be read, \(damaged.reason): nothing was removed",
                    hint: "see 'volt cas verify', then 'volt cas repair --from REMOTE' or 'volt cas untag'")
            }
            // What a missing tree or recipe needs is not known: with it gone too, nothing could be mended.
            if let (root, digest) = marks.missing.first {
                throw VoltError(
                    .refused, "\(root) needs blob '\(digest.digest)', which is missing: nothing was removed",
                    hint:
                        "put the same content into the store again, or take the name away with 'volt cas untag'"
                )
            }
            do {
                // What takes no room comes first: it makes the room for the rest.
                if !dryRun {
                    let packs = try removeDeadPacks(marks, limit)
                    gone = (gone.removed + packs.removed, gone.freed + packs.freed)
                }
                try sweepObjects(marks, limit)
                try sweepPacks(marks, limit)
                result.removed += gone.removed
                result.freed += gone.freed
                return result
            } catch is NewRoot {
                // Something that was garbage got a name meanwhile: see again what is needed.
            }
        }
    }

    private struct NewRoot: Error {}

    private static func roots(_ store: ContentStore) throws -> Set<Digest> {
        Set(try store.tags().map(\.digest)).union(try store.leases().map(\.digest))
    }

    /// Call it with the lock that those who give names share.
    private func requireNoNewRoot() throws {
        guard try Self.roots(store).isSubset(of: roots) else { throw NewRoot() }
    }

    // MARK: What is old enough

    /// Nanoseconds since 1970: what has an older time may go.
    private func cutoff() throws -> Int64 {
        var information = stat()
        if store.isReadOnly {
            clock_gettime(CLOCK_REALTIME, &information.st_ctim)
        } else {
            // The clock of the file system, which gives the times that are compared.
            let probe = "\(store.path)/locks/gc"
            guard utimensat(AT_FDCWD, probe, nil, 0) == 0, stat(probe, &information) == 0 else {
                throw SystemError.current.during("cannot read '\(probe)'")
            }
        }
        var limit = Self.time(information.st_ctim) - Int64(grace.nanoseconds)
        for name in try Files.list(store.layout.sessions) {
            let directory = "\(store.layout.sessions)/\(name)"
            guard directory != session?.directory, stat("\(directory)/lock", &information) == 0 else {
                continue
            }
            limit = min(limit, Self.time(information.st_mtim))
        }
        return limit
    }

    private static func time(_ value: timespec) -> Int64 {
        Int64(value.tv_sec).multipliedClamped(by: 1_000_000_000).addingClamped(Int64(value.tv_nsec))
    }

    /// When a file was put there or found by a writer; nil when it is gone.
    private func age(_ path: String) -> Int64? {
        var information = stat()
        guard lstat(path, &information) == 0 else { return nil }
        return Self.time(information.st_ctim)
    }

    private func clearSessions() throws {
        var now = timespec()
        clock_gettime(CLOCK_REALTIME, &now)
        for name in try Files.list(store.layout.sessions) {
            let directory = "\(store.layout.sessions)/\(name)"
            if name.hasPrefix("mount-") || name.hasSuffix(".new") {
                // Those that are being made are there for moments.
                guard let age = age(directory), age < Self.time(now) - 60_000_000_000 else { continue }
                if name.hasPrefix("mount-") {
                    umount2(directory, Int32(MNT_DETACH))
                    rmdir(directory)
                    continue
                }
            }
            if name.hasSuffix(".old") {
                // Its writer may be at it, too.
                try? Files.removeTree(directory)
                continue
            }
            guard directory != session?.directory, Files.exists("\(directory)/lock") || name.hasSuffix(".new")
            else {
                continue
            }
            guard let lock = try? FileLock.tryLock("\(directory)/lock") else { continue }
            try WriteSession.remove(directory)
            lock.keep()
            result.clearedSessions += 1
        }
    }

    // MARK: Packs

    private func sweepPacks(_ marks: Marks, _ limit: Int64) throws {
        let lock = dryRun ? nil : try FileLock.wait(for: store.layout.indexLock)
        // The stamp of the index may be younger than its last change: read it anew.
        let segments = try store.index.current()
        let packs = try count(marks, segments, limit)
        var victims = Set(packs.filter { !$0.value.isYoung && isVictim($0.value) }.keys)
        // One small pack alone would only be copied.
        if merges, victims.count < 2 { victims = [] }
        for (number, pack) in packs where victims.contains(number) {
            result.freed += pack.size - min(pack.size, pack.liveBytes)
            result.removed += pack.dead
            if pack.live > 0 { result.rewritten += 1 }
        }
        if dryRun || victims.isEmpty { return }
        let session = try session ?? WriteSession(store)
        self.session = session
        try move(marks, segments, victims, session)
        while try !remove(&victims, segments, limit, in: session.directory) {}
        lock?.keep()
    }

    /// Removes the packs of which nothing is needed. Only when the disk has no room for an index without them they go
    /// before the index does: an entry whose pack is gone is none.
    private func removeDeadPacks(_ marks: Marks, _ limit: Int64) throws -> (removed: Int, freed: UInt64) {
        let lock = try FileLock.wait(for: store.layout.indexLock)
        let segments = try store.index.current()
        let packs = try count(marks, segments, limit)
        result.kept = 0
        var victims = Set(packs.filter { !$0.value.isYoung && $0.value.live == 0 && !merges }.keys)
        // What only was asked for may go, and nothing else.
        if only != nil { victims = victims.filter { (packs[$0]?.dead ?? 0) > 0 } }
        guard !victims.isEmpty else { return (0, 0) }
        let directory = session?.directory ?? store.layout.cache
        do { while try !remove(&victims, segments, limit, in: directory) {} } catch let error as VoltError {
            guard error.code == .inputOutput else { throw error }
            try removeFirst(&victims, limit)
            while try !remove(&victims, segments, limit, in: directory) {}
        }
        lock.keep()
        let gone = victims.compactMap { packs[$0] }
        return (gone.reduce(0) { $0 + $1.dead }, gone.reduce(0) { $0 + $1.size })
    }

    private func removeFirst(_ victims: inout Set<UInt64>, _ limit: Int64) throws {
        let lock = try FileLock.wait(for: store.layout.sweepLock)
        try requireNoNewRoot()
        victims = victims.filter { (age(store.layout.pack($0)) ?? 0) < limit }
        for pack in victims { try Files.remove(store.layout.pack(pack)) }
        lock.keep()
    }

    private func isVictim(_ pack: Pack) -> Bool {
        if merges { return pack.size < Self.smallPack }
        if only != nil { return pack.dead > 0 }
        return Double(pack.liveBytes) < fullness * Double(pack.size)
    }

    private func isWanted(_ digest: BinaryDigest) -> Bool { only.map { !$0.contains(digest) } ?? false }

    /// Counts what is live in each pack; also those that the index does not know.
    private func count(_ marks: Marks, _ segments: [IndexSegment], _ limit: Int64) throws -> [UInt64: Pack] {
        var packs: [UInt64: Pack] = [:]
        for number in try store.packNumbers() {
            var information = stat()
            guard stat(store.layout.pack(number), &information) == 0 else { continue }
            packs[number] = Pack(
                isYoung: Self.time(information.st_ctim) >= limit, size: UInt64(information.st_size))
        }
        try each(marks, segments) { entry, isLive in
            guard var pack = packs[entry.pack] else { return }
            if isLive || pack.isYoung {
                pack.live += 1
                pack.liveBytes += UInt64(entry.stored) + UInt64(PackRecord.headerCount)
                result.kept += 1
            } else {
                pack.dead += 1
            }
            packs[entry.pack] = pack
        }
        return packs
    }

    /// Gives the entries of the index, each with whether it is needed.
    private func each(_ marks: Marks, _ segments: [IndexSegment], _ body: (IndexEntry, Bool) throws -> Void)
        throws
    {
        var live = try marks.live.sorted()
        var head = try live.next()
        var entries = try SortedMerge(segments)
        while let entry = try entries.next() {
            while let digest = head, digest < entry.digest { head = try live.next() }
            try body(entry, head == entry.digest || isWanted(entry.digest))
        }
    }

    /// Writes what is needed of the victims to new packs.
    private func move(
        _ marks: Marks, _ segments: [IndexSegment], _ victims: Set<UInt64>, _ session: WriteSession
    )
        throws
    {
        let reader = BlobReader(store)
        try each(marks, segments) { entry, isLive in
            guard isLive, victims.contains(entry.pack) else { return }
            try reader.stored(entry) { try session.packs.append($0, $1) }
        }
        try session.packs.finish()
    }

    /// Takes the victims out of the index, and only then away.
    ///
    /// - Parameter directory: for the new segment, on the file system of the store.
    /// - Returns: false when some are needed again: then nothing was done, and they are no victims any more.
    private func remove(
        _ victims: inout Set<UInt64>, _ segments: [IndexSegment], _ limit: Int64, in directory: String
    ) throws -> Bool {
        let path = "\(directory)/swept\(UInt32.random(in: 0...UInt32.max)).idx"
        defer { unlink(path) }
        let packs = try store.packNumbers()
        let writer = try IndexSegmentWriter(path, expected: segments.reduce(0) { $0 + $1.header.count })
        var entries = try SortedMerge(segments)
        while let entry = try entries.next() {
            if !victims.contains(entry.pack), packs.contains(entry.pack) { try writer.add(entry) }
        }
        try writer.finish()
        // Nobody finds something in a victim from here on, or has found it and refreshed its time.
        let lock = try FileLock.wait(for: store.layout.sweepLock)
        try requireNoNewRoot()
        let refreshed = victims.filter { (age(store.layout.pack($0)) ?? 0) >= limit }
        if refreshed.isEmpty {
            if writer.entryCount > 0 { try store.index.publish(path) }
            for segment in segments { try Files.remove(segment.path) }
            try Files.syncDirectory(store.layout.index)
            for pack in victims { try Files.remove(store.layout.pack(pack)) }
        } else {
            victims.subtract(refreshed)
        }
        lock.keep()
        return refreshed.isEmpty
    }

    // MARK: Bare blobs

    /// Images of trees that are no root go before the files they speak of; they can be made again.
    private func sweepImages() throws {
        for name in try Files.list(store.layout.cache) {
            // Left by a 'gc' that was killed on a full disk.
            if name.hasPrefix("swept") { try Files.remove("\(store.layout.cache)/\(name)") }
            guard name.hasSuffix(".erofs") else { continue }
            guard let digest = try? Digest("sha256:\(name.prefix(64))"), !roots.contains(digest) else {
                continue
            }
            try Files.remove("\(store.layout.cache)/\(name)")
        }
    }

    private func sweepObjects(_ marks: Marks, _ limit: Int64) throws {
        if !dryRun { try sweepImages() }
        var live = try marks.live.sorted()
        var head = try live.next()
        for directory in try Files.list(store.layout.objects) {
            var victims: [(path: String, size: UInt64)] = []
            for name in try Files.list("\(store.layout.objects)/\(directory)") {
                let path = "\(store.layout.objects)/\(directory)/\(name)"
                let hex = name.hasSuffix(".x") ? name.dropLast(2) : name[...]
                guard let digest = try? Digest("sha256:\(directory)\(hex)") else { continue }
                let wanted = BinaryDigest(digest)
                while let next = head, next < wanted { head = try live.next() }
                var information = stat()
                guard lstat(path, &information) == 0 else { continue }
                if head == wanted || isWanted(wanted) || Self.time(information.st_ctim) >= limit {
                    result.kept += 1
                } else {
                    victims.append((path, UInt64(information.st_blocks) * 512))
                }
            }
            try remove(victims, limit)
        }
    }

    private func remove(_ victims: [(path: String, size: UInt64)], _ limit: Int64) throws {
        for start in stride(from: 0, to: victims.count, by: 256) {
            let lock = dryRun ? nil : try FileLock.wait(for: store.layout.sweepLock)
            try requireNoNewRoot()
            for victim in victims[start..<min(start + 256, victims.count)] {
                guard let age = age(victim.path), age < limit else { continue }
                if !dryRun { try Files.remove(victim.path) }
                result.removed += 1
                result.freed += victim.size
            }
            lock?.keep()
        }
    }
}

extension Duration {
    /// Whole nanoseconds; of very long times the longest that fits.
    var nanoseconds: Int64 {
        let (seconds, attoseconds) = components
        let (product, overflow) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
        return overflow ? Int64.max / 4 : product + attoseconds / 1_000_000_000
    }
}
