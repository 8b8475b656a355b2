public import VoltCore

/// The names of a tree, found one by one in the image that its mount uses: memory does not grow with the tree.
public final class TreeImage: Sendable {
    /// What is at a path.
    public struct Node: Sendable {
        /// Kind and permissions, as `st_mode`.
        public let mode: UInt32
        /// The number of the owner.
        public let user: UInt32
        /// The number of the group.
        public let group: UInt32
        /// The bytes of a file or of a link's target.
        public let size: UInt64
        /// The number of a device, as `st_rdev` of the kernel; a whiteout of overlayfs is a character device 0.
        public let device: UInt32
        /// The extended attributes.
        let attributes: [(name: [UInt8], value: [UInt8])]
        let layout: Erofs.Layout
        let block: UInt32
        /// Where what follows the inode begins.
        let tail: Int

        /// The kind, as `S_IFMT` takes it from the mode.
        public var kind: UInt32 { mode & 0o170000 }
        /// Whether it is a directory.
        public var isDirectory: Bool { kind == 0o040000 }
        /// Whether a directory hides what layers below have in it.
        public var isOpaque: Bool {
            attributes.contains { $0.name == Array("overlay.opaque".utf8) && $0.value == [UInt8(ascii: "y")] }
        }

        /// The bytes of a file; nil when it has none, or is none.
        public var content: Digest? {
            guard let redirect = attributes.first(where: { $0.name == Array("overlay.redirect".utf8) }) else {
                return nil
            }
            let hex = redirect.value.filter { $0 != UInt8(ascii: "/") }
            return try? Digest("sha256:\(String(decoding: hex, as: UTF8.self))")
        }
    }

    private let file: StoreFile
    private let store: ContentStore
    private let root: Int

    /// Opens the image of a tree, which is made when it is not there.
    ///
    /// - Throws: `VoltError`; `failed` when a file of the tree is not bare.
    public init(_ store: ContentStore, _ tree: Digest) throws {
        self.store = store
        file = try StoreFile(reading: try store.prepareMount(of: tree))
        let superblock = try Self.bytes(Erofs.superblockCount, at: Erofs.superblockOffset, of: file)
        guard Self.number(superblock, 0, UInt32.self) == Erofs.magic else {
            throw Self.damaged(file)
        }
        root = Int(Self.number(superblock, 14, UInt16.self))
    }

    /// What is at a path from the root; links are not followed.
    public func node(_ names: [[UInt8]]) throws -> Node? {
        var node = try read(root)
        for name in names {
            guard node.isDirectory, let number = try find(name, in: node) else { return nil }
            node = try read(number)
        }
        return node
    }

    /// The target of a symbolic link.
    public func target(of node: Node) throws -> [UInt8] { try data(of: node, 0..<Int(clamping: node.size)) }

    /// The file with the bytes of a file: it is an object of the store, which is never changed.
    public func path(of node: Node) -> String? {
        node.content.map { store.layout.object(BinaryDigest($0)) }
    }

    // MARK: Reading

    private func bytes(_ count: Int, at offset: Int) throws -> [UInt8] {
        try Self.bytes(count, at: offset, of: file)
    }

    private static func bytes(_ count: Int, at offset: Int, of file: StoreFile) throws -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: count)
        let got = try bytes.withUnsafeMutableBytes { try file.read(at: offset, into: $0) }
        guard got == count else { throw damaged(file) }
        return bytes
    }

    /// More than any image has: what lies behind it is the number of a damaged one.
    private static let most = 1 << 48

    private func read(_ number: Int) throws -> Node {
        guard (0..<Self.most).contains(number) else { throw Self.damaged(file) }
        let place = number * Erofs.slot
        let inode = try bytes(Erofs.inodeCount, at: place)
        let count = Int(Self.number(inode, 2, UInt16.self))
        let attributesCount = count == 0 ? 0 : 12 + (count - 1) * 4
        let word = Self.number(inode, 16, UInt32.self)
        let layout = Erofs.Layout(rawValue: Self.number(inode, 0, UInt16.self) >> 1 & 7)
        guard let layout else { throw Self.damaged(file) }
        return Node(
            mode: UInt32(Self.number(inode, 4, UInt16.self)), user: Self.number(inode, 24, UInt32.self),
            group: Self.number(inode, 28, UInt32.self), size: Self.number(inode, 8, UInt64.self),
            device: word,
            attributes: attributesCount == 0
                ? [] : try attributes(try bytes(attributesCount, at: place + Erofs.inodeCount)),
            layout: layout, block: word, tail: place + Erofs.inodeCount + attributesCount)
    }

    /// Names without the namespace that is kept as a number.
    private func attributes(_ bytes: [UInt8]) throws -> [(name: [UInt8], value: [UInt8])] {
        var found: [(name: [UInt8], value: [UInt8])] = []
        var place = 12
        while place + 4 <= bytes.count {
            let nameCount = Int(bytes[place])
            let valueCount = Int(Self.number(bytes, place + 2, UInt16.self))
            let end = place + 4 + nameCount + valueCount
            guard end <= bytes.count else { throw Self.damaged(file) }
            // 4 is `trusted.`: what overlayfs reads.
            if bytes[place + 1] == 4 {
                let middle = place + 4 + nameCount
                found.append((Array(bytes[place + 4..<middle]), Array(bytes[middle..<end])))
            }
            place = (end + 3) / 4 * 4
        }
        return found
    }

    /// Bytes of a directory or of a link's target.
    private func data(of node: Node, _ range: Range<Int>) throws -> [UInt8] {
        guard range.upperBound <= node.size, node.size < UInt64(Self.most), range.count <= Erofs.blockSize
        else { throw Self.damaged(file) }
        let inline = node.layout == .inline ? Int(node.size) / Erofs.blockSize * Erofs.blockSize : Int.max
        if range.lowerBound >= inline {
            return try bytes(range.count, at: node.tail + range.lowerBound - inline)
        }
        return try bytes(range.count, at: Int(node.block) * Erofs.blockSize + range.lowerBound)
    }

    /// Searches the blocks by their first names, then the block.
    private func find(_ name: [UInt8], in directory: Node) throws -> Int? {
        guard directory.size < UInt64(Self.most) else { throw Self.damaged(file) }
        let size = Int(directory.size)
        func block(_ index: Int) throws -> [UInt8] {
            try data(
                of: directory, index * Erofs.blockSize..<min(size, (index + 1) * Erofs.blockSize))
        }
        var low = 0
        var high = (size + Erofs.blockSize - 1) / Erofs.blockSize
        // The last block whose first name does not come behind the name.
        while high - low > 1 {
            let middle = (low + high) / 2
            if name.lexicographicallyPrecedes(try entry(0, of: try block(middle)).name) {
                high = middle
            } else {
                low = middle
            }
        }
        let block = try block(low)
        var first = 0
        var last = Int(Self.number(block, 8, UInt16.self)) / Erofs.direntCount
        while first < last {
            let middle = (first + last) / 2
            let entry = try entry(middle, of: block)
            if entry.name == name { return entry.number }
            if entry.name.lexicographicallyPrecedes(name) { first = middle + 1 } else { last = middle }
        }
        return nil
    }

    private func entry(_ index: Int, of block: [UInt8]) throws -> (name: [UInt8], number: Int) {
        let count = Int(Self.number(block, 8, UInt16.self)) / Erofs.direntCount
        let place = index * Erofs.direntCount
        guard index < count, (index + 1) * Erofs.direntCount <= block.count else { throw Self.damaged(file) }
        let start = Int(Self.number(block, place + 8, UInt16.self))
        let end =
            index + 1 < count
            ? Int(Self.number(block, place + Erofs.direntCount + 8, UInt16.self)) : block.count
        guard start <= end, end <= block.count else { throw Self.damaged(file) }
        // The last name of a block that is not the last ends with zeros.
        return (
            Array(block[start..<end].prefix { $0 != 0 }),
            Int(clamping: Self.number(block, place, UInt64.self))
        )
    }

    private static func number<Value: FixedWidthInteger>(_ bytes: [UInt8], _ offset: Int, _ type: Value.Type)
        -> Value
    {
        guard offset >= 0, offset + MemoryLayout<Value>.size <= bytes.count else { return 0 }
        return bytes.withUnsafeBytes {
            Value(littleEndian: $0.loadUnaligned(fromByteOffset: offset, as: Value.self))
        }
    }

    private static func damaged(_ file: StoreFile) -> VoltError {
        VoltError(
            .failed, "'\(file.path)' is damaged", hint: "remove it: it is made again when it is needed")
    }
}
