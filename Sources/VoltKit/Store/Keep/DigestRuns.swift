internal import Glibc
internal import VoltCore
internal import VoltSystem

/// A set of any number of digests in little memory: sorted runs in files, read as one. Where no file can be written, as
/// in a store that is read-only and on a full disk, they are in memory.
final class DigestRuns {
    private static let most = 1 << 18
    private let directory: String?
    private var held: [BinaryDigest] = []
    private var runs: [Run] = []

    fileprivate enum Run {
        case file(StoreFile)
        case memory([BinaryDigest])
    }

    /// - Parameter directory: for the runs; nil keeps them in memory.
    init(_ directory: String?) { self.directory = directory }

    func add(_ digest: BinaryDigest) throws {
        held.append(digest)
        if held.count >= Self.most { try spill() }
    }

    private func spill() throws {
        guard !held.isEmpty else { return }
        held.sort()
        defer { held.removeAll(keepingCapacity: true) }
        guard let directory else { return runs.append(.memory(held)) }
        do { runs.append(.file(try write(in: directory))) } catch let error as VoltError {
            guard error.code == .inputOutput else { throw error }
            runs.append(.memory(held))
        }
    }

    private func write(in directory: String) throws -> StoreFile {
        let path = "\(directory)/run\(UInt64.random(in: 0...UInt64.max))"
        let file = try StoreFile(creating: path)
        try Files.remove(path)
        var writer = ByteWriter(capacity: held.count * BinaryDigest.count)
        var last: BinaryDigest?
        for digest in held where digest != last {
            writer.digest(digest)
            last = digest
        }
        try writer.bytes.withUnsafeBytes { try file.write($0, at: 0) }
        return file
    }

    /// All of them, sorted, each once.
    func sorted() throws -> Cursor {
        try spill()
        return try Cursor(runs)
    }

    struct Cursor {
        private var readers: [Reader]
        private var last: BinaryDigest?

        fileprivate init(_ runs: [Run]) throws { readers = try runs.map { try Reader($0) } }

        mutating func next() throws -> BinaryDigest? {
            while true {
                var least: Int?
                for (index, reader) in readers.enumerated() {
                    guard let head = reader.head else { continue }
                    if let current = least, let other = readers[current].head, other <= head { continue }
                    least = index
                }
                guard let least, let digest = readers[least].head else { return nil }
                try readers[least].advance()
                if digest == last { continue }
                last = digest
                return digest
            }
        }
    }

    private struct Reader {
        let run: Run
        var buffer: [UInt8] = []
        var place = 0
        var offset = 0
        var head: BinaryDigest?

        init(_ run: Run) throws {
            self.run = run
            try advance()
        }

        mutating func advance() throws {
            if case .memory(let digests) = run {
                head = offset < digests.count ? digests[offset] : nil
                offset += 1
                return
            }
            if case .file(let file) = run, place == buffer.count {
                buffer = [UInt8](repeating: 0, count: 1 << 13)
                let offset = offset
                let count = try buffer.withUnsafeMutableBytes { try file.read(at: offset, into: $0) }
                buffer.removeLast(buffer.count - count)
                self.offset += count
                place = 0
            }
            guard place < buffer.count else {
                head = nil
                return
            }
            let place = place
            head = buffer.withUnsafeBytes { bytes in
                bytes.baseAddress.map { BinaryDigest($0 + place) }
            }
            self.place += BinaryDigest.count
        }
    }
}
