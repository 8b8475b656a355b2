/// A part of a JSON payload (RFC 8259).
indirect enum Payload: Equatable {
    case null
    case boolean(Bool)
    case number
    case string(String)
    case array([Payload])
    case object([String: Payload])

    /// A member of an object; nil for anything else, so that every field of a payload is optional.
    subscript(key: String) -> Payload? {
        guard case .object(let members) = self else { return nil }
        return members[key]
    }

    /// The text of a string.
    var text: String? {
        guard case .string(let text) = self else { return nil }
        return text
    }

    /// The value of a boolean.
    var boolean: Bool? {
        guard case .boolean(let value) = self else { return nil }
        return value
    }

    /// The elements of an array.
    var elements: [Payload]? {
        guard case .array(let elements) = self else { return nil }
        return elements
    }
}

/// Reads a payload whole, but keeps only the members with wanted names: what a provider adds costs a
/// scan and no memory.
package struct PayloadReader {
    /// The payload is not JSON, or nested deeper or with more values than any provider's.
    package struct Malformed: Error {}

    /// No provider nests deeper than 8.
    static let depthLimit = 64
    /// How many values may be kept: a push of 5,000 refs has about 50,000.
    static let keptLimit = 100_000

    private let bytes: UnsafeBufferPointer<UInt8>
    private let wanted: Set<String>
    private var index = 0
    private var depth = 0
    private var kept = 0

    /// Reads a payload.
    ///
    /// - Parameter wanted: the names of the members to keep, at any depth.
    static func read(_ bytes: [UInt8], keeping wanted: Set<String>) throws(Malformed) -> Payload {
        do {
            return try bytes.withUnsafeBufferPointer { buffer in
                var reader = PayloadReader(bytes: buffer, wanted: wanted)
                let value = try reader.value()
                reader.space()
                guard reader.index == buffer.count else { throw Malformed() }
                return value
            }
        } catch { throw Malformed() }
    }

    private init(bytes: UnsafeBufferPointer<UInt8>, wanted: Set<String>) {
        self.bytes = bytes
        self.wanted = wanted
    }

    private mutating func space() {
        while index < bytes.count {
            switch bytes[index] {
            case 32, 9, 10, 13: index += 1
            default: return
            }
        }
    }

    private mutating func value() throws(Malformed) -> Payload {
        space()
        kept += 1
        guard index < bytes.count, kept <= Self.keptLimit else { throw Malformed() }
        switch bytes[index] {
        case UInt8(ascii: "{"): return try object()
        case UInt8(ascii: "["): return try array()
        case UInt8(ascii: "\""): return .string(try string(keep: true) ?? "")
        case UInt8(ascii: "t"):
            try word("true")
            return .boolean(true)
        case UInt8(ascii: "f"):
            try word("false")
            return .boolean(false)
        case UInt8(ascii: "n"):
            try word("null")
            return .null
        default:
            try number()
            return .number
        }
    }

    /// Reads a value that is not kept: by the same rules, without memory.
    private mutating func skip() throws(Malformed) {
        space()
        guard index < bytes.count else { throw Malformed() }
        switch bytes[index] {
        case UInt8(ascii: "{"): try skipMembers(until: UInt8(ascii: "}"), named: true)
        case UInt8(ascii: "["): try skipMembers(until: UInt8(ascii: "]"), named: false)
        case UInt8(ascii: "\""): _ = try string(keep: false)
        case UInt8(ascii: "t"): try word("true")
        case UInt8(ascii: "f"): try word("false")
        case UInt8(ascii: "n"): try word("null")
        default: try number()
        }
    }

    private mutating func skipMembers(until end: UInt8, named: Bool) throws(Malformed) {
        try enter()
        defer { depth -= 1 }
        if takes(end) { return }
        while true {
            if named { _ = try name(keep: false) }
            try skip()
            if takes(UInt8(ascii: ",")) { continue }
            guard takes(end) else { throw Malformed() }
            return
        }
    }

    private mutating func word(_ text: StaticString) throws(Malformed) {
        let count = text.utf8CodeUnitCount
        guard index + count <= bytes.count else { throw Malformed() }
        for offset in 0..<count where bytes[index + offset] != text.utf8Start[offset] { throw Malformed() }
        index += count
    }

    private mutating func digits() throws(Malformed) {
        let start = index
        while index < bytes.count, (48...57).contains(bytes[index]) { index += 1 }
        guard index > start else { throw Malformed() }
    }

    private mutating func number() throws(Malformed) {
        if bytes[index] == UInt8(ascii: "-") { index += 1 }
        if index < bytes.count, bytes[index] == UInt8(ascii: "0") { index += 1 } else { try digits() }
        if index < bytes.count, bytes[index] == UInt8(ascii: ".") {
            index += 1
            try digits()
        }
        if index < bytes.count, bytes[index] | 32 == UInt8(ascii: "e") {
            index += 1
            if index < bytes.count, bytes[index] == UInt8(ascii: "+") || bytes[index] == UInt8(ascii: "-") {
                index += 1
            }
            try digits()
        }
    }

    private mutating func enter() throws(Malformed) {
        index += 1
        depth += 1
        guard depth <= Self.depthLimit else { throw Malformed() }
    }

    /// Steps over `end` when it comes next.
    private mutating func takes(_ byte: UInt8) -> Bool {
        space()
        guard index < bytes.count, bytes[index] == byte else { return false }
        index += 1
        return true
    }

    private mutating func object() throws(Malformed) -> Payload {
        try enter()
        defer { depth -= 1 }
        var members: [String: Payload] = [:]
        if takes(UInt8(ascii: "}")) { return .object(members) }
        while true {
            if let name = try name(keep: true), wanted.contains(name) {
                members[name] = try value()
            } else {
                try skip()
            }
            if takes(UInt8(ascii: ",")) { continue }
            guard takes(UInt8(ascii: "}")) else { throw Malformed() }
            return .object(members)
        }
    }

    /// Reads the name of a member and the colon behind it.
    private mutating func name(keep: Bool) throws(Malformed) -> String? {
        space()
        guard index < bytes.count, bytes[index] == UInt8(ascii: "\"") else { throw Malformed() }
        let name = try string(keep: keep)
        guard takes(UInt8(ascii: ":")) else { throw Malformed() }
        return name
    }

    private mutating func array() throws(Malformed) -> Payload {
        try enter()
        defer { depth -= 1 }
        var elements: [Payload] = []
        if takes(UInt8(ascii: "]")) { return .array(elements) }
        while true {
            elements.append(try value())
            if takes(UInt8(ascii: ",")) { continue }
            guard takes(UInt8(ascii: "]")) else { throw Malformed() }
            return .array(elements)
        }
    }

    /// Reads a string; nil when it is not kept.
    private mutating func string(keep: Bool) throws(Malformed) -> String? {
        index += 1
        let start = index
        while index < bytes.count {
            skipPlain()
            guard index < bytes.count else { break }
            switch bytes[index] {
            case UInt8(ascii: "\""):
                defer { index += 1 }
                guard keep else { return nil }
                return String(decoding: bytes[start..<index], as: UTF8.self)
            case UInt8(ascii: "\\"):
                index = start
                return try escapedString(keep: keep)
            case 0..<32: throw Malformed()
            default: index += 1
            }
        }
        throw Malformed()
    }

    /// Steps over eight bytes at a time that neither end a string nor mean something in it.
    private mutating func skipPlain() {
        guard let base = bytes.baseAddress else { return }
        let ones: UInt64 = 0x0101_0101_0101_0101
        let highs: UInt64 = 0x8080_8080_8080_8080
        while bytes.count - index >= 8 {
            let word = UnsafeRawPointer(base + index).loadUnaligned(as: UInt64.self)
            let quotes = word ^ (ones &* 0x22)
            let slashes = word ^ (ones &* 0x5c)
            // The high bit of a byte that is less than 32, a quote or a backslash; of a later one perhaps too.
            let controls = (word &- ones &* 0x20) & ~word
            let found = (controls | (quotes &- ones) & ~quotes | (slashes &- ones) & ~slashes) & highs
            guard found == 0 else {
                index += found.trailingZeroBitCount >> 3
                return
            }
            index += 8
        }
    }

    private mutating func escapedString(keep: Bool) throws(Malformed) -> String? {
        var text: [UInt8] = []
        while index < bytes.count {
            let byte = bytes[index]
            index += 1
            switch byte {
            case UInt8(ascii: "\""): return keep ? String(decoding: text, as: UTF8.self) : nil
            case UInt8(ascii: "\\"):
                guard index < bytes.count else { throw Malformed() }
                let escape = bytes[index]
                index += 1
                switch escape {
                case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): text.append(escape)
                case UInt8(ascii: "b"): text.append(8)
                case UInt8(ascii: "f"): text.append(12)
                case UInt8(ascii: "n"): text.append(10)
                case UInt8(ascii: "r"): text.append(13)
                case UInt8(ascii: "t"): text.append(9)
                case UInt8(ascii: "u"): text.append(contentsOf: String(try unicode()).utf8)
                default: throw Malformed()
                }
            case 0..<32: throw Malformed()
            default: if keep { text.append(byte) }
            }
        }
        throw Malformed()
    }

    /// The scalar after `\u`, of two escapes when the first is a surrogate; a lone surrogate is U+FFFD.
    private mutating func unicode() throws(Malformed) -> Unicode.Scalar {
        let replacement: Unicode.Scalar = "\u{FFFD}"
        let first = try hexadecimal()
        guard (0xD800..<0xDC00).contains(first) else { return Unicode.Scalar(first) ?? replacement }
        guard index + 1 < bytes.count, bytes[index] == UInt8(ascii: "\\"),
            bytes[index + 1] == UInt8(ascii: "u")
        else { return replacement }
        index += 2
        let second = try hexadecimal()
        guard (0xDC00..<0xE000).contains(second) else { return replacement }
        return Unicode.Scalar(0x10000 + (first - 0xD800) << 10 + (second - 0xDC00)) ?? replacement
    }

    private mutating func hexadecimal() throws(Malformed) -> UInt32 {
        guard index + 4 <= bytes.count else { throw Malformed() }
        var value: UInt32 = 0
        for _ in 0..<4 {
            guard let digit = Character(Unicode.Scalar(bytes[index])).hexDigitValue else { throw Malformed() }
            value = value << 4 | UInt32(digit)
            index += 1
        }
        return value
    }
}
