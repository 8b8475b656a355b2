/// The words of a Voltfile: split like a shell does, variables filled in as Docker does.
enum Words {
    /// Splits at spaces outside of quotation marks, which stay in the words; nil when one is not closed.
    static func split(_ text: String, escape: Character) -> [String]? {
        var words: [String] = []
        var word = ""
        var quote: Character?
        var characters = text.makeIterator()
        while let character = characters.next() {
            if character == escape, quote != "'" {
                word.append(character)
                if let next = characters.next() { word.append(next) }
            } else if let open = quote {
                word.append(character)
                if character == open { quote = nil }
            } else if character == "'" || character == "\"" {
                quote = character
                word.append(character)
            } else if character == " " || character == "\t" {
                if !word.isEmpty { words.append(word) }
                word = ""
            } else {
                word.append(character)
            }
        }
        guard quote == nil else { return nil }
        if !word.isEmpty { words.append(word) }
        return words
    }

    static func isNameByte(_ byte: UInt8) -> Bool {
        (48...57).contains(byte) || (65...90).contains(byte) || (97...122).contains(byte)
            || byte == UInt8(ascii: "_")
    }

    /// Takes quotation marks away and fills in `$X`, `${X}`, `${X:-default}` and `${X:+other}`; a variable
    /// that is not set is empty.
    ///
    /// - Returns: nil when a bracket is not closed or the form in it is another one.
    static func expand(_ text: String, escape: Character, _ value: @escaping (String) -> String?) -> String? {
        var reader = Expander(text: Array(text), escape: escape, value: value)
        return reader.run(until: nil)
    }
}

private struct Expander {
    let text: [Character]
    let escape: Character
    let value: (String) -> String?
    private var position = 0
    private var depth = 0

    init(text: [Character], escape: Character, value: @escaping (String) -> String?) {
        self.text = text
        self.escape = escape
        self.value = value
    }

    mutating func run(until end: Character?) -> String? {
        var result = ""
        var quote: Character?
        while position < text.count {
            let character = text[position]
            if quote == nil, character == end { return result }
            position += 1
            if quote == "'" {
                if character == "'" { quote = nil } else { result.append(character) }
            } else if character == escape, position < text.count {
                let next = text[position]
                // In double quotes only these lose the escape.
                if quote == "\"", next != "\"", next != "$", next != escape { result.append(character) }
                result.append(next)
                position += 1
            } else if character == "\"" {
                quote = quote == nil ? "\"" : nil
            } else if character == "'", quote == nil {
                quote = "'"
            } else if character == "$" {
                guard let filled = variable() else { return nil }
                result += filled
            } else {
                result.append(character)
            }
        }
        return end == nil ? result : nil
    }

    private mutating func variable() -> String? {
        guard position < text.count else { return "$" }
        guard text[position] == "{" else {
            let name = takeName()
            return name.isEmpty ? "$" : value(name) ?? ""
        }
        position += 1
        let name = takeName()
        guard !name.isEmpty, position < text.count else { return nil }
        if text[position] == "}" {
            position += 1
            return value(name) ?? ""
        }
        var emptyCounts = false
        if text[position] == ":" {
            emptyCounts = true
            position += 1
        }
        guard position < text.count, text[position] == "-" || text[position] == "+", depth < 16 else {
            return nil
        }
        let operation = text[position]
        position += 1
        depth += 1
        guard let word = run(until: "}") else { return nil }
        depth -= 1
        position += 1
        let current = value(name)
        let isSet = current != nil && !(emptyCounts && current == "")
        return operation == "-" ? (isSet ? current ?? "" : word) : (isSet ? word : "")
    }

    private mutating func takeName() -> String {
        var name = ""
        while position < text.count, let byte = text[position].asciiValue, Words.isNameByte(byte) {
            if name.isEmpty, (48...57).contains(byte) { break }
            name.append(text[position])
            position += 1
        }
        return name
    }
}
