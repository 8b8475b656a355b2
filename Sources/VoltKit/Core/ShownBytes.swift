/// Names and paths of files are bytes; as text, for people and in JSON, they have one form that can be told from any other.
extension String {
    /// The text of a name or path: UTF-8 as it is; with any byte that is not, any character that is not printable
    /// (`PrintableText`), or a backslash, every byte but printable ASCII is written `\xNN`, and the backslash too.
    public init(shown bytes: some Collection<UInt8>) {
        if let text = String(validating: bytes, as: UTF8.self),
            text.unicodeScalars.allSatisfy({ PrintableText.isPrintable($0) && $0 != "\\" })
        {
            self = text
            return
        }
        self = bytes.map { byte in
            if byte >= 32, byte < 127, byte != UInt8(ascii: "\\") { return String(UnicodeScalar(byte)) }
            return "\\x" + Hex.encode([byte])
        }.joined()
    }

    /// The bytes of a text in that form; what is not `\xNN` stands for itself.
    public var shownBytes: [UInt8] {
        let text = Array(utf8)
        var bytes: [UInt8] = []
        var place = 0
        while place < text.count {
            if text[place] == UInt8(ascii: "\\"), place + 3 < text.count,
                text[place + 1] == UInt8(ascii: "x"),
                let byte = Hex.decode(String(decoding: text[place + 2...place + 3], as: UTF8.self))
            {
                bytes += byte
                place += 4
            } else {
                bytes.append(text[place])
                place += 1
            }
        }
        return bytes
    }
}
