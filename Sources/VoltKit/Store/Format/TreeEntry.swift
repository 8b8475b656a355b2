internal import VoltCore

/// One name of a tree, with what it has besides its content.
public struct TreeEntry: Sendable, Equatable {
    /// What it is.
    public enum Kind: Sendable, Equatable {
        case directory
        case file(size: UInt64, digest: BinaryDigest)
        /// With its target, any bytes.
        case link([UInt8])
        /// Another name of a file that came before, with the path of that from the root.
        case hardLink([UInt8])
        case characterDevice(major: UInt32, minor: UInt32)
        case blockDevice(major: UInt32, minor: UInt32)
        case pipe
        case socket
    }

    /// The name in its directory, any bytes but `/` and zero; empty for the root.
    public var name: [UInt8]
    /// What it is.
    public var kind: Kind
    /// Permissions, setuid, setgid and sticky (07777). A second name of a file has no attributes of its own.
    public var mode: UInt32 = 0
    /// The number of the owner.
    public var user: UInt32 = 0
    /// The number of the group.
    public var group: UInt32 = 0
    /// The last change, in seconds since 1970 and nanoseconds.
    public var seconds: Int64 = 0
    /// Nanoseconds of the last change beside the seconds.
    public var nanoseconds: UInt32 = 0
    /// Extended attributes, sorted by their names.
    public var extended: [Attribute] = []

    /// An extended attribute.
    public struct Attribute: Sendable, Equatable {
        /// Such as `user.x`, any bytes but zero.
        public var name: [UInt8]
        /// Any bytes.
        public var value: [UInt8]
    }

    var isDirectory: Bool { kind == .directory }

    /// The name for people.
    public var shownName: String { String(shown: name) }
}

/// A tree, as a blob: records in the order of a walk that goes into each directory at once and takes names in the
/// order of their bytes. The same tree has one such blob and no other.
///
///     "VOLTTREE" u8 version
///     records, each: varint length, then so many bytes:
///       u8 kind, name (varint length, bytes)
///       but for kind 4: varint mode, varint user, varint group, signed seconds, varint nanoseconds,
///                       varint number of attributes, each: name, value (varint length, bytes)
///       1 directory   its entries follow, then the record 0
///       2 file        varint size, 32 bytes digest unless the size is 0
///       3 link        target
///       4 hard link   path of the first name, from the root
///       5, 6 character and block device   varint major, varint minor
///       7 pipe, 8 socket
///     the first record is the root, a directory without a name; after the record 0 that ends it nothing follows
///
/// The limits are the same for who writes a tree and who reads one.
enum TreeFormat {
    static let magic = Array("VOLTTREE".utf8)
    static let version: UInt8 = 1
    /// Directories in each other, the root among them.
    static let depth = 2048
    /// The longest record, in bytes.
    static let longest = 1 << 20
    /// The largest number of an owner: for the kernel the next one means to leave the owner as it is.
    static let largestOwner = UInt64(UInt32.max) - 1
    /// The longest name, of a file and of an extended attribute, in bytes.
    static let longestName = 255
    /// The longest path from the root, and the longest target of a link, in bytes.
    static let longestPath = 4095
    /// The most extended attributes of a file.
    static let mostAttributes = 1024
    /// The longest value of an extended attribute, in bytes.
    static let longestValue = 65536
    /// The largest numbers of a device: those of the kernel.
    static let largestMajor: UInt32 = 0xfff
    static let largestMinor: UInt32 = 0xfffff

    static func begin(_ writer: inout ByteWriter) {
        writer.raw(magic)
        writer.byte(version)
    }

    static func end(_ writer: inout ByteWriter) {
        writer.byte(1)
        writer.byte(0)
    }

    /// - Throws: `FormatError` for an entry that no reader would take.
    static func write(_ entry: TreeEntry, to writer: inout ByteWriter, scratch: inout ByteWriter)
        throws(FormatError)
    {
        try check(entry)
        scratch.removeAll()
        scratch.byte(kind(entry))
        scratch.sized(entry.name)
        if case .hardLink(let path) = entry.kind {
            scratch.sized(path)
        } else {
            scratch.varint(UInt64(entry.mode))
            scratch.varint(UInt64(entry.user))
            scratch.varint(UInt64(entry.group))
            scratch.signed(entry.seconds)
            scratch.varint(UInt64(entry.nanoseconds))
            scratch.varint(UInt64(entry.extended.count))
            for attribute in entry.extended {
                scratch.sized(attribute.name)
                scratch.sized(attribute.value)
            }
            switch entry.kind {
            case .file(let size, let digest):
                scratch.varint(size)
                if size > 0 { scratch.digest(digest) }
            case .link(let target): scratch.sized(target)
            case .characterDevice(let major, let minor), .blockDevice(let major, let minor):
                scratch.varint(UInt64(major))
                scratch.varint(UInt64(minor))
            case .directory, .pipe, .socket, .hardLink: break
            }
        }
        guard scratch.count <= longest else {
            throw FormatError("has extended attributes of more than \(longest >> 20) MiB together")
        }
        writer.varint(UInt64(scratch.count))
        writer.raw(scratch.bytes)
    }

    private static func check(_ entry: TreeEntry) throws(FormatError) {
        guard entry.name.count <= longestName else {
            throw FormatError("has a name of more than \(longestName) bytes")
        }
        guard entry.mode <= 0o7777, entry.nanoseconds <= 999_999_999 else {
            throw FormatError("has a mode or a time that is not one")
        }
        guard entry.extended.count <= mostAttributes else {
            throw FormatError("has more than \(mostAttributes) extended attributes")
        }
        for attribute in entry.extended {
            guard (1...longestName).contains(attribute.name.count) else {
                throw FormatError("has an extended attribute with a name of more than \(longestName) bytes")
            }
            guard attribute.value.count <= longestValue else {
                throw FormatError("has an extended attribute of more than \(longestValue) bytes")
            }
        }
        switch entry.kind {
        case .link(let target), .hardLink(let target):
            guard (1...longestPath).contains(target.count) else {
                throw FormatError("has a target of more than \(longestPath) bytes, or none")
            }
        case .file(let size, _):
            guard size <= UInt64(Int64.max) else { throw FormatError("has a size of more than 63 bits") }
        case .characterDevice(let major, let minor), .blockDevice(let major, let minor):
            guard major <= largestMajor, minor <= largestMinor else {
                throw FormatError("is a device with a number that is too large")
            }
        case .directory, .pipe, .socket: break
        }
    }

    private static func kind(_ entry: TreeEntry) -> UInt8 {
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
    }

    /// Reads one record without its length; nil for the end of a directory.
    static func read(_ bytes: UnsafeRawBufferPointer) throws(FormatError) -> TreeEntry? {
        var reader = ByteReader(bytes)
        let kind = try reader.byte()
        if kind == 0 {
            guard reader.isAtEnd else { throw FormatError("has an end with something behind it") }
            return nil
        }
        guard (1...8).contains(kind) else { throw FormatError("has an entry of kind \(kind)") }
        var entry = TreeEntry(name: try reader.sized("a name", upTo: UInt64(longestName)), kind: .pipe)
        if kind == 4 {
            entry.kind = .hardLink(try path(try reader.sized("a path", upTo: UInt64(longestPath))))
        } else {
            entry.mode = UInt32(try reader.number("a mode", upTo: 0o7777))
            entry.user = UInt32(try reader.number("a user", upTo: largestOwner))
            entry.group = UInt32(try reader.number("a group", upTo: largestOwner))
            entry.seconds = try reader.signed()
            entry.nanoseconds = UInt32(try reader.number("nanoseconds", upTo: 999_999_999))
            for _ in 0..<(try reader.number("attributes", upTo: UInt64(mostAttributes))) {
                let name = try reader.sized("the name of an attribute", upTo: UInt64(longestName))
                guard !name.isEmpty, !name.contains(0) else {
                    throw FormatError("has an attribute without a name")
                }
                if let last = entry.extended.last, !last.name.lexicographicallyPrecedes(name) {
                    throw FormatError("has attributes out of order")
                }
                entry.extended.append(
                    .init(name: name, value: try reader.sized("an attribute", upTo: UInt64(longestValue))))
            }
            entry.kind = try content(kind, &reader)
        }
        guard reader.isAtEnd else { throw FormatError("has an entry with something behind it") }
        return entry
    }

    private static func content(_ kind: UInt8, _ reader: inout ByteReader) throws(FormatError)
        -> TreeEntry.Kind
    {
        switch kind {
        case 1: return .directory
        case 2:
            let size = try reader.number("a size", upTo: UInt64(Int64.max))
            return .file(size: size, digest: size > 0 ? try reader.digest() : .zero)
        case 3:
            let target = try reader.sized("a target", upTo: UInt64(longestPath))
            guard !target.isEmpty, !target.contains(0) else {
                throw FormatError("has a link without a target")
            }
            return .link(target)
        case 5, 6:
            let major = UInt32(try reader.number("a device", upTo: UInt64(largestMajor)))
            let minor = UInt32(try reader.number("a device", upTo: UInt64(largestMinor)))
            return kind == 5
                ? .characterDevice(major: major, minor: minor) : .blockDevice(major: major, minor: minor)
        case 7: return .pipe
        default: return .socket
        }
    }

    static func checkName(_ name: [UInt8]) throws(FormatError) {
        guard !name.isEmpty, !name.contains(0), !name.contains(UInt8(ascii: "/")), name != [46],
            name != [46, 46]
        else { throw FormatError("has a name that is not one") }
    }

    private static func path(_ path: [UInt8]) throws(FormatError) -> [UInt8] {
        for name in path.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false) {
            try checkName(Array(name))
        }
        return path
    }
}
