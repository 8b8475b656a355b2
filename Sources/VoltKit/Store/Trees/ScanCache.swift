internal import Glibc
internal import VoltCore
internal import VoltCrypto
internal import VoltSystem

/// What the files of a directory were at the last ingest, so that those that have not changed are not read again.
///
/// It is in the order of the walk, so that it is read along with it and never held in memory:
///
///     "VOLTSCAN" u8 version, u64 device
///     records: varint shared bytes with the path before, path (varint length, bytes), varint inode, varint size,
///              signed changed, varint nanoseconds, signed modified, varint nanoseconds,
///              varint number of attributes, each: name, value; 32 bytes digest
///
/// A file whose change was so recent that another one could have the same time is not in it.
final class ScanCache {
    private static let magic = Array("VOLTSCAN".utf8)
    private static let version: UInt8 = 1

    struct Known {
        let digest: BinaryDigest
        let extended: [TreeEntry.Attribute]
    }

    private let session: WriteSession
    private let path: String
    private let representation: Representation
    private let began: Int64
    private var old: Reader?
    private let new: StoreFile
    private var output = ByteWriter(capacity: 1 << 16)
    private var written = 0
    private var last: [UInt8] = []
    /// Held from one look to the next: a lock for each of a million files would cost more than the looks.
    private var look: FileLock?

    init(_ session: WriteSession, _ directory: String, _ options: IngestOptions) throws {
        self.session = session
        representation = options.representation
        let whole = Files.absolute(directory, from: Files.currentDirectory)
        // What is kept of a file depends on these; the digests do not, but the attributes do.
        let key = "\(whole)\n\(options.keepsOverlayMarks)"
        path = "\(session.store.layout.cache)/\(SHA256Hasher.digest(of: key.utf8).hex.prefix(32)).scan"
        old = try? Reader(path)
        new = try StoreFile(creating: "\(session.directory)/scan")
        began = Int64(time(nil))
        output.raw(Self.magic)
        output.byte(Self.version)
    }

    /// The content of a file that is as it was, and is still in the store.
    func find(_ path: ArraySlice<UInt8>, _ stamp: FileStamp) throws -> Known? {
        guard let old, let (known, seen) = try? old.find(path), seen == stamp else { return nil }
        if stamp.size == 0 { return known }
        if look == nil { look = try session.beginLooking() }
        let isThere =
            try representation == .bare ? session.keepsBare(known.digest) : session.keeps(known.digest)
        return isThere ? known : nil
    }

    /// Lets those go on who wait to remove something: call it often, and before waiting.
    func pause() { look = nil }

    func add(
        _ path: ArraySlice<UInt8>, _ stamp: FileStamp, _ digest: BinaryDigest,
        _ extended: [TreeEntry.Attribute]
    ) throws {
        // Within the granularity of its time a file can change once more.
        guard stamp.changed < began - 1 else { return }
        var shared = 0
        for (left, right) in zip(last, path) {
            if left != right { break }
            shared += 1
        }
        output.varint(UInt64(shared))
        output.sized(path.dropFirst(shared))
        output.varint(stamp.device)
        output.varint(stamp.inode)
        output.varint(stamp.size)
        output.signed(stamp.changed)
        output.varint(UInt64(stamp.changedNanoseconds))
        output.signed(stamp.modified)
        output.varint(UInt64(stamp.modifiedNanoseconds))
        output.varint(UInt64(extended.count))
        for attribute in extended {
            output.sized(attribute.name)
            output.sized(attribute.value)
        }
        output.digest(digest)
        last = Array(path)
        if output.count >= 1 << 16 { try flush() }
    }

    private func flush() throws {
        try output.bytes.withUnsafeBytes { try new.write($0, at: written) }
        written += output.count
        output.removeAll()
    }

    /// Puts what was seen in the place of what was seen before. It need not survive a power cut: the end is marked.
    func save() throws {
        pause()
        output.varint(UInt64(Int64.max))
        try flush()
        guard rename(new.path, path) == 0 else { throw SystemError.current.during("cannot write '\(path)'") }
    }

    /// Reads the file of the last time along with the walk.
    private final class Reader {
        private let file: StoreFile
        private var buffer: [UInt8] = []
        private var place = 0
        private var offset = 0
        private var current: (path: [UInt8], known: Known, stamp: FileStamp)?
        private var isAtEnd = false

        init(_ path: String) throws {
            file = try StoreFile(reading: path)
            try fill()
            guard buffer.starts(with: ScanCache.magic), buffer.count > 8, buffer[8] == ScanCache.version
            else {
                throw FormatError("is no cache")
            }
            place = 9
            current = try read()
        }

        func find(_ path: ArraySlice<UInt8>) throws -> (Known, FileStamp)? {
            while let current, Reader.precedes(current.path, path) { self.current = try read() }
            guard let current, current.path.elementsEqual(path) else { return nil }
            return (current.known, current.stamp)
        }

        /// The order of a walk: that of the paths, with the slash before all other bytes.
        private static func precedes(_ left: [UInt8], _ right: ArraySlice<UInt8>) -> Bool {
            for (a, b) in zip(left, right) where a != b {
                if a == UInt8(ascii: "/") { return true }
                if b == UInt8(ascii: "/") { return false }
                return a < b
            }
            return left.count < right.count
        }

        private func fill() throws {
            buffer.removeFirst(place)
            place = 0
            let old = buffer.count
            buffer.append(contentsOf: repeatElement(0, count: 1 << 16))
            let offset = offset
            let count = try buffer.withUnsafeMutableBytes {
                try file.read(at: offset, into: UnsafeMutableRawBufferPointer(rebasing: $0[old...]))
            }
            buffer.removeLast((1 << 16) - count)
            self.offset += count
            isAtEnd = count == 0
        }

        private func read() throws -> (path: [UInt8], known: Known, stamp: FileStamp)? {
            while true {
                do { return try parse() } catch let error as FormatError {
                    guard error.reason == "ends too early" else { throw error }
                    try fill()
                    if isAtEnd { throw error }
                }
            }
        }

        private func parse() throws -> (path: [UInt8], known: Known, stamp: FileStamp)? {
            let start = place
            let last = current?.path ?? []
            var used = 0
            let record: (path: [UInt8], known: Known, stamp: FileStamp)? = try buffer.withUnsafeBytes {
                bytes in
                var reader = ByteReader(UnsafeRawBufferPointer(rebasing: bytes[start...]))
                let shared = try reader.varint()
                if shared == UInt64(Int64.max) { return nil }
                guard shared <= UInt64(last.count) else { throw FormatError("is no cache") }
                let path = Array(last.prefix(Int(shared))) + (try reader.sized("a path", upTo: 4095))
                var stamp = FileStamp()
                stamp.device = try reader.varint()
                stamp.inode = try reader.varint()
                stamp.size = try reader.varint()
                stamp.changed = try reader.signed()
                stamp.changedNanoseconds = UInt32(try reader.number("a time", upTo: 999_999_999))
                stamp.modified = try reader.signed()
                stamp.modifiedNanoseconds = UInt32(try reader.number("a time", upTo: 999_999_999))
                var extended: [TreeEntry.Attribute] = []
                for _ in 0..<(try reader.number("attributes", upTo: 1024)) {
                    extended.append(
                        .init(
                            name: try reader.sized("a name", upTo: 255),
                            value: try reader.sized("an attribute", upTo: 65536)))
                }
                let known = Known(digest: try reader.digest(), extended: extended)
                used = reader.offset
                return (path, known, stamp)
            }
            place = start + used
            return record
        }
    }
}
