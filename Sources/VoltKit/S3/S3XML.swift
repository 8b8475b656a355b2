/// The XML of S3's answers, as far as they use it: elements with elements or text in them. Attributes are skipped;
/// what else XML has, but for CDATA, is refused.
struct S3XML {
    /// An element.
    struct Element {
        let name: String
        var text = ""
        var children: [Element] = []

        /// The first child of a name.
        subscript(name: String) -> Element? { children.first { $0.name == name } }
    }

    private enum Problem: Error { case here }
    private static let deepest = 16

    private let bytes: [UInt8]
    private var place = 0

    private init(_ bytes: [UInt8]) { self.bytes = bytes }

    /// The root; nil when the bytes are something else.
    static func parse(_ bytes: [UInt8]) -> Element? {
        var reader = S3XML(bytes)
        return try? reader.root()
    }

    private mutating func root() throws(Problem) -> Element {
        blanks()
        if bytes[place...].starts(with: "<?xml".utf8) {
            guard let end = bytes[place...].firstIndex(of: 62), bytes[end - 1] == 63 else { throw .here }
            place = end + 1
        }
        blanks()
        let element = try element(0)
        blanks()
        guard place == bytes.count else { throw .here }
        return element
    }

    private mutating func blanks() {
        while place < bytes.count, [32, 9, 10, 13].contains(bytes[place]) { place += 1 }
    }

    private mutating func take(_ byte: UInt8) throws(Problem) {
        guard place < bytes.count, bytes[place] == byte else { throw .here }
        place += 1
    }

    private mutating func name() throws(Problem) -> String {
        let start = place
        while place < bytes.count, Self.isName(bytes[place]) { place += 1 }
        guard place > start else { throw .here }
        return String(decoding: bytes[start..<place], as: UTF8.self)
    }

    private static func isName(_ byte: UInt8) -> Bool {
        (48...58).contains(byte) || (65...90).contains(byte) || (97...122).contains(byte) || byte == 45
            || byte == 46 || byte == 95
    }

    private mutating func element(_ depth: Int) throws(Problem) -> Element {
        guard depth < Self.deepest else { throw .here }
        try take(60)
        var element = Element(name: try name())
        if try attributes() { return element }
        while true {
            guard place < bytes.count else { throw .here }
            if bytes[place] != 60 {
                element.text += try text()
            } else if bytes[place...].starts(with: Self.cdata) {
                element.text += try plain()
            } else if place + 1 < bytes.count, bytes[place + 1] == 47 {
                place += 2
                guard try name() == element.name else { throw .here }
                blanks()
                try take(62)
                return element
            } else {
                element.children.append(try self.element(depth + 1))
            }
        }
    }

    /// Skips what stands behind the name; true when the element ends there.
    private mutating func attributes() throws(Problem) -> Bool {
        while true {
            blanks()
            guard place < bytes.count else { throw .here }
            if bytes[place] == 62 {
                place += 1
                return false
            }
            if bytes[place] == 47 {
                place += 1
                try take(62)
                return true
            }
            _ = try name()
            try take(61)
            guard place < bytes.count, bytes[place] == 34 || bytes[place] == 39,
                let end = bytes[(place + 1)...].firstIndex(of: bytes[place])
            else { throw .here }
            place = end + 1
        }
    }

    private static let cdata = Array("<![CDATA[".utf8)

    /// What stands in a section in which nothing is markup.
    private mutating func plain() throws(Problem) -> String {
        let start = place + Self.cdata.count
        var end = start
        while end + 2 < bytes.count, !(bytes[end] == 93 && bytes[end + 1] == 93 && bytes[end + 2] == 62) {
            end += 1
        }
        guard end + 2 < bytes.count else { throw .here }
        place = end + 3
        return String(decoding: bytes[start..<end], as: UTF8.self)
    }

    private mutating func text() throws(Problem) -> String {
        var result: [UInt8] = []
        while place < bytes.count, bytes[place] != 60 {
            guard bytes[place] == 38 else {
                result.append(bytes[place])
                place += 1
                continue
            }
            guard let end = bytes[place...].prefix(12).firstIndex(of: 59) else { throw .here }
            let entity = String(decoding: bytes[(place + 1)..<end], as: UTF8.self)
            place = end + 1
            switch entity {
            case "amp": result.append(38)
            case "lt": result.append(60)
            case "gt": result.append(62)
            case "quot": result.append(34)
            case "apos": result.append(39)
            default:
                let number =
                    entity.hasPrefix("#x")
                    ? UInt32(entity.dropFirst(2), radix: 16)
                    : entity.hasPrefix("#") ? UInt32(entity.dropFirst()) : nil
                guard let scalar = number.flatMap({ Unicode.Scalar($0) }) else { throw .here }
                result += Array(String(Character(scalar)).utf8)
            }
        }
        return String(decoding: result, as: UTF8.self)
    }
}
