internal import CVoltSystem
internal import Glibc
public import VoltCore
internal import VoltSystem

/// What `put` did.
public struct PutResult: Sendable, Codable {
    /// The name of the blob.
    public let digest: Digest
    /// Bytes of the blob.
    public let size: UInt64
    /// Bytes that it added to the store.
    public let storedBytes: UInt64
}

extension ContentStore {
    /// Puts the rest of an open file, or what comes out of a pipe, into the store.
    ///
    /// - Parameters:
    ///   - descriptor: holes in a file are not read.
    ///   - name: for errors.
    ///   - tag: a name for the blob, set when it is durable.
    public func put(
        _ descriptor: Int32, named name: String, representation: Representation = .packed, tag: String? = nil,
        progress: ((UInt64) -> Void)? = nil
    ) throws -> PutResult {
        let session = try WriteSession(self)
        defer { session.end() }
        let (digest, size) =
            switch representation {
            case .packed: try pack(descriptor, name, session, progress)
            case .bare: try copy(descriptor, name, session, progress)
            }
        try session.finish()
        let stored = session.packs.written.bytes + session.bare.written.bytes
        if let tag { try setTag(tag, to: digest.digest, kind: .blob) }
        return PutResult(digest: digest.digest, size: size, storedBytes: stored)
    }

    /// Puts a file into the store; `-` is standard input.
    public func put(
        file path: String, representation: Representation = .packed, tag: String? = nil,
        progress: ((UInt64) -> Void)? = nil
    ) throws -> PutResult {
        if path == "-" {
            return try put(
                0, named: "standard input", representation: representation, tag: tag, progress: progress)
        }
        let file = try StoreFile(reading: path)
        return try put(
            file.descriptor, named: path, representation: representation, tag: tag, progress: progress)
    }

    private func pack(
        _ descriptor: Int32, _ name: String, _ session: WriteSession, _ progress: ((UInt64) -> Void)?
    ) throws -> (BinaryDigest, UInt64) {
        let writer = BlobWriter(session)
        var total: UInt64 = 0
        try Self.eachPart(descriptor, name) { count in
            try writer.zeros(UInt64(count))
            total += UInt64(count)
            progress?(total)
        } room: {
            writer.room
        } filled: { count in
            try writer.filled(count)
            total += UInt64(count)
            progress?(total)
        }
        return try writer.finish()
    }

    private func copy(
        _ descriptor: Int32, _ name: String, _ session: WriteSession, _ progress: ((UInt64) -> Void)?
    ) throws -> (BinaryDigest, UInt64) {
        let temporary = try session.bare.temporary()
        let hasher = BlobHasher()
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 20, alignment: 4096)
        defer { buffer.deallocate() }
        var total = 0
        try Self.eachPart(descriptor, name) { count in
            Zeros.each(count) { hasher.update($0) }
            total += count
        } room: {
            buffer
        } filled: { count in
            let part = UnsafeRawBufferPointer(rebasing: buffer[..<count])
            hasher.update(part)
            try temporary.write(part, at: total)
            total += count
            progress?(UInt64(total))
        }
        guard ftruncate(temporary.descriptor, off_t(total)) == 0 else {
            throw SystemError.current.during("cannot write '\(temporary.path)'")
        }
        let digest = hasher.take()
        if try session.looking({ try session.keepsBare(digest) }) {
            try Files.remove(temporary.path)
        } else {
            try session.bare.add(digest, temporary.path, size: UInt64(total))
        }
        return (digest, UInt64(total))
    }

    /// Reads what is left of a descriptor.
    private static func eachPart(
        _ descriptor: Int32, _ name: String, hole: (Int) throws -> Void,
        room: () -> UnsafeMutableRawBufferPointer, filled: (Int) throws -> Void
    ) throws {
        var information = stat()
        guard fstat(descriptor, &information) == 0 else {
            throw SystemError.current.during("cannot read '\(name)'")
        }
        guard information.st_mode & S_IFMT != S_IFDIR else {
            throw VoltError(.usage, "'\(name)' is a directory", hint: "put it into the store with 'add-tree'")
        }
        let canSeek = information.st_mode & S_IFMT == S_IFREG
        guard !canSeek || information.st_size <= Recipe.largestBlob else {
            throw VoltError(
                .refused, "'\(name)' is larger than \(ByteSize(bytes: UInt64(Recipe.largestBlob)))",
                hint: "no blob is, see \"Limits\" of docs/design/store.md")
        }
        var position = canSeek ? Int(lseek(descriptor, 0, SEEK_CUR)) : 0
        var dataEnd = canSeek ? position : Int.max
        let size = Int(information.st_size)
        while true {
            if canSeek, position >= dataEnd, position < size {
                let data = volt_seek_data(descriptor, Int64(position), 1)
                let start = data < 0 ? (errno == ENXIO ? size : position) : Int(data)
                if start > position { try hole(start - position) }
                position = start
                let end = start < size ? volt_seek_data(descriptor, Int64(start), 0) : -1
                dataEnd = end > Int64(start) ? Int(end) : Int.max
                guard lseek(descriptor, off_t(position), SEEK_SET) >= 0 else {
                    throw SystemError.current.during("cannot read '\(name)'")
                }
            }
            let buffer = room()
            let wanted = min(buffer.count, 1 << 20, dataEnd - position)
            let count = Glibc.read(descriptor, buffer.baseAddress, wanted)
            if count < 0 {
                if errno == EINTR { continue }
                throw SystemError.current.during("cannot read '\(name)'")
            }
            if count == 0 { return }
            try filled(count)
            position += count
        }
    }

    // MARK: Out of the store

    /// Writes a blob to a file, whole or not at all; zeros become holes.
    ///
    /// - Throws: `VoltError`; `notFound`, or `failed` when the blob is damaged.
    public func get(_ digest: Digest, to path: String, mode: UInt32 = 0o644) throws {
        let temporary = "\(path).\(getpid()).tmp"
        let file = try StoreFile(creating: temporary, mode: mode)
        do {
            try BlobReader(self).write(BinaryDigest(digest), to: file)
            try file.sync()
            guard rename(temporary, path) == 0 else {
                throw SystemError.current.during("cannot write '\(path)'")
            }
            try Files.syncDirectory(Files.parent(of: path))
        } catch {
            unlink(temporary)
            throw error
        }
    }

    /// Gives the bytes of a blob in order, zeros among them; only after the call are they known to be right.
    ///
    /// - Parameter range: nil for all; then an error says that what was given is not the blob.
    public func read(
        _ digest: Digest, range: Range<UInt64>? = nil, _ body: (UnsafeRawBufferPointer) throws -> Void
    ) throws {
        try BlobReader(self).read(BinaryDigest(digest), range: range) { part in
            switch part {
            case .bytes(let bytes): try body(bytes)
            case .zeros(let count): try Zeros.each(count, body)
            }
        }
    }

    /// What a person means: `sha256:` and a digest, or the name of a tag.
    ///
    /// - Returns: the kind is nil for a digest, which says nothing about what it is of.
    public func resolve(_ reference: String) throws -> (digest: Digest, kind: TagKind?) {
        if reference.hasPrefix("sha256:") { return (try Digest(reference), nil) }
        if reference.utf8.count == 64, let digest = try? Digest("sha256:\(reference)") {
            return (digest, nil)
        }
        guard let tag = try tag(reference) else { throw Self.noTag(reference) }
        return (tag.digest, tag.kind)
    }
}

extension ContentStore {
    /// The pieces of a packed blob that have bytes; none when it is not in pieces.
    package func pieces(of digest: Digest) throws -> [Digest] {
        guard let entry = try index.entry(BinaryDigest(digest)), entry.kind == .recipe else { return [] }
        return try BlobReader(self).recipe(entry).pieces.filter { $0.kind == .data }.map(\.digest.digest)
    }
}
