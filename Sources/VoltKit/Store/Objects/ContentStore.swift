internal import Glibc
internal import Synchronization
public import VoltCore
internal import VoltSystem

/// A content-addressed store in a directory (Stellarium): blobs by the SHA-256 of their bytes, bare as whole
/// files or packed in chunks, and trees of them. Byte by byte in `docs/design/store.md`.
///
/// Any number of processes read and write a store at a time; none waits for another but for moments while `gc`
/// takes something out.
public final class ContentStore: Sendable {
    let layout: StoreLayout
    let index: IndexSet
    /// Whether the format is known to be one with references.
    let hasReferences = Atomic(false)

    /// The directory of the store.
    public var path: String { layout.root }

    /// Opens a store.
    ///
    /// - Throws: `VoltError`; `notFound` when there is none, `failed` when a newer version wrote it.
    public static func open(_ path: String) throws -> ContentStore {
        let layout = StoreLayout(root: path)
        guard Files.exists(layout.format) else {
            throw VoltError(
                .notFound, "there is no store in '\(path)'",
                hint: "make one with 'volt cas init --store \(path)'")
        }
        let text = String(decoding: try Files.read(layout.format, limit: 256), as: UTF8.self)
        let words = text.split(whereSeparator: \.isWhitespace)
        guard words.count == 2, words[0] == "stellarium", let version = Int(words[1]), version > 0 else {
            throw VoltError(.failed, "cannot open store '\(path)': '\(layout.format)' is not of a store")
        }
        let mark = FormatMark(
            StoreLayout.version, to: "open store '\(path)'", code: .failed,
            hint: "upgrade volt-cas, or point --store at another directory")
        try mark.check(version)
        return ContentStore(layout)
    }

    /// Makes a store, or opens the one that is there.
    ///
    /// - Throws: `VoltError`; `conflict` when the directory has something else in it.
    public static func create(_ path: String) throws -> ContentStore {
        let layout = StoreLayout(root: path)
        if Files.exists(layout.format) { return try open(path) }
        // A store that was begun and not finished has these directories and nothing in them.
        let own: Set<String> = [
            "objects", "packs", "index", "tags", "leases", "references", "sessions", "cache", "quarantine",
            "locks",
        ]
        let strange = try Files.list(path).filter { !own.contains($0) && !$0.hasPrefix("format.") }
        guard strange.isEmpty else {
            throw VoltError(
                .conflict, "'\(path)' is no store and not empty: it has '\(strange[0])'",
                hint: "name an empty directory, or one that is not there")
        }
        try Files.makeDirectory(path, mode: 0o700)
        for name in own.sorted() { try Files.makeDirectory("\(path)/\(name)", mode: 0o700) }
        try Files.replace(layout.format, with: formatLine.utf8, mode: 0o644)
        return try open(path)
    }

    private init(_ layout: StoreLayout) {
        self.layout = layout
        index = IndexSet(layout)
    }

    /// Whether nothing can be put into the store or taken out of it: its file system is mounted read-only, or the user has
    /// no right to write. What only reads makes no file and takes no lock then.
    public var isReadOnly: Bool {
        faccessat(AT_FDCWD, layout.sessions, W_OK, AT_EACCESS) != 0 && [EROFS, EACCES, EPERM].contains(errno)
    }

    /// - Throws: `VoltError`; `refused` when the store is read-only.
    func requireWritable() throws {
        guard isReadOnly else { return }
        throw VoltError(
            .refused, "store '\(path)' is read-only",
            hint: "mount its file system read-write, or run the command as the owner of the store")
    }

    /// Calls the body with a directory on the file system of the store, which is gone afterwards, and is cleared away
    /// by `gc` when this process dies.
    public func withTemporaryDirectory<Result>(_ body: (String) throws -> Result) throws -> Result {
        let session = try WriteSession(self)
        defer { session.end() }
        let directory = "\(session.directory)/tree"
        try Files.makeDirectory(directory, mode: 0o755)
        return try body(directory)
    }

    /// Whether a blob is in the store.
    public func has(_ digest: Digest) throws -> Bool { try place(of: BinaryDigest(digest)) != nil }

    /// Where a blob is.
    enum Place {
        case bare(size: UInt64)
        case packed(IndexEntry)

        var length: UInt64 {
            switch self {
            case .bare(let size): size
            case .packed(let entry): entry.length
            }
        }
    }

    func place(of digest: BinaryDigest) throws -> Place? {
        var information = stat()
        if lstat(layout.object(digest), &information) == 0 { return .bare(size: UInt64(information.st_size)) }
        // An entry whose pack is gone is none: gc on a full disk removes packs before it can write an index.
        return try index.entries(digest).first { Files.exists(layout.pack($0.pack)) }.map { .packed($0) }
    }

    /// The packs that are there.
    func packNumbers() throws -> Set<UInt64> {
        Set(try Files.list(layout.packs).compactMap { StoreLayout.number($0, suffix: ".pack") })
    }

    /// The number of bytes of a blob.
    ///
    /// - Throws: `VoltError`; code `notFound` when it is not in the store.
    public func size(of digest: Digest) throws -> UInt64 {
        if BinaryDigest(digest) == .empty { return 0 }
        guard let place = try place(of: BinaryDigest(digest)) else {
            throw Self.missing(BinaryDigest(digest))
        }
        return place.length
    }

    static func missing(_ digest: BinaryDigest) -> VoltError {
        VoltError(
            .notFound, "blob '\(digest.digest)' is not in the store",
            hint: "fetch it with 'volt cas pull', or 'volt cas repair --from REMOTE' when it was there before"
        )
    }

    static func damaged(_ digest: BinaryDigest, _ reason: String) -> VoltError {
        VoltError(
            .failed, "blob '\(digest.digest)' is damaged: \(reason)",
            hint: "see 'volt cas verify --read-data', then 'volt cas repair --from REMOTE'")
    }
}
