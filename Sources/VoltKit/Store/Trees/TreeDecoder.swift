internal import VoltCore

/// Reads the entries of a tree one after the other, with little memory, and refuses what is not a tree.
///
/// Of each file it keeps a hash of its path, by which it knows whether a second name is one of a file that came before.
struct TreeDecoder {
    /// What comes next.
    enum Event: Equatable {
        case entry(TreeEntry)
        /// The entries of a directory are over; the last one is that of the root.
        case up
    }

    private var buffer: [UInt8] = []
    private var place = 0
    private var hasMagic = false
    /// The last name in each open directory.
    private var names: [[UInt8]?] = []
    private var hasRoot = false
    /// The path of the open directory, and how long that of each directory around it is.
    private var path: [UInt8] = []
    private var lengths: [Int] = []
    /// Hashes of the paths of the files, with a seed that nobody knows: one that is here by chance is not the file that
    /// who makes second names finds.
    private var files: Set<Int> = []

    /// Whether the root has ended.
    private(set) var isComplete = false
    /// How many directories are open.
    var depth: Int { names.count }

    /// Takes more bytes.
    mutating func feed(_ bytes: UnsafeRawBufferPointer) {
        if place > 0 {
            buffer.removeFirst(place)
            place = 0
        }
        buffer.append(contentsOf: bytes)
    }

    /// The next event; nil when more bytes are needed.
    mutating func next() throws(FormatError) -> Event? {
        if !hasMagic {
            let head = TreeFormat.magic.count + 1
            guard buffer.count >= head else { return nil }
            guard buffer.starts(with: TreeFormat.magic) else { throw FormatError("is not a tree") }
            guard buffer[head - 1] == TreeFormat.version else {
                throw FormatError("is a tree of version \(buffer[head - 1]), which this tool does not read")
            }
            hasMagic = true
            place = head
        }
        guard place < buffer.count else { return nil }
        guard !isComplete else { throw FormatError("has something behind its end") }
        guard let (length, start) = try recordLength() else { return nil }
        guard length > 0, length <= TreeFormat.longest else {
            throw FormatError("has a record of \(length) bytes")
        }
        guard buffer.count - start >= length else { return nil }
        let end = start + length
        let parsed: Result<TreeEntry?, FormatError> = buffer.withUnsafeBytes { bytes in
            do throws(FormatError) {
                return .success(try TreeFormat.read(UnsafeRawBufferPointer(rebasing: bytes[start..<end])))
            } catch { return .failure(error) }
        }
        place = end
        return try accept(try parsed.get())
    }

    private mutating func accept(_ entry: TreeEntry?) throws(FormatError) -> Event {
        guard let entry else {
            guard names.popLast() != nil, let length = lengths.popLast() else {
                throw FormatError("ends a directory that was not begun")
            }
            path.removeLast(path.count - length)
            isComplete = names.isEmpty
            return .up
        }
        if !hasRoot {
            guard entry.isDirectory, entry.name.isEmpty else {
                throw FormatError("does not begin with its root")
            }
            hasRoot = true
            names.append(nil)
            lengths.append(0)
            return .entry(entry)
        }
        try TreeFormat.checkName(entry.name)
        if let last = names[names.count - 1], !last.lexicographicallyPrecedes(entry.name) {
            throw FormatError("has names out of order")
        }
        names[names.count - 1] = entry.name
        try enter(entry)
        return .entry(entry)
    }

    private mutating func enter(_ entry: TreeEntry) throws(FormatError) {
        let length = path.count
        if length > 0 { path.append(UInt8(ascii: "/")) }
        path.append(contentsOf: entry.name)
        guard path.count <= TreeFormat.longestPath else {
            throw FormatError("has a path of more than \(TreeFormat.longestPath) bytes")
        }
        switch entry.kind {
        case .directory:
            guard names.count < TreeFormat.depth else {
                throw FormatError("has more than \(TreeFormat.depth - 1) directories in each other")
            }
            names.append(nil)
            return lengths.append(length)
        case .file: files.insert(Self.hash(path))
        case .hardLink(let first):
            guard files.contains(Self.hash(first)) else {
                throw FormatError(
                    "has '\(String(shown: path))' as a second name of '\(String(shown: first))', which is not a file that comes before it"
                )
            }
        case .link, .characterDevice, .blockDevice, .pipe, .socket: break
        }
        path.removeLast(path.count - length)
    }

    private static func hash(_ path: [UInt8]) -> Int {
        var hasher = Hasher()
        path.withUnsafeBytes { hasher.combine(bytes: $0) }
        return hasher.finalize()
    }

    /// The length of the record and where it begins; nil when more bytes are needed.
    private func recordLength() throws(FormatError) -> (Int, Int)? {
        var value = 0
        var index = place
        for shift in stride(from: 0, to: 28, by: 7) {
            guard index < buffer.count else { return nil }
            let byte = buffer[index]
            index += 1
            value |= Int(byte & 0x7f) << shift
            if byte < 0x80 {
                guard byte != 0 || shift == 0 else {
                    throw FormatError("has a number that is not in its shortest form")
                }
                return (value, index)
            }
        }
        throw FormatError("has a record that is too long")
    }
}

/// Walks the trees of a store.
struct TreeWalk {
    /// Calls the body with each event of a tree and the path of the directory that is open, joined by slashes.
    ///
    /// - Throws: `VoltError` when the blob is missing, damaged or no tree.
    static func each(
        _ digest: BinaryDigest, in reader: BlobReader, _ body: (TreeDecoder.Event) throws -> Void
    ) throws {
        var decoder = TreeDecoder()
        do {
            try reader.read(digest) { part in
                func feed(_ bytes: UnsafeRawBufferPointer) throws {
                    decoder.feed(bytes)
                    while let event = try decoder.next() { try body(event) }
                }
                switch part {
                case .bytes(let bytes): try feed(bytes)
                case .zeros(let count): try Zeros.each(count, feed)
                }
            }
            guard decoder.isComplete else { throw FormatError("ends too early") }
        } catch let error as FormatError {
            throw VoltError(.failed, "'\(digest.digest)' \(error.reason)")
        }
    }
}
