/// Words of a command as `ExecStart=` has them (systemd.service(5), "Command lines"), and back.
enum UnitWords {
    /// One word, in quotes where it needs them; nothing in it is a variable or a specifier.
    ///
    /// - Parameter isCommand: whether variables are replaced there; they are in no other setting.
    static func quoted(_ word: String, isCommand: Bool = true) -> String {
        var text = ""
        var isPlain = !word.isEmpty
        for scalar in word.unicodeScalars {
            switch scalar {
            case "\\", "\"":
                text += "\\\(scalar)"
                isPlain = false
            case "%": text += "%%"
            case "$": text += isCommand ? "$$" : "$"
            case " ", "\t", "'", ";", "#":
                text.unicodeScalars.append(scalar)
                isPlain = false
            default: text.unicodeScalars.append(scalar)
            }
        }
        return isPlain ? text : "\"\(text)\""
    }

    /// The words of a line that `quoted` made; nil for one that somebody else wrote in another way.
    static func split(_ line: some StringProtocol) -> [String]? {
        var words: [String] = []
        var word: String?
        var isQuoted = false
        var scalars = Array(line.unicodeScalars)[...]
        while let scalar = scalars.popFirst() {
            switch scalar {
            case "\"":
                isQuoted.toggle()
                word = word ?? ""
            case "\\":
                guard let next = scalars.popFirst(), next == "\\" || next == "\"" else { return nil }
                word = (word ?? "") + String(next)
            case "%", "$":
                guard scalars.popFirst() == scalar else { return nil }
                word = (word ?? "") + String(scalar)
            case " " where !isQuoted, "\t" where !isQuoted:
                if let word { words.append(word) }
                word = nil
            default: word = (word ?? "") + String(scalar)
            }
        }
        guard !isQuoted else { return nil }
        if let word { words.append(word) }
        return words
    }
}
