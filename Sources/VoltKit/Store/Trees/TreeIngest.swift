internal import Dispatch
internal import Glibc
public import VoltCore
internal import VoltSystem

extension ContentStore {
    /// Puts a directory into the store as a tree.
    ///
    /// One thread walks, others read, hash and compress, and the tree is written in the order of the walk, so that
    /// memory does not grow with the directory.
    ///
    /// - Parameters:
    ///   - tag: a name for the tree, set when everything is durable.
    /// - Throws: `VoltError`; code `tryAgain` when a file changes while it is read and nothing may be left out.
    public func addTree(_ directory: String, options: IngestOptions = IngestOptions(), tag: String? = nil)
        throws
        -> IngestResult
    {
        let session = try WriteSession(self)
        defer { session.end() }
        var result = try TreeIngest(session, directory, options).run()
        try session.finish()
        if let mark = result.leftOutCount > 0 ? IncompleteMark.value(result.leftOut) : options.mark {
            let marked = try markIncomplete(
                BinaryDigest(result.digest), mark, session, options.representation)
            try session.finish()
            result.digest = marked.digest
        }
        try acknowledge(result.digest, options.representation, tag: tag)
        return result
    }

    /// Reads a tree back that was written, as everybody else will, and gives it its name.
    func acknowledge(_ tree: Digest, _ representation: Representation, tag: String?) throws {
        try TreeWalk.each(BinaryDigest(tree), in: BlobReader(self)) { _ in }
        // The image of the names now, so that a mount has nothing left to make.
        if representation == .bare { try prepareMount(of: tree) }
        if let tag { try setTag(tag, to: tree, kind: .tree) }
    }

    /// Refuses what is not a tree, and one that says of a file another size than its blob has.
    ///
    /// - Throws: `VoltError` when the blob is missing, damaged, or not a tree.
    public func requireTree(_ tree: Digest) throws {
        try TreeWalk.each(BinaryDigest(tree), in: BlobReader(self)) { event in
            guard case .entry(let entry) = event, case .file(let size, let file) = entry.kind, size > 0,
                try place(of: file) != nil
            else { return }
            try requireSize(size, of: file, entry.shownName)
        }
    }

    /// Refuses a file of a tree whose blob is missing, or has another size.
    ///
    /// - Parameter name: for errors.
    func requireSize(_ size: UInt64, of file: BinaryDigest, _ name: String) throws {
        guard let length = try place(of: file)?.length else { throw Self.missing(file) }
        guard length == size else { throw Self.otherSize(name, size, file, length) }
    }

    static func otherSize(_ name: String, _ size: UInt64, _ file: BinaryDigest, _ length: UInt64) -> VoltError
    {
        VoltError(
            .failed,
            "the tree is damaged: '\(name)' has \(size) bytes and its blob '\(file.digest)' \(length)",
            hint: "no directory gives such a tree: make it anew from its files")
    }
}

/// An ingest of one directory.
final class TreeIngest {
    private let session: WriteSession
    private let options: IngestOptions
    private let scanner: TreeScanner
    private let workers: Workers<FileIngest>
    private let tree: TreeOutput
    private let cache: ScanCache?
    private let leftOut: LeftOutNames
    /// Files that were left out, and for each of them the second name that is the first one now.
    private var lost: [[UInt8]: [UInt8]?] = [:]
    /// Attributes that are not kept: how many names have each, and the first of them.
    private var dropped: [[UInt8]: (count: Int, first: [UInt8])] = [:]
    /// Reads files of which another name was left out.
    private lazy var files = FileIngest(session, options, root: scanner.descriptor)
    private var inFlight: [IngestBatch] = []
    private var itemsInFlight = 0
    private var batch = IngestBatch()
    private var output = ByteWriter(capacity: 1 << 17)
    private var scratch = ByteWriter(capacity: 1 << 12)
    /// The directories that are open, for errors.
    private var names: [[UInt8]] = []
    private var entries = -1
    private var unchanged = 0
    private var bytes: UInt64 = 0

    init(_ session: WriteSession, _ directory: String, _ options: IngestOptions) throws {
        self.session = session
        self.options = options
        leftOut = LeftOutNames(isStrict: options.isStrict)
        scanner = try TreeScanner(directory, options, leftOut)
        let count = options.threads > 0 ? options.threads : max(1, Int(sysconf(Int32(_SC_NPROCESSORS_ONLN))))
        let root = scanner.descriptor
        workers = Workers(count) { FileIngest(session, options, root: root) }
        tree = try TreeOutput(session, options.representation)
        cache = options.usesCache && !options.consumes ? try ScanCache(session, directory, options) : nil
    }

    func run() throws -> IngestResult {
        defer { workers.finish() }
        TreeFormat.begin(&output)
        do {
            try scanner.run { try add($0) }
            try hand()
            while !inFlight.isEmpty { try writeFirst() }
        } catch {
            // The workers still have batches; their results are of no use.
            for batch in inFlight { batch.done.wait() }
            throw error
        }
        // The root's end was the last event.
        try flush()
        let digest = try tree.finish()
        try cache?.save()
        try session.packs.finish()
        let (stored, count) = session.packs.written
        let (bareBytes, bareCount) = session.bare.written
        return IngestResult(
            digest: digest.digest, entries: entries, bytes: bytes, unchanged: unchanged,
            newBlobs: count + bareCount, storedBytes: stored + bareBytes, notes: scanner.notes + droppedNotes,
            leftOut: leftOut.names, leftOutCount: leftOut.count)
    }

    private var droppedNotes: [String] {
        dropped.sorted { $0.key.lexicographicallyPrecedes($1.key) }.prefix(100).map { name, names in
            let first = names.first.isEmpty ? "." : String(shown: names.first)
            return
                "the attribute '\(String(shown: name))' belongs to the host and is not kept: \(names.count) names have it, such as \(first)"
        }
    }

    private func add(_ item: IngestBatch.Item) throws {
        var item = item
        if !item.path.isEmpty, let cache, let known = try cache.find(item.path.dropLast(), item.stamp) {
            if case .entry(var entry) = item.event {
                entry.kind = .file(size: item.stamp.size, digest: item.stamp.size == 0 ? .zero : known.digest)
                entry.extended = known.extended
                item.event = .entry(entry)
                item.isKnown = true
            }
        }
        if !item.path.isEmpty, !item.isKnown {
            // A large file is read while others are looked at.
            if item.stamp.size > UInt64(Chunker.whole), !batch.items.isEmpty { try hand() }
            batch.bytes += item.stamp.size
        }
        batch.items.append(item)
        if batch.isFull { try hand() }
    }

    /// Hands the batch to a worker.
    private func hand() throws {
        cache?.pause()
        guard !batch.items.isEmpty else { return }
        let full = batch
        batch = IngestBatch()
        inFlight.append(full)
        if full.bytes == 0, !full.items.contains(where: { !$0.path.isEmpty && !$0.isKnown }) {
            full.done.signal()
        } else {
            workers.submit { files in
                do { try files.run(full) } catch { full.failure = error }
                full.done.signal()
            }
        }
        itemsInFlight += full.items.count
        // Many, so that nobody waits while one reads a large file: a batch has names, not bytes.
        while inFlight.count > 128 || itemsInFlight > 1 << 14 { try writeFirst() }
    }

    /// Writes the names of the oldest batch into the tree.
    private func writeFirst() throws {
        let batch = inFlight.removeFirst()
        itemsInFlight -= batch.items.count
        batch.done.wait()
        if let failure = batch.failure { throw failure }
        for item in batch.items {
            switch item.event {
            case .up:
                TreeFormat.end(&output)
                names.removeLast()
            case .entry(let entry):
                let item = try standIn(item, entry)
                guard case .entry(let entry) = item.event else { continue }
                if let failure = item.failure {
                    try leftOut.add(item.path.dropLast(), failure)
                    lost[Array(item.path.dropLast())] = .some(nil)
                    continue
                }
                if let failure = item.attributesFailure {
                    try leftOut.add(item.path.dropLast(), failure, attributesOnly: true)
                }
                for name in item.dropped {
                    dropped[name, default: (0, item.place)].count += 1
                }
                try write(entry)
                entries += 1
                if case .file(let size, let digest) = entry.kind {
                    bytes += size
                    if item.isKnown { unchanged += 1 }
                    // What is to be said of a file is said the next time too.
                    if item.attributesFailure == nil, item.dropped.isEmpty {
                        try cache?.add(item.path.dropLast(), item.stamp, digest, entry.extended)
                    }
                }
            }
        }
        if output.count >= 1 << 16 { try flush() }
        options.progress?(IngestProgress(entries: max(0, entries), bytes: bytes))
    }

    /// A second name of a file that was left out is the first one, and is read now.
    private func standIn(_ item: IngestBatch.Item, _ entry: TreeEntry) throws -> IngestBatch.Item {
        guard case .hardLink(let first) = entry.kind, let other = lost[first], var file = item.file else {
            return item
        }
        var item = item
        if let other {
            file.kind = .hardLink(other)
            item.event = .entry(file)
            return item
        }
        let batch = IngestBatch()
        item.event = .entry(file)
        item.path = item.filePath
        batch.items = [item]
        try files.run(batch)
        if batch.items[0].failure == nil { lost[first] = Array(item.filePath.dropLast()) }
        return batch.items[0]
    }

    private func write(_ entry: TreeEntry) throws {
        do throws(FormatError) { try TreeFormat.write(entry, to: &output, scratch: &scratch) } catch {
            let path = Array((names.dropFirst() + [entry.name]).joined(separator: [UInt8(ascii: "/")]))
            let refusal = TreeScanner.refused(path, error.reason)
            guard !entry.extended.isEmpty else { throw refusal }
            try leftOut.add(path, refusal, attributesOnly: true)
            var plain = entry
            plain.extended = []
            do throws(FormatError) { try TreeFormat.write(plain, to: &output, scratch: &scratch) } catch {
                throw refusal
            }
        }
        if entry.isDirectory { names.append(entry.name) }
    }

    private func flush() throws {
        try output.bytes.withUnsafeBytes { try tree.write($0) }
        output.removeAll()
    }
}

/// Where the names of a tree go: into packs, or into a file of their own beside bare files, which saves the making of
/// a pack.
final class TreeOutput {
    private let session: WriteSession
    private let packed: BlobWriter?
    private let bare: StoreFile?
    private let hasher = BlobHasher()
    private var count = 0

    init(_ session: WriteSession, _ representation: Representation) throws {
        self.session = session
        packed = representation == .packed ? BlobWriter(session) : nil
        bare = representation == .bare ? try session.bare.temporary() : nil
    }

    func write(_ bytes: UnsafeRawBufferPointer) throws {
        try packed?.write(bytes)
        guard let bare else { return }
        hasher.update(bytes)
        try bare.write(bytes, at: count)
        count += bytes.count
    }

    func finish() throws -> BinaryDigest {
        if let packed { return try packed.finish().digest }
        let digest = hasher.take()
        guard let bare else { return digest }
        if try session.looking({ try session.keepsBare(digest) }) {
            try Files.remove(bare.path)
        } else {
            try session.bare.add(digest, bare.path, size: UInt64(count))
        }
        return digest
    }
}
