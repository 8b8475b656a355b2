/// Reads one JSON text by recursive descent.
struct JSONReader {
    private let bytes: [UInt8]
    private var offset = 0
    private var depth = 0

    init(_ bytes: [UInt8]) { self.bytes = bytes }

    mutating func text() throws(JSONFailure) -> JSONValue {
        let value = try element()
        guard offset == bytes.count else { throw failure("has more after the value") }
        return value
    }

    private func failure(_ reason: String) -> JSONFailure { JSONFailure(offset: offset, reason: reason) }

    private var next: UInt8? { offset < bytes.count ? bytes[offset] : nil }

    private mutating func skipSpace() {
        while let byte = next, byte == 0x20 || byte == 0x09 || byte == 0x0a || byte == 0x0d { offset += 1 }
    }

    /// A value with the space around it.
    private mutating func element() throws(JSONFailure) -> JSONValue {
        skipSpace()
        guard let byte = next else { throw failure("ends too early") }
        let value: JSONValue
        switch byte {
        case UInt8(ascii: "{"): value = try nested { reader throws(JSONFailure) in try reader.object() }
        case UInt8(ascii: "["): value = try nested { reader throws(JSONFailure) in try reader.array() }
        case UInt8(ascii: "\""): value = .string(try string())
        case UInt8(ascii: "t"): value = try word("true", .bool(true))
        case UInt8(ascii: "f"): value = try word("false", .bool(false))
        case UInt8(ascii: "n"): value = try word("null", .null)
        default: value = .number(try number())
        }
        skipSpace()
        return value
    }

    private mutating func nested(
        _ body: (inout JSONReader) throws(JSONFailure) -> JSONValue
    ) throws(JSONFailure) -> JSONValue {
        guard depth < JSONValue.maximumDepth else {
            throw failure("is nested more than \(JSONValue.maximumDepth) deep")
        }
        depth += 1
        defer { depth -= 1 }
        offset += 1
        return try body(&self)
    }

    private mutating func word(_ text: String, _ value: JSONValue) throws(JSONFailure) -> JSONValue {
        guard bytes[offset...].starts(with: text.utf8) else { throw failure("is not JSON") }
        offset += text.utf8.count
        return value
    }

    private mutating func take(_ byte: UInt8) -> Bool {
        guard next == byte else { return false }
        offset += 1
        return true
    }

    private mutating func object() throws(JSONFailure) -> JSONValue {
        var members: [String: JSONValue] = [:]
        skipSpace()
        if take(UInt8(ascii: "}")) { return .object(members) }
        repeat {
            skipSpace()
            guard next == UInt8(ascii: "\"") else { throw failure("lacks a member's name") }
            let name = try string()
            skipSpace()
            guard take(UInt8(ascii: ":")) else { throw failure("lacks a ':'") }
            let value = try element()
            guard members.updateValue(value, forKey: name) == nil else {
                throw failure("has the member '\(name)' twice")
            }
        } while take(UInt8(ascii: ","))
        guard take(UInt8(ascii: "}")) else { throw failure("lacks a ',' or '}'") }
        return .object(members)
    }

    private mutating func array() throws(JSONFailure) -> JSONValue {
        var elements: [JSONValue] = []
        skipSpace()
        if take(UInt8(ascii: "]")) { return .array(elements) }
        repeat { elements.append(try element()) } while take(UInt8(ascii: ","))
        guard take(UInt8(ascii: "]")) else { throw failure("lacks a ',' or ']'") }
        return .array(elements)
    }

    private mutating func digits() throws(JSONFailure) {
        let start = offset
        while let byte = next, (0x30...0x39).contains(byte) { offset += 1 }
        guard offset > start else { throw failure("is not JSON") }
    }

    private mutating func number() throws(JSONFailure) -> String {
        let start = offset
        _ = take(UInt8(ascii: "-"))
        if take(UInt8(ascii: "0")) {
            if let byte = next, (0x30...0x39).contains(byte) {
                throw failure("has a number that begins with 0")
            }
        } else {
            try digits()
        }
        if take(UInt8(ascii: ".")) { try digits() }
        if take(UInt8(ascii: "e")) || take(UInt8(ascii: "E")) {
            if !take(UInt8(ascii: "+")) { _ = take(UInt8(ascii: "-")) }
            try digits()
        }
        return String(decoding: bytes[start..<offset], as: UTF8.self)
    }

    private mutating func string() throws(JSONFailure) -> String {
        offset += 1
        let start = offset
        var content: [UInt8] = []
        while let byte = next {
            switch byte {
            case UInt8(ascii: "\""):
                guard let text = String(validating: content, as: UTF8.self) else {
                    throw JSONFailure(offset: start, reason: "has a string that is not UTF-8")
                }
                offset += 1
                return text
            case UInt8(ascii: "\\"):
                offset += 1
                content.append(contentsOf: try escape())
            case 0..<0x20: throw failure("has a control character in a string")
            default:
                content.append(byte)
                offset += 1
            }
        }
        throw failure("ends in a string")
    }

    /// What follows a backslash, as UTF-8.
    private mutating func escape() throws(JSONFailure) -> [UInt8] {
        guard let byte = next else { throw failure("ends in a string") }
        let simple: [UInt8: UInt8] = [
            UInt8(ascii: "\""): 0x22, UInt8(ascii: "\\"): 0x5c, UInt8(ascii: "/"): 0x2f,
            UInt8(ascii: "b"): 0x08,
            UInt8(ascii: "f"): 0x0c, UInt8(ascii: "n"): 0x0a, UInt8(ascii: "r"): 0x0d,
            UInt8(ascii: "t"): 0x09,
        ]
        if let replacement = simple[byte] {
            offset += 1
            return [replacement]
        }
        guard byte == UInt8(ascii: "u") else { throw failure("has an unknown escape") }
        var code = try unit()
        if (0xd800..<0xdc00).contains(code) {
            guard bytes[offset...].starts(with: "\\u".utf8) else {
                throw failure("has half a surrogate pair")
            }
            offset += 1
            let low = try unit()
            guard (0xdc00..<0xe000).contains(low) else { throw failure("has half a surrogate pair") }
            code = 0x10000 + (code - 0xd800) << 10 + (low - 0xdc00)
        }
        guard let scalar = Unicode.Scalar(code) else { throw failure("has half a surrogate pair") }
        return Array(String(Character(scalar)).utf8)
    }

    /// `uXXXX`: a UTF-16 code unit.
    private mutating func unit() throws(JSONFailure) -> UInt32 {
        let digits = bytes[offset...].dropFirst().prefix(4)
        guard digits.count == 4, digits.allSatisfy({ Unicode.Scalar($0).properties.isASCIIHexDigit }),
            let code = UInt32(String(decoding: digits, as: UTF8.self), radix: 16)
        else { throw failure("has an unknown escape") }
        offset += 5
        return code
    }
}
