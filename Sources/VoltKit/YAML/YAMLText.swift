extension YAML {
    /// A node as text in block style, which `parse` reads as the same values.
    ///
    /// - Parameter order: keys that come first in every mapping, in this order; the others stay as they are.
    public static func text(_ node: YAMLNode, order: [String] = []) -> String {
        var writer = Writer(order: order)
        writer.write(node, indent: 0)
        return writer.text
    }
}

private struct Writer {
    let order: [String]
    var text = ""

    init(order: [String]) { self.order = order }

    mutating func write(_ node: YAMLNode, indent: Int, startsInline: Bool = false) {
        let margin = String(repeating: " ", count: indent)
        switch node.content {
        case .scalar(let value, let isPlain): text += margin + scalar(value, isPlain) + "\n"
        case .sequence(let items):
            guard !items.isEmpty else { return text += margin + "[]\n" }
            for item in items {
                text += margin + "-"
                if case .mapping(let entries) = item.content, !entries.isEmpty {
                    text += " "
                    write(item, indent: indent + 2, startsInline: true)
                } else {
                    value(item, indent: indent)
                }
            }
        case .mapping(let entries):
            guard !entries.isEmpty else { return text += margin + "{}\n" }
            for (index, entry) in sorted(entries).enumerated() {
                text += (index == 0 && startsInline ? "" : margin) + scalar(entry.key, false) + ":"
                value(entry.value, indent: indent)
            }
        }
    }

    /// What stands behind a key or a dash.
    private mutating func value(_ node: YAMLNode, indent: Int) {
        switch node.content {
        case .scalar(let value, let isPlain): text += " " + scalar(value, isPlain) + "\n"
        case .sequence(let items) where items.isEmpty: text += " []\n"
        case .mapping(let entries) where entries.isEmpty: text += " {}\n"
        case .sequence, .mapping:
            text += "\n"
            write(node, indent: indent + 2)
        }
    }

    private func sorted(_ entries: [YAMLEntry]) -> [YAMLEntry] {
        let first = order.compactMap { key in entries.first { $0.key == key } }
        return first + entries.filter { !order.contains($0.key) }
    }

    /// Plain where the text means itself, else in double quotes with the escapes of JSON.
    private func scalar(_ text: String, _ isPlain: Bool) -> String {
        if isPlain { return text.isEmpty ? "null" : text }
        let isSafe =
            text.utf8.allSatisfy {
                (48...57).contains($0) || (65...90).contains($0) || (97...122).contains($0)
                    || Array("_-./@+*,$ ".utf8).contains($0)
                    || $0 == UInt8(ascii: ":")
            }
            && text.first.map { $0.isLetter || $0.isNumber || $0 == "/" || $0 == "." } == true
            && !text.hasSuffix(" ") && !text.hasSuffix(":") && !text.contains(": ")
        let means =
            YAMLScalar.isNull(text) || YAMLScalar.boolean(text) != nil || YAMLScalar.number(text) != nil
            || YAMLScalar.integer(text) != nil || Self.words.contains(text.lowercased())
            || text.allSatisfy { "0123456789.:-+eExXoO_".contains($0) } || text.hasPrefix(".")
        if isSafe, !means { return text }
        var quoted = "\""
        for character in text.unicodeScalars {
            switch character {
            case "\"": quoted += "\\\""
            case "\\": quoted += "\\\\"
            case "\n": quoted += "\\n"
            case "\t": quoted += "\\t"
            case _
            where character.value < 32 || (127...159).contains(character.value)
                || [0x85, 0x2028, 0x2029, 0xFEFF].contains(character.value):
                let hex = String(character.value, radix: 16)
                quoted += "\\u" + String(repeating: "0", count: 4 - hex.count) + hex
            default: quoted.unicodeScalars.append(character)
            }
        }
        return quoted + "\""
    }

    /// What a reader of YAML 1.1 takes for something else than text.
    private static let words: Set<String> = ["yes", "no", "on", "off", "y", "n"]
}
