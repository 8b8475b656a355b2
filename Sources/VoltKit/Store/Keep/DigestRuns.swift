internal import Glibc
internal import VoltCore
internal import VoltSystem

/// A set of any number of digests in little memory: sorted runs in files, read as one.
final class DigestRuns {
    private static let most = 1 << 18
    private let directory: String
    private var held: [BinaryDigest] = []
    private var files: [StoreFile] = []

    /// - Parameter directory: for the runs.
    init(_ directory: String) { self.directory = directory }

    func add(_ digest: BinaryDigest) throws {
        held.append(digest)
        if held.count >= Self.most { try spill() }
    }

    private func spill() throws {
        guard !held.isEmpty else { return }
        held.sort()
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
        files.append(file)
        held.removeAll(keepingCapacity: true)
    }

    /// All of them, sorted, each once.
    func sorted() throws -> Cursor {
        try spill()
        return try Cursor(files)
    }

    struct Cursor {
        private var readers: [Reader]
        private var last: BinaryDigest?

        init(_ files: [StoreFile]) throws { readers = try files.map { try Reader($0) } }

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
        let file: StoreFile
        var buffer: [UInt8] = []
        var place = 0
        var offset = 0
        var head: BinaryDigest?

        init(_ file: StoreFile) throws {
            self.file = file
            try advance()
        }

        mutating func advance() throws {
            if place == buffer.count {
                buffer = [UInt8](repeating: 0, count: 1 << 13)
                let (file, offset) = (file, offset)
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
