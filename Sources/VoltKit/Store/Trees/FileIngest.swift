internal import CVoltSystem
internal import Glibc
internal import VoltCore
internal import VoltSystem

/// Reads the files of a batch and puts those into the store that are not there. One for each thread.
final class FileIngest {
    private let session: WriteSession
    private let options: IngestOptions
    private let root: Int32
    private let writer: BlobWriter
    private let hasher = BlobHasher()
    private let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 21, alignment: 4096)

    init(_ session: WriteSession, _ options: IngestOptions, root: Int32) {
        self.session = session
        self.options = options
        self.root = root
        writer = BlobWriter(session)
    }

    deinit { buffer.deallocate() }

    /// A file of the batch whose bytes are in the buffer.
    private struct Held {
        let item: Int
        let range: Range<Int>
        let digest: BinaryDigest
    }

    /// Gives each file of the batch its digest.
    func run(_ batch: IngestBatch) throws {
        var held: [Held] = []
        var end = 0
        for index in batch.items.indices where !batch.items[index].path.isEmpty && !batch.items[index].isKnown
        {
            do {
                guard let file = try read(&batch.items[index], index, at: end) else { continue }
                held.append(file)
                end = file.range.upperBound
            } catch let failure as NameFailure { batch.items[index].failure = failure.error }
        }
        try store(held, batch)
    }

    /// Reads one file.
    ///
    /// - Returns: a file whose bytes are in the buffer now; nil for one that has none, or is in the store.
    private func read(_ item: inout IngestBatch.Item, _ index: Int, at end: Int) throws -> Held? {
        guard case .entry(var entry) = item.event else { return nil }
        options.willRead?(Array(item.path.dropLast()))
        let size = Int(item.stamp.size)
        // Through no link: a directory may have become one since it was looked at.
        let file = withCharacters(item.path) {
            volt_open_beneath(root, $0, O_RDONLY | O_NONBLOCK | O_NOCTTY, 0)
        }
        guard file >= 0 else { throw failure("cannot open", item) }
        defer { close(file) }
        do {
            item.place = Array(item.path.dropLast())
            entry.extended = try Attributes.read(
                .open(file), overlay: options.keepsOverlayMarks, item.place, &item.dropped)
        } catch let error as VoltError { item.attributesFailure = error }
        guard size <= Chunker.whole, end + size < buffer.count, try fill(end, size, from: file, item) else {
            try stream(file, &entry, &item)
            item.event = .entry(entry)
            return nil
        }
        let range = end..<end + size
        let digest = writer.digest(UnsafeRawBufferPointer(rebasing: buffer[range]))
        entry.kind = .file(size: UInt64(size), digest: size == 0 ? .zero : digest)
        item.event = .entry(entry)
        return size > 0 ? Held(item: index, range: range, digest: digest) : nil
    }

    /// Looks once for all, then writes those that are new.
    private func store(_ held: [Held], _ batch: IngestBatch) throws {
        guard !held.isEmpty else { return }
        let isBare = options.representation == .bare
        let new = try session.looking {
            try held.filter {
                try isBare ? !session.keepsBare($0.digest) : !session.keeps($0.digest)
            }
        }
        for file in new {
            let bytes = UnsafeRawBufferPointer(rebasing: buffer[file.range])
            guard isBare else {
                try writer.store(file.digest, bytes)
                continue
            }
            if options.consumes, let path = try move(batch.items[file.item]) {
                try session.bare.add(file.digest, path, size: UInt64(bytes.count))
                continue
            }
            let temporary = try session.bare.temporary()
            try temporary.write(bytes, at: 0)
            try session.bare.add(file.digest, temporary.path, size: UInt64(bytes.count))
        }
    }

    /// Moves a file into the private area, and takes from it what an object does not have.
    ///
    /// - Returns: its new path; nil when it is on another file system.
    private func move(_ item: IngestBatch.Item) throws -> String? {
        let path = session.bare.freePath()
        let end = item.path.lastIndex(of: UInt8(ascii: "/"))
        let parent = withCharacters(end.map { Array(item.path[..<$0]) + [0] } ?? [46, 0]) {
            volt_open_beneath(root, $0, volt_o_path | O_DIRECTORY, 0)
        }
        guard parent >= 0 else { throw failure("cannot open", item) }
        defer { close(parent) }
        let name = Array(item.path[(end.map { $0 + 1 } ?? 0)...])
        guard withCharacters(name, { renameat(parent, $0, AT_FDCWD, path) }) == 0 else {
            if errno == EXDEV { return nil }
            throw failure("cannot move", item)
        }
        let file = volt_open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK, 0)
        guard file >= 0 else { throw failure("cannot open", item) }
        defer { close(file) }
        // The mode last, since a change of the owner may change it; the time says since when it is an object.
        guard fchown(file, geteuid(), getegid()) == 0, Attributes.removeAll(file), fchmod(file, 0o444) == 0,
            futimens(file, nil) == 0
        else { throw failure("cannot change", item) }
        return path
    }

    /// Reads a small file whole.
    ///
    /// - Returns: false when it is not what was scanned.
    private func fill(_ offset: Int, _ size: Int, from file: Int32, _ item: IngestBatch.Item) throws -> Bool {
        var done = 0
        // One byte more, which is not there unless the file grew.
        while done <= size {
            let count = Glibc.read(file, buffer.baseAddress?.advanced(by: offset + done), size + 1 - done)
            if count < 0 {
                if errno == EINTR { continue }
                throw failure("cannot read", item)
            }
            if count == 0 { break }
            done += count
        }
        var information = stat()
        return done == size && fstat(file, &information) == 0 && FileStamp(information) == item.stamp
    }

    // MARK: Large files, and those that change

    private func stream(_ file: Int32, _ entry: inout TreeEntry, _ item: inout IngestBatch.Item) throws {
        for _ in 0..<3 {
            var information = stat()
            guard fstat(file, &information) == 0 else { throw failure("cannot read", item) }
            guard information.st_mode & S_IFMT == S_IFREG else {
                throw NameFailure(error: becameAnother(item))
            }
            let before = FileStamp(information)
            guard before.size <= UInt64(Recipe.largestBlob) else {
                throw NameFailure(
                    error: TreeScanner.refused(
                        Array(item.path.dropLast()),
                        "is larger than \(ByteSize(bytes: UInt64(Recipe.largestBlob)))"))
            }
            let (digest, size) =
                options.representation == .bare
                ? try copy(file, Int(before.size), item, moves: options.consumes)
                : try chunk(file, Int(before.size), item)
            // What is moved is nobody else's, and the move is a change.
            if !options.consumes {
                guard fstat(file, &information) == 0 else { throw failure("cannot read", item) }
                guard FileStamp(information) == before, size == before.size else { continue }
            }
            entry.take(information, options)
            entry.kind = .file(size: size, digest: size == 0 ? .zero : digest)
            item.stamp = before
            return
        }
        throw NameFailure(
            error: VoltError(
                .tryAgain, "'\(shown(item))' changes while it is read",
                hint: "stop what writes to it, or leave it out with --exclude"))
    }

    private func chunk(_ file: Int32, _ size: Int, _ item: IngestBatch.Item) throws -> (BinaryDigest, UInt64)
    {
        writer.reset()
        try Self.eachRegion(file, size) { region in
            switch region {
            case .hole(let count): try writer.zeros(UInt64(count))
            case .data(let range):
                var offset = range.lowerBound
                while offset < range.upperBound {
                    let room = writer.room
                    let count = pread(
                        file, room.baseAddress, min(room.count, range.upperBound - offset, 1 << 20),
                        off_t(offset))
                    if count < 0, errno == EINTR { continue }
                    guard count >= 0 else { throw failure("cannot read", item) }
                    if count == 0 { return }
                    try writer.filled(count)
                    offset += count
                }
            }
        }
        return try writer.finish()
    }

    private func copy(_ file: Int32, _ size: Int, _ item: IngestBatch.Item, moves: Bool) throws -> (
        BinaryDigest, UInt64
    ) {
        do { return try copyOnce(file, size, item, moves: moves) } catch {
            _ = hasher.take()
            throw error
        }
    }

    private func copyOnce(_ file: Int32, _ size: Int, _ item: IngestBatch.Item, moves: Bool) throws -> (
        BinaryDigest, UInt64
    ) {
        let temporary = moves ? nil : try session.bare.temporary()
        var total = 0
        // A file that shares the blocks where the file system can.
        let isWhole = temporary.map { volt_clone(file, $0.descriptor) == 0 } ?? true
        if let temporary, !isWhole, ftruncate(temporary.descriptor, off_t(size)) != 0 {
            throw SystemError.current.during("cannot write '\(temporary.path)'")
        }
        try Self.eachRegion(file, size) { region in
            switch region {
            case .hole(let count):
                var left = count
                while left > 0 {
                    let part = min(left, 1 << 30)
                    Zeros.each(part) { hasher.update($0) }
                    left -= part
                }
                total += count
            case .data(let range):
                var offset = range.lowerBound
                while offset < range.upperBound {
                    let count = pread(
                        file, buffer.baseAddress, min(buffer.count, range.upperBound - offset), off_t(offset))
                    if count < 0, errno == EINTR { continue }
                    guard count >= 0 else { throw failure("cannot read", item) }
                    if count == 0 { return }
                    let part = UnsafeRawBufferPointer(rebasing: buffer[..<count])
                    hasher.update(part)
                    if !isWhole { try temporary?.write(part, at: offset) }
                    offset += count
                    total += count
                }
            }
        }
        let digest = hasher.take()
        if try total == size && size > 0 && !session.looking({ try session.keepsBare(digest) }) {
            guard let path = try temporary?.path ?? move(item) else {
                return try copy(file, size, item, moves: false)
            }
            try session.bare.add(digest, path, size: UInt64(size))
        } else if let temporary {
            try Files.remove(temporary.path)
        }
        return (digest, UInt64(total))
    }

    enum Region {
        case data(Range<Int>)
        case hole(Int)
    }

    /// The parts of a file that have bytes, and the holes between them, in order.
    static func eachRegion(_ file: Int32, _ size: Int, _ body: (Region) throws -> Void) throws {
        var offset = 0
        while offset < size {
            let data = volt_seek_data(file, Int64(offset), 1)
            if data < 0, errno == ENXIO {
                // Nothing but a hole to the end.
                return try body(.hole(size - offset))
            }
            guard data >= 0 else { return try body(.data(offset..<size)) }
            let start = min(Int(data), size)
            if start > offset { try body(.hole(start - offset)) }
            guard start < size else { return }
            let hole = volt_seek_data(file, data, 0)
            let end = hole < 0 ? size : min(Int(hole), size)
            try body(.data(start..<end))
            offset = end
        }
    }

    private func shown(_ item: IngestBatch.Item) -> String { String(shown: item.path.dropLast()) }

    private func becameAnother(_ item: IngestBatch.Item) -> VoltError {
        VoltError(
            .tryAgain, "'\(shown(item))' became something else while it was read",
            hint: "stop what writes to it, or leave it out with --exclude")
    }

    private func failure(_ what: String, _ item: IngestBatch.Item) -> any Error {
        let error = SystemError.current
        if [ELOOP, ENOTDIR, EAGAIN].contains(error.number) { return NameFailure(error: becameAnother(item)) }
        return NameFailure.of(error, error.during("\(what) '\(shown(item))'"))
    }
}
