internal import CVoltSystem
internal import Glibc
internal import VoltCore
internal import VoltCrypto
internal import VoltSystem

/// The write-ahead log of accepted deliveries: two files of a fixed size that are filled in turn. Writing
/// over blocks that a file already has costs a fifth of the sync of one that grows, so an answer waits for
/// little; the journal takes the deliveries over in larger groups.
///
/// A group is `VDL1`, its length, its generation, its bytes, and half of the SHA-256 of all that. The
/// generation grows by one each time the files take turns, so that what an earlier turn left is told from
/// what is new.
final class DeliveryLog {
    /// Where a group ends.
    struct Position: Sendable, Equatable {
        var generation: Int64
        var offset: Int64
    }

    /// Bytes of each file: some five thousand deliveries.
    static let size = 1 << 20
    private static let magic: [UInt8] = Array("VDL1".utf8)
    private static let headerSize = 16
    private static let digestSize = 16

    private let names: [String]
    private var descriptors: [Int32] = []
    /// The end of the last group.
    private(set) var end: Position

    /// Opens the log of a state directory for writing, with a new generation.
    ///
    /// - Parameter drained: what the journal holds; everything after it must have been taken over.
    init(state: String, after drained: Position) throws(VoltError) {
        names = Self.names(in: state)
        end = Position(generation: drained.generation + 1, offset: 0)
        for name in names {
            let bytes = try Self.contents(of: name)
            end.generation = max(end.generation, (Self.generation(of: bytes) ?? 0) + 1)
            if bytes.count != Self.size {
                try Files.replace(name, with: [UInt8](repeating: 0, count: Self.size), mode: 0o600)
            }
            let descriptor = volt_open(name, O_WRONLY, 0)
            guard descriptor >= 0 else { throw SystemError.current.during("cannot open '\(name)'") }
            descriptors.append(descriptor)
        }
    }

    deinit { for descriptor in descriptors { close(descriptor) } }

    private static func names(in state: String) -> [String] {
        ["\(state)/deliveries.0", "\(state)/deliveries.1"]
    }

    /// Whether a group of so many bytes has room in the file that is being filled.
    func hasRoom(for count: Int) -> Bool {
        Int(end.offset) + Self.headerSize + count + Self.digestSize <= Self.size
    }

    /// Goes on with the other file, whose groups the journal must all hold.
    func takeTurn() { end = Position(generation: end.generation + 1, offset: 0) }

    /// Writes a group: it is on disk when this returns.
    func append(_ payload: [UInt8]) throws(VoltError) {
        let index = Int(end.generation & 1)
        var bytes = Self.header(length: payload.count, generation: end.generation)
        bytes += payload
        bytes += Self.digest(of: bytes[...])
        var written = 0
        while written < bytes.count {
            let count = bytes.withUnsafeBytes {
                pwrite(
                    descriptors[index], $0.baseAddress?.advanced(by: written), bytes.count - written,
                    off_t(end.offset) + off_t(written))
            }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { throw SystemError.current.during("cannot write '\(names[index])'") }
            written += count
        }
        guard fdatasync(descriptors[index]) == 0 else {
            throw SystemError.current.during("cannot sync '\(names[index])'")
        }
        end.offset += Int64(bytes.count)
    }

    /// The groups after a position, in their order: those that were synced, and perhaps one that was not
    /// answered yet.
    static func groups(in state: String, after drained: Position) throws(VoltError) -> [(
        payload: [UInt8], end: Position
    )] {
        var groups: [(payload: [UInt8], end: Position)] = []
        for name in names(in: state) where hasGroups(name, after: drained) {
            let bytes = try contents(of: name)
            guard let generation = generation(of: bytes), generation >= drained.generation else { continue }
            var offset = generation == drained.generation ? Int(drained.offset) : 0
            while let payload = group(in: bytes, at: offset, generation: generation) {
                offset += headerSize + payload.count + digestSize
                groups.append((payload, Position(generation: generation, offset: Int64(offset))))
            }
        }
        return groups.sorted {
            ($0.end.generation, $0.end.offset) < ($1.end.generation, $1.end.offset)
        }
    }

    /// Whether a file may hold more, by two short reads: every command asks.
    private static func hasGroups(_ name: String, after drained: Position) -> Bool {
        let descriptor = volt_open(name, O_RDONLY, 0)
        guard descriptor >= 0 else { return false }
        defer { close(descriptor) }
        var header = [UInt8](repeating: 0, count: headerSize)
        guard pread(descriptor, &header, headerSize, 0) == headerSize,
            let generation = generation(of: header), generation >= drained.generation
        else { return false }
        guard generation == drained.generation else { return true }
        return pread(descriptor, &header, headerSize, off_t(drained.offset)) == headerSize
            && Self.generation(of: header) == generation
    }

    private static func contents(of name: String) throws(VoltError) -> [UInt8] {
        guard Files.exists(name) else { return [] }
        return try Files.read(name, limit: size)
    }

    /// The generation of a file, by its first group.
    private static func generation(of bytes: [UInt8]) -> Int64? {
        guard bytes.count >= headerSize, Array(bytes[..<4]) == magic else { return nil }
        return Int64(truncatingIfNeeded: number(in: bytes, at: 8, count: 8))
    }

    private static func group(in bytes: [UInt8], at offset: Int, generation: Int64) -> [UInt8]? {
        guard offset >= 0, offset + headerSize + digestSize <= bytes.count else { return nil }
        let length = Int(number(in: bytes, at: offset + 4, count: 4))
        let end = offset + headerSize + length
        guard end + digestSize <= bytes.count,
            bytes[offset..<offset + headerSize].elementsEqual(header(length: length, generation: generation)),
            bytes[end..<end + digestSize].elementsEqual(digest(of: bytes[offset..<end]))
        else { return nil }
        return Array(bytes[offset + headerSize..<end])
    }

    private static func header(length: Int, generation: Int64) -> [UInt8] {
        magic + withUnsafeBytes(of: UInt32(length).littleEndian) { Array($0) }
            + withUnsafeBytes(of: generation.littleEndian) { Array($0) }
    }

    private static func digest(of bytes: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
        let hasher = SHA256Hasher()
        hasher.update(bytes)
        return hasher.finishBytes()[..<digestSize]
    }

    private static func number(in bytes: [UInt8], at offset: Int, count: Int) -> UInt64 {
        bytes[offset..<offset + count].reversed().reduce(0) { $0 << 8 | UInt64($1) }
    }
}
