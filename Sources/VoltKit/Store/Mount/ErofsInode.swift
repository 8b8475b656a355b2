internal import VoltCore

/// The on-disk forms of EROFS that an image of a tree needs (Linux, fs/erofs/erofs_fs.h).
enum Erofs {
    static let blockSize = 4096
    static let magic: UInt32 = 0xE0F5_E1E2
    static let superblockOffset = 1024
    static let superblockCount = 128
    /// Where in the superblock the name of the volume is, 16 bytes: here `hidden N`, how many devices a mount does not show.
    static let volumeOffset = 64
    static let volumeCount = 16
    /// An inode begins at a multiple of this.
    static let slot = 32
    static let inodeCount = 64
    /// EROFS_FEATURE_INCOMPAT_CHUNKED_FILE.
    static let chunkedFile: UInt32 = 4
    /// The address of a chunk that is a hole.
    static let noAddress: UInt32 = .max
    static let direntCount = 12
    /// The most bytes of the attributes of an inode: their number is one of 16 bits, in units of four behind a head of 12.
    static let mostAttributes = 12 + 4 * (Int(UInt16.max) - 1)
    static let longestValue = Int(UInt16.max)

    enum Layout: UInt16 {
        case plain = 0
        case inline = 2
        case chunks = 4
    }

    /// File types of directory entries.
    static func type(_ kind: TreeEntry.Kind) -> UInt8 {
        switch kind {
        case .file, .hardLink: 1
        case .directory: 2
        case .characterDevice: 3
        case .blockDevice: 4
        case .pipe: 5
        case .socket: 6
        case .link: 7
        }
    }

    /// The type bits of a mode.
    static func format(_ kind: TreeEntry.Kind) -> UInt16 {
        switch kind {
        case .file, .hardLink: 0o100000
        case .directory: 0o040000
        case .characterDevice: 0o020000
        case .blockDevice: 0o060000
        case .pipe: 0o010000
        case .socket: 0o140000
        case .link: 0o120000
        }
    }
}

/// An inode without its place.
struct ErofsInode {
    let entry: TreeEntry
    let attributes: [UInt8]
    /// What follows the inode and its attributes: the target of a link, or the last block of a directory.
    var tail: [UInt8] = []
    /// The size of a directory or link.
    var size = 0
    var layout = Erofs.Layout.plain

    init(_ entry: TreeEntry) {
        self.entry = entry
        attributes = Self.attributes(of: entry)
        switch entry.kind {
        case .link(let target):
            size = target.count
            if fits(target.count) {
                layout = .inline
                tail = target
            }
        case .file(let bytes, _) where bytes > 0: layout = .chunks
        default: break
        }
    }

    /// Whether so many bytes may follow the inode in its block.
    func fits(_ count: Int) -> Bool { Erofs.inodeCount + attributes.count + count <= Erofs.blockSize }

    /// The bytes that it takes with so many behind it; a chunk map has one hole.
    func byteCount(tail: Int) -> Int {
        Erofs.inodeCount + attributes.count + (layout == .chunks ? 4 : layout == .inline ? tail : 0)
    }

    /// Where it begins when the ones before it end here: what is inline does not cross a block.
    func place(after end: Int, tail: Int) -> Int {
        let start = (end + Erofs.slot - 1) / Erofs.slot * Erofs.slot
        guard layout == .inline else { return start }
        let last = start + byteCount(tail: tail) - 1
        if start / Erofs.blockSize == last / Erofs.blockSize { return start }
        return (start / Erofs.blockSize + 1) * Erofs.blockSize
    }

    /// - Parameters:
    ///   - number: of the inode.
    ///   - block: the first block of its data that is not inline.
    func write(to writer: inout ByteWriter, number: UInt32, links: UInt32, block: UInt32) {
        writer.fixed(UInt16(1 | layout.rawValue << 1))
        writer.fixed(UInt16(attributes.isEmpty ? 0 : (attributes.count - 12) / 4 + 1))
        writer.fixed(Erofs.format(entry.kind) | UInt16(entry.mode))
        writer.fixed(UInt16(0))
        switch entry.kind {
        case .file(let bytes, _): writer.fixed(bytes)
        default: writer.fixed(UInt64(size))
        }
        switch entry.kind {
        case .file(let bytes, _) where bytes > 0: writer.fixed(UInt32(Self.chunkFormat(bytes)))
        case .characterDevice(let major, let minor), .blockDevice(let major, let minor):
            // new_encode_dev of linux/kdev_t.h.
            writer.fixed((minor & 0xff) | (major << 8) | ((minor & ~0xff) << 12))
        default: writer.fixed(block)
        }
        writer.fixed(number)
        writer.fixed(entry.user)
        writer.fixed(entry.group)
        writer.fixed(UInt64(bitPattern: entry.seconds))
        writer.fixed(entry.nanoseconds)
        writer.fixed(links)
        writer.raw(repeatElement(0, count: 16))
        writer.raw(attributes)
        if layout == .chunks { writer.fixed(Erofs.noAddress) }
        if layout == .inline { writer.raw(tail) }
    }

    /// One chunk as long as the file, up to 8 TiB.
    private static func chunkFormat(_ size: UInt64) -> UInt16 {
        var bits: UInt16 = 0
        while bits < 31, size > UInt64(Erofs.blockSize) << UInt64(bits) { bits += 1 }
        return bits
    }

    // MARK: Attributes

    private static let prefixes: [(index: UInt8, text: String)] = [
        (2, "system.posix_acl_access"), (3, "system.posix_acl_default"), (1, "user."), (4, "trusted."),
        (6, "security."),
    ]

    /// The inline attributes, with those by which overlayfs finds the bytes of a file among the objects.
    private static func attributes(of entry: TreeEntry) -> [UInt8] {
        // A tree that came from elsewhere must not say itself where overlayfs finds its bytes.
        var all = entry.extended.filter {
            Attributes.isKept($0.name, overlay: true)
        }.map { ($0.name, $0.value) }
        if case .file(let size, let digest) = entry.kind, size > 0 {
            let hex = digest.hex
            all.append((Array("trusted.overlay.metacopy".utf8), []))
            all.append(
                (Array("trusted.overlay.redirect".utf8), Array("/\(hex.prefix(2))/\(hex.dropFirst(2))".utf8)))
        }
        guard !all.isEmpty else { return [] }
        var writer = ByteWriter()
        // No filter of names, no shared attributes.
        writer.raw(repeatElement(0, count: 12))
        for (name, value) in all {
            guard let prefix = prefixes.first(where: { name.starts(with: $0.text.utf8) }) else { continue }
            let suffix = name.dropFirst(prefix.text.utf8.count)
            writer.byte(UInt8(suffix.count))
            writer.byte(prefix.index)
            writer.fixed(UInt16(truncatingIfNeeded: value.count))
            writer.raw(suffix)
            writer.raw(value)
            while writer.count % 4 != 0 { writer.byte(0) }
        }
        return writer.bytes
    }
}
