internal import CArchive
internal import Glibc

/// Access control lists: the kernel has them as extended attributes (linux/posix_acl_xattr.h), pax archives as texts that
/// libarchive writes and reads, as GNU tar, bsdtar and star do (`SCHILY.acl.access`, `SCHILY.acl.default`).
enum AccessLists {
    static let access = Array("system.posix_acl_access".utf8)
    static let standard = Array("system.posix_acl_default".utf8)

    private static let version: UInt32 = 2
    private static let entryCount = 8
    /// The tags of the kernel and of libarchive.
    private static let tags: [(kernel: UInt16, archive: Int32)] = [
        (0x01, ARCHIVE_ENTRY_ACL_USER_OBJ), (0x02, ARCHIVE_ENTRY_ACL_USER),
        (0x04, ARCHIVE_ENTRY_ACL_GROUP_OBJ),
        (0x08, ARCHIVE_ENTRY_ACL_GROUP), (0x10, ARCHIVE_ENTRY_ACL_MASK), (0x20, ARCHIVE_ENTRY_ACL_OTHER),
    ]

    private static func type(_ name: [UInt8]) -> Int32? {
        name == access
            ? ARCHIVE_ENTRY_ACL_TYPE_ACCESS : name == standard ? ARCHIVE_ENTRY_ACL_TYPE_DEFAULT : nil
    }

    /// Gives an entry of an archive the list that an attribute has.
    ///
    /// - Returns: false when the attribute is not a list.
    static func add(_ name: [UInt8], _ value: [UInt8], to entry: OpaquePointer) -> Bool {
        guard let type = type(name), value.count >= 4, (value.count - 4) % entryCount == 0 else {
            return false
        }
        return value.withUnsafeBytes { bytes in
            guard UInt32(littleEndian: bytes.loadUnaligned(as: UInt32.self)) == version else { return false }
            for place in stride(from: 4, to: bytes.count, by: entryCount) {
                let tag = UInt16(littleEndian: bytes.loadUnaligned(fromByteOffset: place, as: UInt16.self))
                let rights = UInt16(
                    littleEndian: bytes.loadUnaligned(fromByteOffset: place + 2, as: UInt16.self))
                let number = UInt32(
                    littleEndian: bytes.loadUnaligned(fromByteOffset: place + 4, as: UInt32.self))
                guard let known = tags.first(where: { $0.kernel == tag }), rights <= 7 else { return false }
                let isNamed = known.kernel == 0x02 || known.kernel == 0x08
                guard
                    archive_entry_acl_add_entry(
                        entry, type, Int32(rights), known.archive, isNamed ? Int32(bitPattern: number) : -1,
                        nil)
                        == ARCHIVE_OK
                else { return false }
            }
            return true
        }
    }

    /// The attributes with the lists of an entry of an archive.
    ///
    /// - Returns: nil when a list has users or groups without their numbers.
    static func attributes(of entry: OpaquePointer) -> [[UInt8]: [UInt8]]? {
        var found: [[UInt8]: [UInt8]] = [:]
        for name in [access, standard] {
            guard let type = type(name), archive_entry_acl_count(entry, type) > 0 else { continue }
            archive_entry_acl_reset(entry, type)
            var list: [(tag: UInt16, rights: UInt16, number: UInt32)] = []
            var (kind, rights, tag, number): (Int32, Int32, Int32, Int32) = (0, 0, 0, 0)
            var text: UnsafePointer<CChar>?
            while archive_entry_acl_next(entry, type, &kind, &rights, &tag, &number, &text) == ARCHIVE_OK {
                guard let known = tags.first(where: { $0.archive == tag }) else { continue }
                let isNamed = known.kernel == 0x02 || known.kernel == 0x08
                guard !isNamed || number >= 0 else { return nil }
                list.append(
                    (known.kernel, UInt16(rights & 7), isNamed ? UInt32(bitPattern: number) : UInt32.max))
            }
            // The kernel takes them in the order of their tags.
            list.sort { ($0.tag, $0.number) < ($1.tag, $1.number) }
            var value: [UInt8] = []
            func add(_ number: some FixedWidthInteger) {
                withUnsafeBytes(of: number.littleEndian) { value.append(contentsOf: $0) }
            }
            add(version)
            for item in list {
                add(item.tag)
                add(item.rights)
                add(item.number)
            }
            found[name] = value
        }
        return found
    }
}

/// Names of extended attributes as libarchive gives them.
enum AttributeNames {
    /// libarchive writes each attribute twice, and in one of both with a name in which each byte that is not plain is `%XX`:
    /// read back, those would be attributes of their own. GNU tar writes each once, with `%25` and `%3D` for `%` and `=`.
    static func decoded(_ all: [(name: [UInt8], value: [UInt8])]) -> [[UInt8]: [UInt8]] {
        var counts: [[UInt8]: Int] = [:]
        var values: [[UInt8]: [UInt8]] = [:]
        for (name, value) in all {
            counts[name, default: 0] += 1
            values[name] = value
        }
        var found: [[UInt8]: [UInt8]] = [:]
        // A name with codes is longer than the one it stands for.
        for name in counts.keys.sorted(by: { $0.count < $1.count }) {
            guard let count = counts[name], count > 0, let value = values[name] else { continue }
            let code = encoded(name)
            if code != name, let other = counts[code], other > 0, values[code] == value {
                counts[code] = other - 1
                found[name] = value
            } else {
                found[count == 1 ? withoutCodes(name) : name] = value
            }
        }
        return found
    }

    /// As GNU tar writes it.
    private static func withoutCodes(_ name: [UInt8]) -> [UInt8] {
        var result: [UInt8] = []
        var rest = name[...]
        while let first = rest.first {
            let code = rest.prefix(3)
            let byte: UInt8? = code == [37, 50, 53] ? 37 : code == [37, 51, 68] ? 61 : nil
            result.append(byte ?? first)
            rest = rest.dropFirst(byte == nil ? 1 : 3)
        }
        return result
    }

    /// As url_encode of libarchive does it.
    private static func encoded(_ name: [UInt8]) -> [UInt8] {
        name.flatMap { byte -> [UInt8] in
            guard byte < 33 || byte > 126 || byte == UInt8(ascii: "%") || byte == UInt8(ascii: "=") else {
                return [byte]
            }
            let digits = Array("0123456789ABCDEF".utf8)
            return [UInt8(ascii: "%"), digits[Int(byte >> 4)], digits[Int(byte & 15)]]
        }
    }
}
