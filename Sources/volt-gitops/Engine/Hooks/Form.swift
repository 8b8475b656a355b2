internal import VoltCore

/// `application/x-www-form-urlencoded`, as the URL Standard has it.
enum Form {
    /// The first value with a name.
    static func value(of name: String, in body: [UInt8]) throws(PayloadReader.Malformed) -> [UInt8] {
        var rest = body[...]
        while !rest.isEmpty {
            let pair = rest.prefix { $0 != UInt8(ascii: "&") }
            rest = rest[pair.endIndex...].dropFirst()
            guard let equals = pair.firstIndex(of: UInt8(ascii: "=")),
                pair[..<equals].elementsEqual(name.utf8)
            else { continue }
            guard let value = Percent.bytes(pair[(equals + 1)...], form: true) else {
                throw PayloadReader.Malformed()
            }
            return value
        }
        throw PayloadReader.Malformed()
    }
}
