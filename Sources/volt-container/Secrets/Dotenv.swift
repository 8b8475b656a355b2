internal import VoltCore
internal import VoltYAML

/// Lines of `NAME=value`, as SOPS reads and writes them: `\n` in a value is a line break, a line that begins
/// with `#` is a comment, and quotes are a part of the value.
enum Dotenv {
    private static let prefix = "sops_"

    /// The variables, and the metadata of SOPS when there are some.
    static func parse(_ bytes: [UInt8], file: String) throws(VoltError) -> (
        variables: YAMLNode, metadata: YAMLNode?
    ) {
        guard let text = String(validating: bytes, as: UTF8.self) else {
            throw VoltError(.failed, "\(file): is not text in UTF-8")
        }
        var variables: [YAMLEntry] = []
        var metadata: [YAMLEntry] = []
        var names: Set<String> = []
        for (index, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated()
        where !line.isEmpty && !line.hasPrefix("#") {
            guard let equals = line.firstIndex(of: "="), equals > line.startIndex else {
                // Never the line itself: it may be a secret.
                throw VoltError(
                    .failed, "\(file):\(index + 1):1: is not NAME=value",
                    hint: "write one variable a line; a comment begins with '#'")
            }
            let name = String(line[..<equals])
            guard names.insert(name).inserted else {
                throw VoltError(.failed, "\(file):\(index + 1):1: '\(name)' is there twice")
            }
            let entry = YAMLEntry(
                key: name, text: String(line[line.index(after: equals)...]).replacing("\\n", with: "\n"),
                at: YAMLMark(file: file, line: index + 1, column: 1))
            if name.hasPrefix(prefix) { metadata.append(entry) } else { variables.append(entry) }
        }
        return (
            YAMLNode(mapping: variables),
            metadata.isEmpty ? nil : YAMLNode(mapping: unflattened(metadata))
        )
    }

    /// `sops_age__list_0__map_enc=…` is the value of `enc` in the first item of the list `age`.
    private static func unflattened(_ entries: [YAMLEntry]) -> [YAMLEntry] {
        var plain: [YAMLEntry] = []
        var recipients: [Int: [YAMLEntry]] = [:]
        for entry in entries {
            let name = entry.key.dropFirst(prefix.count)
            let list = "age__list_"
            if name.hasPrefix(list), let end = name.firstRange(of: "__map_"),
                let number = Int(name[..<end.lowerBound].dropFirst(list.count))
            {
                recipients[number, default: []].append(
                    YAMLEntry(renamed: String(name[end.upperBound...]), entry))
            } else if name.hasPrefix("key_groups__") {
                plain.append(YAMLEntry(renamed: "key_groups", entry))
            } else {
                plain.append(YAMLEntry(renamed: String(name), entry))
            }
        }
        let items = recipients.sorted { $0.key < $1.key }.map { YAMLNode(mapping: $0.value) }
        return plain + [YAMLEntry(key: "age", list: items)]
    }
}

extension YAMLEntry {
    fileprivate init(renamed key: String, _ entry: YAMLEntry) {
        self.init(key: key, text: (try? entry.value.string()) ?? "", at: entry.keyMark)
    }
}
