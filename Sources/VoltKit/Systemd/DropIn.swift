public import VoltCore

/// The text of a drop-in: sections with settings, of which comments and order are kept.
public struct DropIn: Sendable, Equatable {
    private var lines: [String]

    /// Reads any text; what is no setting is kept as it is.
    public init(_ text: String) {
        lines = text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
        if lines.last == "" { lines.removeLast() }
    }

    /// The file, empty when no setting is left.
    public var text: String {
        let says = lines.contains { line in
            let line = line.drop { $0 == " " || $0 == "\t" }
            return !line.isEmpty && !line.hasPrefix("[") && !line.hasPrefix("#") && !line.hasPrefix(";")
        }
        return says ? lines.joined(separator: "\n") + "\n" : ""
    }

    /// A setting to change.
    public struct Setting: Sendable, Equatable {
        /// Such as `Service`.
        public var section: String
        /// Such as `MemoryMax`.
        public var key: String
        /// The value, or nil to take the setting out of the drop-in.
        public var value: String?

        /// - Parameters: see the properties.
        public init(section: String, key: String, value: String?) {
            self.section = section
            self.key = key
            self.value = value
        }

        /// Reads `KEY=VALUE` or `SECTION.KEY=VALUE`.
        ///
        /// - Parameter section: of a key that names none.
        /// - Throws: `VoltError` with code `usage`.
        public init(parsing text: String, section: String) throws(VoltError) {
            guard let equals = text.firstIndex(of: "=") else {
                throw VoltError(
                    .usage, "'\(text)' is not a setting", hint: "write KEY=VALUE, such as MemoryMax=512M")
            }
            let value = String(text[text.index(after: equals)...])
            guard !value.unicodeScalars.contains(where: { $0.value < 32 || $0.value == 127 }),
                !value.hasSuffix("\\")
            else { throw VoltError(.usage, "the value of '\(text[..<equals])' is more than one line") }
            try self.init(name: String(text[..<equals]), value: value, section: section)
        }

        /// Reads `KEY` or `SECTION.KEY`.
        public init(name: String, value: String?, section: String) throws(VoltError) {
            let parts = name.split(separator: ".", omittingEmptySubsequences: false).map(String.init)
            let isName = { (text: String) in
                text.first?.isLetter == true
                    && text.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "-") }
            }
            guard (1...2).contains(parts.count), parts.allSatisfy(isName) else {
                throw VoltError(
                    .usage, "'\(name)' is not the name of a setting",
                    hint: "write KEY or SECTION.KEY, such as Unit.Description; see systemd.directives(7)")
            }
            self.init(
                section: parts.count == 2 ? parts[0] : section, key: parts[parts.count - 1], value: value)
        }
    }

    /// Changes a setting in its place, or adds it. Of `Environment=` the one variable is changed. A setting
    /// that is a list, such as `ExecStart=`, replaces the list of the unit.
    public mutating func set(_ setting: Setting) {
        var first: Int?
        var kept: [String] = []
        var section = ""
        for line in lines {
            if let name = Self.sectionName(line) { section = name }
            guard section == setting.section, let (key, value) = Self.keyValue(line), key == setting.key,
                Self.isSame(setting, value)
            else {
                kept.append(line)
                continue
            }
            if first == nil { first = kept.count }
        }
        lines = kept
        guard let value = setting.value else { return removeEmptySections() }
        var new = ["\(setting.key)=\(value)"]
        if Self.isList(setting.key), !value.isEmpty { new.insert("\(setting.key)=", at: 0) }
        if let first {
            lines.insert(contentsOf: new, at: first)
        } else if let end = self.end(of: setting.section) {
            lines.insert(contentsOf: new, at: end)
        } else {
            if let last = lines.last, !last.isEmpty { lines.append("") }
            lines += ["[\(setting.section)]"] + new
        }
    }

    /// Whether a value that is there is what the setting replaces.
    private static func isSame(_ setting: Setting, _ value: Substring) -> Bool {
        guard setting.key == "Environment", let new = setting.value, !new.isEmpty else { return true }
        func variable(_ text: some StringProtocol) -> Substring {
            Substring(text).drop { $0 == "\"" || $0 == "'" }.prefix { $0 != "=" }
        }
        return variable(value) == variable(new)
    }

    /// Settings that add to those of the unit until an empty one clears them (systemd.syntax(7)).
    private static func isList(_ key: String) -> Bool { key.hasPrefix("Exec") || key.hasPrefix("Listen") }

    private static func sectionName(_ line: String) -> String? {
        let line = line.drop { $0 == " " || $0 == "\t" }
        guard line.hasPrefix("["), let end = line.firstIndex(of: "]") else { return nil }
        return String(line[line.index(after: line.startIndex)..<end])
    }

    private static func keyValue(_ line: String) -> (key: String, value: Substring)? {
        let line = line.drop { $0 == " " || $0 == "\t" }
        guard !line.hasPrefix("#"), !line.hasPrefix(";"), let equals = line.firstIndex(of: "=") else {
            return nil
        }
        var key = line[..<equals]
        while key.last == " " || key.last == "\t" { key.removeLast() }
        return (String(key), line[line.index(after: equals)...].drop { $0 == " " || $0 == "\t" })
    }

    /// The index behind the last line of a section's last part that is not empty.
    private func end(of wanted: String) -> Int? {
        var section = ""
        var end: Int?
        for (index, line) in lines.enumerated() {
            if let name = Self.sectionName(line) { section = name }
            if section == wanted, !line.isEmpty { end = index + 1 }
        }
        return end
    }

    private mutating func removeEmptySections() {
        var kept: [String] = []
        for (index, line) in lines.enumerated() {
            let rest = lines[(index + 1)...].prefix { Self.sectionName($0) == nil }
            if Self.sectionName(line) != nil, rest.allSatisfy({ $0.isEmpty }) { continue }
            kept.append(line)
        }
        while kept.last == "" { kept.removeLast() }
        lines = kept
    }
}
