/// What a server asks for in `WWW-Authenticate` (RFC 9110, section 11.6.1).
package struct Challenge: Sendable, Equatable {
    /// In lower case: `basic`, `bearer`.
    package let scheme: String
    /// The parameters by their names in lower case.
    package let parameters: [String: String]

    /// The longest field that is read.
    static let longest = 16 << 10

    /// The challenges of a field; those behind something that is none are left out.
    package static func parse(_ field: String) -> [Challenge] {
        guard field.utf8.count <= longest else { return [] }
        var result: [Challenge] = []
        var rest = Array(field.utf8)[...]
        var scheme: String?
        var parameters: [String: String] = [:]
        func skipBlank() {
            while let byte = rest.first, byte == 32 || byte == 9 || byte == 44 { rest.removeFirst() }
        }
        func token() -> String? {
            let bytes = rest.prefix { byte in
                (48...57).contains(byte) || (65...90).contains(byte) || (97...122).contains(byte)
                    || "!#$%&'*+-.^_`|~".utf8.contains(byte)
            }
            rest.removeFirst(bytes.count)
            return bytes.isEmpty ? nil : String(decoding: bytes, as: UTF8.self)
        }
        func quoted() -> String? {
            rest.removeFirst()
            var bytes: [UInt8] = []
            while let byte = rest.popFirst() {
                if byte == 34 { return String(decoding: bytes, as: UTF8.self) }
                if byte == 92 {
                    guard let next = rest.popFirst() else { return nil }
                    bytes.append(next)
                } else {
                    bytes.append(byte)
                }
            }
            return nil
        }
        func end() {
            if let scheme { result.append(Challenge(scheme: scheme.lowercased(), parameters: parameters)) }
            parameters = [:]
        }
        skipBlank()
        while let word = token() {
            if rest.first == 61 {
                rest.removeFirst()
                guard let value = rest.first == 34 ? quoted() : token(), scheme != nil else { break }
                // The first counts: a second one could be of somebody else.
                if parameters[word.lowercased()] == nil { parameters[word.lowercased()] = value }
            } else {
                end()
                scheme = word
            }
            skipBlank()
        }
        end()
        return result
    }
}
