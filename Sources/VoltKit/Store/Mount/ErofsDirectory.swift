/// The entries of a directory of EROFS: blocks of entries and their names, sorted, with `.` and `..` among them.
struct ErofsDirectory {
    private var names: [UInt8] = []
    private var entries: [(nameStart: Int, nid: UInt64, type: UInt8)] = []
    private var hasDot = false
    private var hasDots = false
    private var used = 0
    private var blocks = 0
    private let keeps: Bool
    private let own: UInt64
    private let parent: UInt64

    /// - Parameters:
    ///   - own: the number of the directory's inode.
    ///   - keeps: whether the entries are to be written, or only measured.
    init(own: UInt64, parent: UInt64, keeps: Bool) {
        self.own = own
        self.parent = parent
        self.keeps = keeps
    }

    /// The bytes of all blocks; the last is as long as what is in it.
    var size: Int { blocks * Erofs.blockSize + used }
    /// The bytes of the last block.
    var lastCount: Int { used }

    /// Adds a name, which comes behind all those before.
    mutating func add(_ name: [UInt8], _ nid: UInt64, _ type: UInt8) {
        addDots(before: name)
        put(name, nid, type)
    }

    /// Call it when all names are there.
    mutating func finish() { addDots(before: nil) }

    private mutating func addDots(before name: [UInt8]?) {
        if !hasDot, name.map({ [46].lexicographicallyPrecedes($0) }) ?? true {
            hasDot = true
            put([46], own, 2)
        }
        if !hasDots, name.map({ [46, 46].lexicographicallyPrecedes($0) }) ?? true {
            hasDots = true
            put([46, 46], parent, 2)
        }
    }

    private mutating func put(_ name: [UInt8], _ nid: UInt64, _ type: UInt8) {
        let count = Erofs.direntCount + name.count
        if used + count > Erofs.blockSize {
            blocks += 1
            used = 0
        }
        used += count
        guard keeps else { return }
        entries.append((names.count, nid, type))
        names.append(contentsOf: name)
    }

    /// Gives the blocks, each filled up with zeros but the last.
    func write(_ body: ([UInt8]) throws -> Void) rethrows {
        var first = 0
        while first < entries.count {
            var count = 0
            var total = 0
            while first + count < entries.count {
                let next = Erofs.direntCount + nameCount(first + count)
                if total + next > Erofs.blockSize { break }
                total += next
                count += 1
            }
            var writer = ByteWriter(capacity: Erofs.blockSize)
            var offset = count * Erofs.direntCount
            for index in first..<first + count {
                writer.fixed(entries[index].nid)
                writer.fixed(UInt16(offset))
                writer.byte(entries[index].type)
                writer.byte(0)
                offset += nameCount(index)
            }
            let start = entries[first].nameStart
            writer.raw(names[start..<start + offset - count * Erofs.direntCount])
            first += count
            if first < entries.count { writer.raw(repeatElement(0, count: Erofs.blockSize - writer.count)) }
            try body(writer.bytes)
        }
    }

    private func nameCount(_ index: Int) -> Int {
        (index + 1 < entries.count ? entries[index + 1].nameStart : names.count) - entries[index].nameStart
    }
}
