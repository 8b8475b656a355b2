/// The bytes that HTTP is written in.
enum ASCII {
    static let tab: UInt8 = 9
    static let lineFeed: UInt8 = 10
    static let carriageReturn: UInt8 = 13
    static let space: UInt8 = 32

    /// A letter of A to Z as its small one, any other byte as it is.
    @inline(__always) static func lowercase(_ byte: UInt8) -> UInt8 { byte &- 65 < 26 ? byte | 32 : byte }

    /// Whether a byte may be in the name of a field (RFC 9110, section 5.6.2).
    @inline(__always) static func isToken(_ byte: UInt8) -> Bool {
        if byte < 64 { return 0x03FF_6CFA_0000_0000 as UInt64 >> UInt64(byte) & 1 == 1 }
        return byte < 128 && 0x57FF_FFFF_C7FF_FFFE as UInt64 >> UInt64(byte - 64) & 1 == 1
    }

    /// Whether a byte may be in the value of a field (RFC 9110, section 5.5).
    @inline(__always) static func isValue(_ byte: UInt8) -> Bool { byte >= 32 && byte != 127 || byte == tab }

    /// Whether a text is another of small letters, in any case.
    static func equals(_ text: some StringProtocol, _ other: StaticString) -> Bool {
        guard text.utf8.count == other.utf8CodeUnitCount else { return false }
        var next = other.utf8Start
        for byte in text.utf8 {
            guard lowercase(byte) == next.pointee else { return false }
            next += 1
        }
        return true
    }

    /// A value of a field without the space around it, which does not count (RFC 9110, section 5.5).
    static func trimmed(_ value: String) -> String {
        func isSpace(_ byte: UInt8) -> Bool { byte == space || byte == tab }
        let bytes = value.utf8
        guard let last = bytes.last, isSpace(last) || bytes.first.map(isSpace) == true else { return value }
        let rest = bytes.drop { isSpace($0) }
        guard let end = rest.lastIndex(where: { !isSpace($0) }) else { return "" }
        return String(Substring(rest[...end]))
    }
}
