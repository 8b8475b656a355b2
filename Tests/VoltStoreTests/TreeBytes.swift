@testable import VoltStore

/// The bytes of a tree as anybody could write them: no limit is looked at.
struct TreeBytes {
    private var writer = ByteWriter()

    init() {
        TreeFormat.begin(&writer)
        add(TreeEntry(name: [], kind: .directory, mode: 0o755))
    }

    mutating func add(_ entry: TreeEntry) {
        let record = Self.record(entry)
        writer.varint(UInt64(record.count))
        writer.raw(record)
    }

    mutating func add(_ name: String, _ kind: TreeEntry.Kind) {
        add(TreeEntry(name: Array(name.utf8), kind: kind, mode: 0o755))
    }

    mutating func end() { TreeFormat.end(&writer) }

    /// With the end of the root.
    var finished: [UInt8] {
        var whole = writer
        TreeFormat.end(&whole)
        return whole.bytes
    }

    static func record(_ entry: TreeEntry) -> [UInt8] {
        var record = ByteWriter()
        let kind: UInt8 =
            switch entry.kind {
            case .directory: 1
            case .file: 2
            case .link: 3
            case .hardLink: 4
            case .characterDevice: 5
            case .blockDevice: 6
            case .pipe: 7
            case .socket: 8
            }
        record.byte(kind)
        record.sized(entry.name)
        if case .hardLink(let first) = entry.kind {
            record.sized(first)
            return record.bytes
        }
        for number in [UInt64(entry.mode), UInt64(entry.user), UInt64(entry.group)] { record.varint(number) }
        record.signed(entry.seconds)
        record.varint(UInt64(entry.nanoseconds))
        record.varint(UInt64(entry.extended.count))
        for attribute in entry.extended {
            record.sized(attribute.name)
            record.sized(attribute.value)
        }
        switch entry.kind {
        case .file(let size, let digest):
            record.varint(size)
            if size > 0 { record.digest(digest) }
        case .link(let target): record.sized(target)
        case .characterDevice(let major, let minor), .blockDevice(let major, let minor):
            record.varint(UInt64(major))
            record.varint(UInt64(minor))
        case .directory, .pipe, .socket, .hardLink: break
        }
        return record.bytes
    }
}
