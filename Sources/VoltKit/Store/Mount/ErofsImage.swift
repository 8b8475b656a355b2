internal import VoltCore

/// Writes an EROFS image with the names and attributes of a tree, whose files have no bytes: overlayfs takes those
/// from the bare objects, as composefs does. So a tree is mounted without copying or linking a file.
///
/// The tree is read twice, first to learn where each inode will be; memory holds the open directories and a number
/// for each directory.
final class ErofsImage {
    private struct Open {
        let inode: ErofsInode
        var directory: ErofsDirectory
        let number: Int
        var links: UInt32 = 2
    }

    private let reader: BlobReader
    private let store: ContentStore
    private let part: TreePart
    /// The inode numbers of the directories, in the order in which they begin.
    private var directoryNids: [UInt32] = []
    /// How many more names a file has, and where its inode is.
    private var linked: [[UInt8]: (count: UInt32, nid: UInt64)] = [:]
    private var metadataEnd = 0
    private var dataBlocks = 0
    /// Character devices of number 0:0, which overlayfs takes for removed names.
    private var hidden = 0

    init(_ store: ContentStore, _ part: TreePart) {
        reader = BlobReader(store)
        self.store = store
        self.part = part
    }

    /// Writes the image.
    ///
    /// - Parameter each: called for the digest of each file, before it is written.
    func write(to file: StoreFile, each: (_ name: TreeEntry, UInt64, BinaryDigest) throws -> Void) throws {
        try pass(Output?.none) { _, _, _ in }
        let metadataBlocks = (metadataEnd + Erofs.blockSize - 1) / Erofs.blockSize
        let output = Output(file, dataStart: metadataBlocks)
        let inodes = try pass(output, each)
        try output.finish(superblock(inodes: inodes, blocks: metadataBlocks + dataBlocks))
    }

    private static let rootPlace = Erofs.superblockOffset + Erofs.superblockCount

    private func superblock(inodes: Int, blocks: Int) -> [UInt8] {
        var writer = ByteWriter()
        writer.fixed(Erofs.magic)
        // No checksum, no optional features.
        writer.fixed(UInt64(0))
        writer.byte(12)
        writer.byte(0)
        writer.fixed(UInt16(Self.rootPlace / Erofs.slot))
        writer.fixed(UInt64(inodes))
        writer.fixed(UInt64(0))
        writer.fixed(UInt32(0))
        writer.fixed(UInt32(blocks))
        writer.raw(repeatElement(0, count: Erofs.volumeOffset - writer.count))
        if hidden > 0 { writer.raw("hidden \(min(hidden, 99_999_999))".utf8) }
        writer.raw(repeatElement(0, count: Erofs.volumeOffset + Erofs.volumeCount - writer.count))
        writer.fixed(Erofs.chunkedFile)
        writer.raw(repeatElement(0, count: Erofs.superblockCount - writer.count))
        return writer.bytes
    }

    // MARK: One walk

    /// How far a walk is.
    private struct Walk {
        var open: [Open] = []
        var path: [UInt8] = []
        /// The length of the path above each open directory.
        var lengths: [Int] = []
        /// The end of the inodes so far, in bytes.
        var end = 0
        /// The blocks behind the inodes so far.
        var blocks = 0
        var inodes = 0
        var directories = 0

        mutating func descend(_ name: [UInt8]) {
            guard !open.isEmpty else { return }
            if !path.isEmpty { path.append(UInt8(ascii: "/")) }
            path.append(contentsOf: name)
        }
    }

    @discardableResult
    private func pass(_ output: Output?, _ each: (TreeEntry, UInt64, BinaryDigest) throws -> Void) throws
        -> Int
    {
        var walk = Walk()
        try TreeWalk.each(part, in: store, reader) { event in
            guard case .entry(let entry) = event else { return try self.leave(&walk, output) }
            walk.inodes += 1
            let length = walk.path.count
            walk.descend(entry.name)
            if entry.isDirectory { return try self.enter(entry, &walk, length, isWriting: output != nil) }
            defer { walk.path.removeLast(walk.path.count - length) }
            try self.add(entry, &walk, output, each)
        }
        metadataEnd = walk.end
        dataBlocks = walk.blocks
        return walk.inodes
    }

    private func enter(_ entry: TreeEntry, _ walk: inout Walk, _ length: Int, isWriting: Bool) throws {
        let inode = try self.inode(entry)
        // The root is where the superblock can name it: before everything else.
        if walk.open.isEmpty { walk.end = Self.rootPlace + inode.byteCount(tail: 0) }
        if !isWriting { directoryNids.append(0) }
        let own = directoryNids[walk.directories]
        let parent = walk.open.last.map { directoryNids[$0.number] } ?? own
        walk.open.append(
            Open(
                inode: inode,
                directory: ErofsDirectory(own: UInt64(own), parent: UInt64(parent), keeps: isWriting),
                number: walk.directories))
        walk.directories += 1
        walk.lengths.append(length)
    }

    private func leave(_ walk: inout Walk, _ output: Output?) throws {
        guard var last = walk.open.popLast() else { return }
        last.directory.finish()
        var inode = last.inode
        inode.size = last.directory.size
        let isRoot = walk.open.isEmpty
        if !isRoot, inode.fits(last.directory.lastCount) { inode.layout = .inline }
        let tail = inode.layout == .inline ? last.directory.lastCount : 0
        let place = isRoot ? Self.rootPlace : inode.place(after: walk.end, tail: tail)
        if !isRoot { walk.end = place + inode.byteCount(tail: tail) }
        let first = walk.blocks
        walk.blocks += (inode.size - tail + Erofs.blockSize - 1) / Erofs.blockSize
        if let output {
            try output.write(
                &inode, last.directory, at: place, number: last.number, last.links, block: first)
        } else {
            directoryNids[last.number] = UInt32(place / Erofs.slot)
        }
        if let length = walk.lengths.popLast() { walk.path.removeLast(walk.path.count - length) }
        if !isRoot {
            walk.open[walk.open.count - 1].directory.add(inode.entry.name, UInt64(place / Erofs.slot), 2)
            walk.open[walk.open.count - 1].links += 1
        }
    }

    private func add(
        _ entry: TreeEntry, _ walk: inout Walk, _ output: Output?,
        _ each: (TreeEntry, UInt64, BinaryDigest) throws -> Void
    ) throws {
        let isWriting = output != nil
        if case .hardLink(let target) = entry.kind {
            walk.inodes -= 1
            if !isWriting { linked[target, default: (0, 0)].count += 1 }
            let first = linked[target]?.nid ?? 0
            walk.open[walk.open.count - 1].directory.add(entry.name, first, 1)
            return
        }
        if isWriting, entry.kind == .characterDevice(major: 0, minor: 0) { hidden += 1 }
        if isWriting, case .file(let size, let digest) = entry.kind, size > 0 {
            try each(entry, size, digest)
        }
        let inode = try self.inode(entry)
        let place = inode.place(after: walk.end, tail: inode.tail.count)
        walk.end = place + inode.byteCount(tail: inode.tail.count)
        let nid = UInt64(place / Erofs.slot)
        var links: UInt32 = 1
        if isWriting, let more = linked[walk.path] {
            links += more.count
            linked[walk.path]?.nid = nid
        }
        let first = walk.blocks
        if inode.layout == .plain {
            walk.blocks += (inode.size + Erofs.blockSize - 1) / Erofs.blockSize
        }
        try output?.write(inode, at: place, number: walk.inodes, links, block: first)
        walk.open[walk.open.count - 1].directory.add(entry.name, nid, Erofs.type(entry.kind))
    }

    private func inode(_ entry: TreeEntry) throws -> ErofsInode {
        let inode = ErofsInode(entry)
        guard inode.attributes.count <= Erofs.mostAttributes,
            entry.extended.allSatisfy({ $0.value.count <= Erofs.longestValue })
        else {
            throw VoltError(
                .refused,
                "tree '\(part.tree.short)' cannot be mounted: '\(entry.shownName)' has extended attributes of more than 64 KiB, or of more than 256 KiB together",
                hint: "add the tree without --bare, or check it out")
        }
        return inode
    }

    // MARK: The file

    /// Two streams: the inodes, and the blocks of directories behind them.
    private final class Output {
        private let file: StoreFile
        private let dataStart: Int
        private var metadata = ByteWriter(capacity: 1 << 17)
        private var metadataOffset = 0
        private var data = ByteWriter(capacity: 1 << 17)
        private var dataOffset: Int

        init(_ file: StoreFile, dataStart: Int) {
            self.file = file
            self.dataStart = dataStart
            dataOffset = dataStart * Erofs.blockSize
        }

        func write(_ inode: ErofsInode, at place: Int, number: Int, _ links: UInt32, block: Int) throws {
            let gap = place - metadataOffset - metadata.count
            if gap > 0 { metadata.raw(repeatElement(0, count: gap)) }
            inode.write(to: &metadata, number: UInt32(number), links: links, block: UInt32(dataStart + block))
            if metadata.count >= 1 << 16 { try flushMetadata() }
            if inode.layout == .plain, case .link(let target) = inode.entry.kind { try writeBlock(target) }
        }

        func write(
            _ inode: inout ErofsInode, _ directory: ErofsDirectory, at place: Int, number: Int,
            _ links: UInt32,
            block: Int
        ) throws {
            var last: [UInt8] = []
            var left = inode.size
            try directory.write { bytes in
                left -= bytes.count
                if left == 0, inode.layout == .inline { last = bytes } else { try writeBlock(bytes) }
            }
            inode.tail = last
            let isRoot = place == ErofsImage.rootPlace
            guard isRoot else {
                return try write(inode, at: place, number: 1 + number, links, block: block)
            }
            var writer = ByteWriter()
            inode.write(to: &writer, number: 1, links: links, block: UInt32(dataStart + block))
            try flushMetadata()
            try writer.bytes.withUnsafeBytes { try file.write($0, at: place) }
        }

        private func writeBlock(_ bytes: [UInt8]) throws {
            data.raw(bytes)
            let rest = bytes.count % Erofs.blockSize
            if rest > 0 { data.raw(repeatElement(0, count: Erofs.blockSize - rest)) }
            if data.count >= 1 << 16 { try flushData() }
        }

        private func flushMetadata() throws {
            try metadata.bytes.withUnsafeBytes { try file.write($0, at: metadataOffset) }
            metadataOffset += metadata.count
            metadata.removeAll()
        }

        private func flushData() throws {
            try data.bytes.withUnsafeBytes { try file.write($0, at: dataOffset) }
            dataOffset += data.count
            data.removeAll()
        }

        func finish(_ superblock: [UInt8]) throws {
            try flushMetadata()
            try flushData()
            try superblock.withUnsafeBytes { try file.write($0, at: Erofs.superblockOffset) }
            // The kernel reads whole blocks.
            let size = max(metadataOffset, dataOffset)
            let end = (size + Erofs.blockSize - 1) / Erofs.blockSize * Erofs.blockSize
            if file.size < end { try [UInt8(0)].withUnsafeBytes { try file.write($0, at: end - 1) } }
        }
    }
}
