internal import VoltCore

/// Finds what the tags, leases and references of a store need.
struct Marks {
    /// What is needed, with every piece of every packed blob.
    let live: DigestRuns
    /// What a root needs and the store does not have: the root, and the first few digests.
    private(set) var missing: [(root: String, digest: BinaryDigest)] = []
    /// How many are missing.
    private(set) var missingCount = 0
    /// Trees that are not as the format has them: whatever their bytes could name is live.
    private(set) var unreadable: [UnreadableTree] = []
    /// Trees and recipes whose bytes are not right, so that what they need is not known.
    private(set) var damaged: [UnreadableTree] = []
    private var search: DigestSearch?

    private let store: ContentStore

    /// - Parameter directory: for the runs, on the file system of the store; nil keeps them in memory.
    init(_ store: ContentStore, in directory: String?, now: Timestamp) throws {
        self.store = store
        live = DigestRuns(directory)
        let reader = BlobReader(store)
        for tag in try store.tags() { try mark(tag.digest, tag.kind, "tag '\(tag.name)'", reader) }
        for lease in try store.leases() where lease.expires > now {
            try mark(lease.digest, lease.kind, "lease '\(lease.id)' of \(lease.holder)", reader)
        }
        try store.eachReference { path, digest in
            try mark(digest, .blob, "reference '\(path.dropFirst(store.references.utf8.count + 1))'", reader)
        }
        try addPieces(in: directory, reader)
    }

    private mutating func mark(_ digest: Digest, _ kind: TagKind, _ root: String, _ reader: BlobReader) throws
    {
        let digest = BinaryDigest(digest)
        guard try store.place(of: digest) != nil else { return note(digest, root) }
        try live.add(digest)
        guard kind == .tree else { return }
        do {
            try TreeWalk.each(digest, in: reader) { event in
                guard case .entry(let entry) = event, case .file(let size, let digest) = entry.kind, size > 0
                else {
                    return
                }
                try live.add(digest)
            }
        } catch let error as VoltError {
            if error.code == .inputOutput { throw error }
            try keepWhatItNames(digest, root, error.message, reader)
        }
    }

    /// Nobody guesses what a tree needs that cannot be read: what its bytes could name stays.
    private mutating func keepWhatItNames(
        _ digest: BinaryDigest, _ root: String, _ reason: String, _ reader: BlobReader
    ) throws {
        let found = try search ?? DigestSearch(store)
        search = found
        do {
            try found.run(digest, reader) { try live.add($0) }
            unreadable.append(UnreadableTree(root: root, digest: digest.digest, reason: reason))
        } catch let error as VoltError {
            if error.code == .inputOutput { throw error }
            damaged.append(UnreadableTree(root: root, digest: digest.digest, reason: error.message))
        }
    }

    private mutating func note(_ digest: BinaryDigest, _ root: String) {
        missingCount += 1
        if missing.count < 100 { missing.append((root, digest)) }
    }

    /// The pieces of live recipes are live, and those of the recipes among them.
    private mutating func addPieces(in directory: String?, _ reader: BlobReader) throws {
        var from = live
        for _ in 0..<4 {
            let next = DigestRuns(directory)
            var isEmpty = true
            var cursor = try from.sorted()
            var entries = try SortedMerge(store.index.current())
            var head = try entries.next()
            while let digest = try cursor.next() {
                while let entry = head, entry.digest < digest { head = try entries.next() }
                guard let entry = head, entry.digest == digest, entry.kind == .recipe else { continue }
                let recipe: Recipe
                do { recipe = try reader.recipe(entry) } catch let error as VoltError {
                    if error.code == .inputOutput { throw error }
                    damaged.append(
                        UnreadableTree(
                            root: "a tag, lease or reference", digest: digest.digest, reason: error.message))
                    continue
                }
                for piece in recipe.pieces where piece.kind != .zeros {
                    try live.add(piece.digest)
                    try next.add(piece.digest)
                    isEmpty = false
                }
            }
            if isEmpty { return }
            from = next
        }
    }

    /// What is live and in no pack and no file, the first few; and how many.
    mutating func findMissing() throws {
        var cursor = try live.sorted()
        var entries = try SortedMerge(store.index.current())
        let packs = try store.packNumbers()
        var head = try entries.next()
        while let digest = try cursor.next() {
            while let entry = head,
                entry.digest < digest || (entry.digest == digest && !packs.contains(entry.pack))
            {
                head = try entries.next()
            }
            if let entry = head, entry.digest == digest { continue }
            if try store.place(of: digest) == nil { note(digest, "a tag, lease or reference") }
        }
    }
}
