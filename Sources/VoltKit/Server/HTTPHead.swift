/// A request that is not taken, and the status of its answer.
struct HTTPRefusal: Error, Equatable {
    let status: Int

    static let malformed = HTTPRefusal(status: 400)
}

/// The head of a request (RFC 9112, sections 2 to 6). It is read strictly: what two readers could take for two things
/// is refused, so that nobody in front of this server and this server see different requests.
struct HTTPHead: Sendable {
    /// How the length of the body is told.
    enum Body: Sendable, Equatable {
        case none
        case length(Int)
        case chunked
    }

    let method: String
    /// The target up to the `?`, and what follows it.
    let path: String
    let query: String
    /// Whether it is of HTTP/1.0.
    let isOld: Bool
    private(set) var keepsAlive: Bool
    /// Whether the client waits for `100 Continue` before it sends the body (RFC 9110, section 10.1.1).
    private(set) var waits = false
    private(set) var body = Body.none
    let fields: HTTPFields

    /// Where a head ends, its empty line included. A line that ends without a carriage return is refused.
    ///
    /// - Parameter scanned: so many bytes were looked at before, and had no end.
    static func end(in bytes: UnsafeRawBufferPointer, scanned: Int) throws(HTTPRefusal) -> Int? {
        var from = scanned
        while let line = ASCII.find(ASCII.lineFeed, in: bytes, from: from) {
            guard line > 0, bytes[line - 1] == ASCII.carriageReturn else { throw .malformed }
            if line >= 3, bytes[line - 2] == ASCII.lineFeed { return line + 1 }
            from = line + 1
        }
        return nil
    }

    /// Reads a head.
    ///
    /// - Parameters:
    ///   - bytes: from the method to the empty line, which is there.
    ///   - limit: of the number of fields.
    init(_ bytes: UnsafeRawBufferPointer, fields limit: Int) throws(HTTPRefusal) {
        var index = 0
        while index < bytes.count, ASCII.isToken(bytes[index]) { index += 1 }
        guard index > 0, index <= 32, index < bytes.count, bytes[index] == ASCII.space else {
            throw .malformed
        }
        method = Self.text(bytes, 0..<index)
        let start = index + 1
        guard let line = ASCII.find(ASCII.carriageReturn, in: bytes, from: start),
            bytes[line + 1] == ASCII.lineFeed
        else { throw .malformed }
        index = start
        var question: Int?
        while index < line, bytes[index] > 32, bytes[index] != 127 {
            if bytes[index] == UInt8(ascii: "?"), question == nil { question = index }
            index += 1
        }
        guard index > start, index < line, bytes[index] == ASCII.space else { throw .malformed }
        path = Self.text(bytes, start..<(question ?? index))
        query = question.map { Self.text(bytes, $0 + 1..<index) } ?? ""
        isOld = try Self.isOld(Self.part(bytes, index + 1..<line))
        keepsAlive = !isOld
        index = line + 2
        var list: [HTTPFields.Field] = []
        list.reserveCapacity(16)
        var lengths = Lengths()
        while bytes[index] != ASCII.carriageReturn {
            guard list.count < limit else { throw HTTPRefusal(status: 431) }
            let field = try Self.field(bytes, &index)
            list.append(field)
            try lengths.take(bytes, field)
        }
        // An end of line of which only the half is there.
        guard index + 2 == bytes.count else { throw .malformed }
        if lengths.closes { keepsAlive = false } else if lengths.keeps { keepsAlive = true }
        waits = lengths.waits && !isOld
        body = try lengths.body(isOld: isOld)
        fields = HTTPFields(bytes, list)
    }

    private static func part(_ bytes: UnsafeRawBufferPointer, _ range: Range<Int>) -> UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(rebasing: bytes[range])
    }

    private static func text(_ bytes: UnsafeRawBufferPointer, _ range: Range<Int>) -> String {
        String(decoding: part(bytes, range), as: UTF8.self)
    }

    /// A later version with the same first number is read as 1.1 (RFC 9110, section 2.5).
    private static func isOld(_ version: UnsafeRawBufferPointer) throws(HTTPRefusal) -> Bool {
        func isDigit(_ index: Int) -> Bool { (48...57).contains(version[index]) }
        guard version.count == 8, version[..<5].elementsEqual("HTTP/".utf8), isDigit(5),
            version[6] == UInt8(ascii: "."), isDigit(7)
        else { throw .malformed }
        guard version[5] == UInt8(ascii: "1") else { throw HTTPRefusal(status: 505) }
        return version[7] == UInt8(ascii: "0")
    }

    /// Reads one line of the head, and moves to the next. A space before the colon, and a line that goes on with the
    /// one before, are refused (RFC 9112, sections 5.1 and 5.2).
    static func field(_ bytes: UnsafeRawBufferPointer, _ index: inout Int) throws(HTTPRefusal)
        -> HTTPFields.Field
    {
        let start = index
        while index < bytes.count, ASCII.isToken(bytes[index]) { index += 1 }
        guard index > start, index < bytes.count, bytes[index] == UInt8(ascii: ":") else { throw .malformed }
        let name = Int32(start)..<Int32(index)
        index += 1
        while index < bytes.count, bytes[index] == ASCII.space || bytes[index] == ASCII.tab { index += 1 }
        let first = index
        while index < bytes.count, ASCII.isValue(bytes[index]) { index += 1 }
        guard index + 1 < bytes.count, bytes[index] == ASCII.carriageReturn,
            bytes[index + 1] == ASCII.lineFeed
        else { throw .malformed }
        var end = index
        while end > first, bytes[end - 1] == ASCII.space || bytes[end - 1] == ASCII.tab { end -= 1 }
        index += 2
        return HTTPFields.Field(name: name, value: Int32(first)..<Int32(end))
    }

    /// What the fields say of the body and the connection.
    private struct Lengths {
        var length: Int?
        var isChunked = false
        var closes = false
        var keeps = false
        var waits = false

        mutating func take(_ bytes: UnsafeRawBufferPointer, _ field: HTTPFields.Field) throws(HTTPRefusal) {
            let name = part(bytes, Int(field.name.lowerBound)..<Int(field.name.upperBound))
            let value = part(bytes, Int(field.value.lowerBound)..<Int(field.value.upperBound))
            switch name.count {
            case 6 where ASCII.equals(name, "expect"): waits = ASCII.equals(value, "100-continue")
            case 10 where ASCII.equals(name, "connection"):
                for option in value.split(separator: UInt8(ascii: ",")) {
                    let option = Self.trimmed(UnsafeRawBufferPointer(rebasing: option))
                    if ASCII.equals(option, "close") { closes = true }
                    if ASCII.equals(option, "keep-alive") { keeps = true }
                }
            case 14 where ASCII.equals(name, "content-length"):
                guard length == nil, let count = Self.number(value) else { throw .malformed }
                length = count
            case 17 where ASCII.equals(name, "transfer-encoding"):
                guard !isChunked else { throw .malformed }
                // RFC 9112, section 6.1.
                guard ASCII.equals(value, "chunked") else { throw HTTPRefusal(status: 501) }
                isChunked = true
            default: break
            }
        }

        /// Both lengths, or chunks in HTTP/1.0, are the signs of a smuggled request (RFC 9112, section 6.1).
        func body(isOld: Bool) throws(HTTPRefusal) -> Body {
            guard isChunked else { return length.map { $0 == 0 ? .none : .length($0) } ?? .none }
            guard length == nil, !isOld else { throw .malformed }
            return .chunked
        }

        private static func trimmed(_ bytes: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer {
            var (first, end) = (0, bytes.count)
            while first < end, bytes[first] == ASCII.space || bytes[first] == ASCII.tab { first += 1 }
            while end > first, bytes[end - 1] == ASCII.space || bytes[end - 1] == ASCII.tab { end -= 1 }
            return part(bytes, first..<end)
        }

        private static func number(_ bytes: UnsafeRawBufferPointer) -> Int? {
            guard (1...18).contains(bytes.count) else { return nil }
            var number = 0
            for byte in bytes {
                guard (48...57).contains(byte) else { return nil }
                number = number * 10 + Int(byte - 48)
            }
            return number
        }
    }
}
