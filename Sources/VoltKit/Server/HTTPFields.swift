internal import Glibc

/// The header fields of a request: the bytes of the head as they came, and where each name and value is. A text is
/// made only of what somebody asks for.
struct HTTPFields: Sendable {
    /// Where a field is in the bytes.
    struct Field: Sendable {
        var name: Range<Int32>
        var value: Range<Int32>
    }

    private let bytes: [UInt8]
    private let list: [Field]

    /// - Parameters:
    ///   - head: copied.
    ///   - list: the fields in their order.
    init(_ head: UnsafeRawBufferPointer, _ list: [Field]) {
        bytes = [UInt8](head)
        self.list = list
    }

    /// All fields, in their order.
    var all: [(name: String, value: String)] { list.map { (text($0.name), text($0.value)) } }

    /// The first field of a name, in any case.
    func first(_ name: String) -> String? {
        for field in list where matches(field, name) { return text(field.value) }
        return nil
    }

    /// All fields of a name, in any case.
    func values(_ name: String) -> [String] {
        var found: [String] = []
        for field in list where matches(field, name) { found.append(text(field.value)) }
        return found
    }

    /// How many fields have a name, in any case.
    func count(_ name: String) -> Int {
        var count = 0
        for field in list where matches(field, name) { count += 1 }
        return count
    }

    private func text(_ range: Range<Int32>) -> String {
        String(decoding: bytes[Int(range.lowerBound)..<Int(range.upperBound)], as: UTF8.self)
    }

    private func matches(_ field: Field, _ name: String) -> Bool {
        guard field.name.count == name.utf8.count else { return false }
        var index = Int(field.name.lowerBound)
        for byte in name.utf8 {
            guard ASCII.lowercase(bytes[index]) == ASCII.lowercase(byte) else { return false }
            index += 1
        }
        return true
    }
}

/// The bytes that HTTP is written in.
enum ASCII {
    static let tab: UInt8 = 9
    static let lineFeed: UInt8 = 10
    static let carriageReturn: UInt8 = 13
    static let space: UInt8 = 32

    /// A letter of A to Z as its small one, any other byte as it is.
    @inline(__always) static func lowercase(_ byte: UInt8) -> UInt8 { byte &- 65 < 26 ? byte | 32 : byte }

    /// Whether a byte may be in a method or a name of a field (RFC 9110, section 5.6.2).
    @inline(__always) static func isToken(_ byte: UInt8) -> Bool {
        if byte < 64 { return 0x03FF_6CFA_0000_0000 as UInt64 >> UInt64(byte) & 1 == 1 }
        return byte < 128 && 0x57FF_FFFF_C7FF_FFFE as UInt64 >> UInt64(byte - 64) & 1 == 1
    }

    /// Whether a byte may be in the value of a field (RFC 9110, section 5.5).
    @inline(__always) static func isValue(_ byte: UInt8) -> Bool { byte >= 32 && byte != 127 || byte == tab }

    /// Whether bytes are a text of small letters, in any case.
    static func equals(_ bytes: UnsafeRawBufferPointer, _ text: StaticString) -> Bool {
        guard bytes.count == text.utf8CodeUnitCount else { return false }
        for index in 0..<bytes.count where lowercase(bytes[index]) != text.utf8Start[index] { return false }
        return true
    }

    /// The first place of a byte from an index on.
    static func find(_ byte: UInt8, in bytes: UnsafeRawBufferPointer, from index: Int) -> Int? {
        guard index < bytes.count, let base = bytes.baseAddress,
            let found = memchr(base + index, Int32(byte), bytes.count - index)
        else { return nil }
        return UnsafeRawPointer(found) - base
    }
}
