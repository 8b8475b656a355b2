public import VoltCore

/// The file `.gitmodules` of a commit (gitmodules(5)): which repository is meant by the path of a submodule.
public struct GitModules: Sendable, Equatable {
    /// The largest file that is read, in bytes.
    public static let longest = 1 << 20

    /// The URL, as it is written, of each path.
    public let urls: [String: String]

    /// Reads the file, which has the syntax of git-config(1); nothing is included.
    ///
    /// - Parameter bytes: any bytes are safe.
    /// - Throws: `VoltError` with the line.
    public init(_ bytes: [UInt8]) throws(VoltError) {
        guard bytes.count <= Self.longest, let text = String(validating: bytes, as: UTF8.self) else {
            throw VoltError(.refused, ".gitmodules is larger than 1M, or not text in UTF-8")
        }
        var sections: [String: (path: String?, url: String?)] = [:]
        var section: String?
        var lines = text.split(separator: "\n", omittingEmptySubsequences: false).enumerated().makeIterator()
        while let (index, first) = lines.next() {
            var line = Substring(first.hasSuffix("\r") ? first.dropLast() : first)
            // A backslash at the end of a line joins it with the next.
            while line.hasSuffix("\\"), !line.hasSuffix("\\\\"), let (_, next) = lines.next() {
                line = Substring(line.dropLast() + next)
            }
            line = line.drop(while: \.isWhitespace)
            if line.first == "[" {
                guard let header = Self.header(line) else {
                    throw VoltError(.failed, ".gitmodules:\(index + 1): is not a section of git-config(1)")
                }
                section = header.submodule
                line = header.rest.drop(while: \.isWhitespace)
            }
            guard let first = line.first, first != "#", first != ";" else { continue }
            guard let entry = Self.entry(line) else {
                throw VoltError(.failed, ".gitmodules:\(index + 1): is not a line of git-config(1)")
            }
            guard let section else { continue }
            if entry.key == "path" { sections[section, default: (nil, nil)].path = entry.value }
            if entry.key == "url" { sections[section, default: (nil, nil)].url = entry.value }
        }
        var urls: [String: String] = [:]
        for (_, value) in sections.sorted(by: { $0.key < $1.key }) {
            if let path = value.path, let url = value.url { urls[path] = url }
        }
        self.urls = urls
    }

    /// `[submodule "name"]`; the name is nil for any other section.
    private static func header(_ line: Substring) -> (submodule: String?, rest: Substring)? {
        var rest = line.dropFirst()
        let kind = rest.prefix { $0.isLetter || $0.isNumber || $0 == "-" || $0 == "." }
        rest = rest.dropFirst(kind.count).drop(while: \.isWhitespace)
        var name: String?
        if rest.first == "\"" {
            rest = rest.dropFirst()
            var text = ""
            while let character = rest.popFirst(), character != "\"" {
                if character == "\\" { text.append(rest.popFirst() ?? "\\") } else { text.append(character) }
            }
            name = text
        }
        guard rest.popFirst() == "]", !kind.isEmpty else { return nil }
        return (kind.lowercased() == "submodule" ? name : nil, rest)
    }

    /// `key = value`; the value is empty for a key alone.
    private static func entry(_ line: Substring) -> (key: String, value: String)? {
        let key = line.prefix { $0.isLetter || $0.isNumber || $0 == "-" }
        guard let first = key.first, first.isLetter else { return nil }
        var rest = line.dropFirst(key.count).drop(while: \.isWhitespace)
        guard rest.first == "=" else {
            return rest.isEmpty || rest.first == "#" || rest.first == ";" ? (key.lowercased(), "") : nil
        }
        rest = rest.dropFirst().drop(while: \.isWhitespace)
        var value = ""
        // White space counts only before something else, or within quotes.
        var space = ""
        var isQuoted = false
        while let character = rest.popFirst() {
            switch character {
            case "\"": isQuoted.toggle()
            case "\\":
                let escaped: [Character: Character] = [
                    "n": "\n", "t": "\t", "b": "\u{8}", "\\": "\\", "\"": "\"",
                ]
                guard let next = rest.popFirst(), let meant = escaped[next] else { return nil }
                value += space + String(meant)
                space = ""
            case "#" where !isQuoted, ";" where !isQuoted: rest = ""
            case _ where character.isWhitespace && !isQuoted: space.append(character)
            default:
                value += space + String(character)
                space = ""
            }
        }
        return isQuoted ? nil : (key.lowercased(), value)
    }

    /// The URL of a submodule as git-submodule(1) has it: one that begins with `./` or `../` is seen from the
    /// URL of the repository.
    ///
    /// - Parameter base: the URL of the repository that the submodule is in.
    /// - Returns: nil when it leads out of the host.
    public static func resolve(_ url: String, from base: String) -> String? {
        guard url.hasPrefix("./") || url.hasPrefix("../") else { return url }
        var base = Substring(base)
        while base.hasSuffix("/") { base.removeLast() }
        var rest = Substring(url)
        var separator = "/"
        while true {
            if rest.hasPrefix("./") {
                rest = rest.dropFirst(2)
            } else if rest.hasPrefix("../") {
                rest = rest.dropFirst(3)
                // `git@host:site.git` has a colon before its path.
                guard let end = base.lastIndex(where: { $0 == "/" || $0 == ":" }), end > base.startIndex,
                    base[base.index(before: end)] != "/", !base[end...].hasPrefix("://"), separator == "/"
                else { return nil }
                separator = base[end] == ":" ? ":" : "/"
                base = base[..<end]
            } else {
                break
            }
        }
        guard !rest.isEmpty else { return nil }
        return "\(base)\(separator)\(rest)"
    }
}
