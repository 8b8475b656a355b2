/// PEM files (RFC 7468).
enum PEM {
    /// A block between a BEGIN and its END line.
    struct Block {
        let label: String
        let bytes: [UInt8]
    }

    /// The blocks of a file; those that are cut, or are not base64, are passed over.
    static func blocks(_ file: [UInt8]) -> [Block] {
        var blocks: [Block] = []
        var label: String?
        var text = ""
        for line in file.split(whereSeparator: { $0 == 10 || $0 == 13 }) {
            let line = String(decoding: line, as: UTF8.self)
            if line.hasPrefix("-----BEGIN "), line.hasSuffix("-----") {
                label = String(line.dropFirst(11).dropLast(5))
                text = ""
            } else if let open = label, line == "-----END \(open)-----" {
                if let bytes = Base64.decode(text) { blocks.append(Block(label: open, bytes: bytes)) }
                label = nil
            } else if label != nil {
                text += line.filter { $0 != " " && $0 != "\t" }
            }
        }
        return blocks
    }

    /// What a file says that it has, whether it can be read or not.
    static func labels(_ file: [UInt8]) -> [String] {
        file.split(whereSeparator: { $0 == 10 || $0 == 13 }).compactMap { line in
            let line = String(decoding: line, as: UTF8.self)
            return line.hasPrefix("-----BEGIN ") && line.hasSuffix("-----")
                ? String(line.dropFirst(11).dropLast(5)) : nil
        }
    }

    /// A file with one block, 64 letters a line.
    static func text(label: String, _ bytes: [UInt8]) -> String {
        var text = "-----BEGIN \(label)-----\n"
        var rest = Base64.encode(bytes)[...]
        while !rest.isEmpty {
            text += rest.prefix(64) + "\n"
            rest = rest.dropFirst(64)
        }
        return text + "-----END \(label)-----\n"
    }
}
