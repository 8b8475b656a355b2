internal import VoltCore

/// Numbers and texts in the formats of the store: little-endian, or LEB128 where it says varint.
struct ByteWriter {
    private(set) var bytes: [UInt8] = []

    init(capacity: Int = 0) { bytes.reserveCapacity(capacity) }

    var count: Int { bytes.count }

    mutating func removeAll() { bytes.removeAll(keepingCapacity: true) }

    mutating func byte(_ value: UInt8) { bytes.append(value) }

    mutating func fixed(_ value: some FixedWidthInteger) {
        withUnsafeBytes(of: value.littleEndian) { bytes.append(contentsOf: $0) }
    }

    mutating func varint(_ value: UInt64) {
        var rest = value
        while rest >= 0x80 {
            bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        bytes.append(UInt8(rest))
    }

    /// Zigzag, so that small negative numbers are short.
    mutating func signed(_ value: Int64) { varint(UInt64(bitPattern: (value << 1) ^ (value >> 63))) }

    mutating func raw(_ value: some Sequence<UInt8>) { bytes.append(contentsOf: value) }

    /// The length as a varint, then the bytes.
    mutating func sized(_ value: some Collection<UInt8>) {
        varint(UInt64(value.count))
        bytes.append(contentsOf: value)
    }

    mutating func digest(_ value: BinaryDigest) { value.withBytes { bytes.append(contentsOf: $0) } }
}

/// What the bytes of the store say that they cannot mean.
struct FormatError: Error, Equatable {
    let reason: String

    init(_ reason: String) { self.reason = reason }
}

/// Reads what `ByteWriter` writes; any bytes are safe.
struct ByteReader {
    private let bytes: UnsafeRawBufferPointer
    private(set) var offset = 0

    init(_ bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

    var isAtEnd: Bool { offset == bytes.count }
    var left: Int { bytes.count - offset }

    mutating func byte() throws(FormatError) -> UInt8 {
        guard offset < bytes.count else { throw FormatError("ends too early") }
        defer { offset += 1 }
        return bytes[offset]
    }

    mutating func fixed<Value: FixedWidthInteger>(_ type: Value.Type) throws(FormatError) -> Value {
        guard left >= MemoryLayout<Value>.size else { throw FormatError("ends too early") }
        defer { offset += MemoryLayout<Value>.size }
        return Value(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: Value.self))
    }

    /// A number in its shortest form: a longer one would be a second name for the same tree.
    mutating func varint() throws(FormatError) -> UInt64 {
        var value: UInt64 = 0
        var shift: UInt64 = 0
        while true {
            let next = try byte()
            guard shift < 63 || next <= 1 else { throw FormatError("has a number larger than 64 bits") }
            value |= UInt64(next & 0x7f) << shift
            if next < 0x80 {
                guard next != 0 || shift == 0 else {
                    throw FormatError("has a number that is not in its shortest form")
                }
                return value
            }
            shift += 7
        }
    }

    mutating func signed() throws(FormatError) -> Int64 {
        let value = try varint()
        return Int64(bitPattern: (value >> 1) ^ (0 &- (value & 1)))
    }

    /// A number that has to be at most the limit.
    mutating func number(_ what: String, upTo limit: UInt64) throws(FormatError) -> UInt64 {
        let value = try varint()
        guard value <= limit else { throw FormatError("has \(what) larger than \(limit)") }
        return value
    }

    mutating func raw(_ count: Int) throws(FormatError) -> UnsafeRawBufferPointer {
        guard count >= 0, left >= count else { throw FormatError("ends too early") }
        defer { offset += count }
        return UnsafeRawBufferPointer(rebasing: bytes[offset..<offset + count])
    }

    mutating func sized(_ what: String, upTo limit: UInt64) throws(FormatError) -> [UInt8] {
        Array(try raw(Int(try number(what, upTo: limit))))
    }

    mutating func digest() throws(FormatError) -> BinaryDigest {
        let part = try raw(BinaryDigest.count)
        guard let base = part.baseAddress else { throw FormatError("ends too early") }
        return BinaryDigest(base)
    }
}
