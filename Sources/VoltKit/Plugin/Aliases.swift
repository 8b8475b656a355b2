internal import CVoltSystem
internal import Glibc
public import VoltCore

/// A user's aliases: lines of `name = words…`, read only after the search for a command has failed, so
/// that an alias never hides a command.
///
/// Words stand between spaces; quotes (`'` or `"`) keep spaces in a word. There is no shell, no
/// variable and no escape. Lines that are empty or begin with `#` count for nothing.
public struct Aliases: Sendable, Equatable {
    /// An alias and what it stands for.
    public struct Entry: Sendable, Equatable {
        /// The name that is typed.
        public let name: String
        /// The name of a command or alias, and the words that follow it.
        public let words: [[UInt8]]

        /// The words for people.
        public var text: String {
            words.map { word in
                let text = String(decoding: word, as: UTF8.self)
                return text.isEmpty || text.contains(" ") ? "'\(text)'" : text
            }.joined(separator: " ")
        }
    }

    /// The aliases by name.
    public let entries: [Entry]

    /// No file is longer, in bytes.
    static let maximumSize = 64 << 10

    /// No aliases.
    public init() { entries = [] }

    /// Parses the text of a file.
    ///
    /// - Parameter file: the name of the file for errors.
    /// - Throws: `VoltError` with code `usage`, naming the line.
    public init(_ bytes: [UInt8], file: String) throws(VoltError) {
        var entries: [Entry] = []
        let lines = bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
        for (index, line) in lines.enumerated() {
            let place = "\(file):\(index + 1)"
            let trimmed = line.drop { $0 == 0x20 || $0 == 0x09 || $0 == 0x0d }
            guard let first = trimmed.first, first != UInt8(ascii: "#") else { continue }
            guard let equals = trimmed.firstIndex(of: UInt8(ascii: "=")) else {
                throw VoltError(.usage, "\(place): there is no '='", hint: "write: name = words")
            }
            let name = String(
                decoding: trimmed[..<equals].filter { $0 != 0x20 && $0 != 0x09 }, as: UTF8.self)
            guard ToolName.isValid(name) else {
                throw VoltError(.usage, "\(place): '\(name)' is not a name for an alias")
            }
            guard let words = Self.words(trimmed[(equals + 1)...]) else {
                throw VoltError(.usage, "\(place): a quote is not closed")
            }
            guard let command = words.first, ToolName.isValid(command) else {
                throw VoltError(
                    .usage, "\(place): '\(name)' does not begin with a command",
                    hint: "an alias is a command of volt and its words; there is no shell in it")
            }
            guard !entries.contains(where: { $0.name == name }) else {
                throw VoltError(.usage, "\(place): '\(name)' is defined twice")
            }
            entries.append(Entry(name: name, words: words))
        }
        self.entries = entries.sorted { $0.name < $1.name }
    }

    /// Reads a file; one that is not there has no aliases.
    ///
    /// - Throws: `VoltError` when it cannot be read, is longer than 64 KiB, or has a mistake.
    public init(path: [UInt8]) throws(VoltError) {
        let name = String(decoding: path, as: UTF8.self)
        let bytes: [UInt8]
        do {
            guard let content = try SmallFile.read(path, limit: Self.maximumSize) else {
                self.init()
                return
            }
            bytes = content
        } catch { throw VoltError(.usage, "cannot read the aliases in '\(name)': \(error.reason)") }
        try self.init(bytes, file: name)
    }

    /// The words of an alias; nil when there is none of that name.
    public subscript(_ name: String) -> Entry? { entries.first { $0.name == name } }

    /// Follows an alias to a name that is none.
    ///
    /// - Parameters:
    ///   - name: what was typed.
    ///   - isCommand: whether a name is a command; an alias never hides one.
    /// - Returns: the command's name and the words that follow it, or nil when `name` is no alias.
    /// - Throws: `VoltError` with code `usage` for a loop, showing the chain.
    public func expand(_ name: String, isCommand: (String) -> Bool) throws(VoltError) -> [[UInt8]]? {
        guard var entry = self[name] else { return nil }
        var chain = [name]
        var rest: [[UInt8]] = []
        while true {
            rest = entry.words.dropFirst() + rest
            let next = String(decoding: entry.words[0], as: UTF8.self)
            if isCommand(next) { return [entry.words[0]] + rest }
            if chain.contains(next) {
                throw VoltError(
                    .usage, "the alias '\(name)' never ends: \((chain + [next]).joined(separator: " -> "))",
                    hint: "change one of these lines in the file of aliases")
            }
            guard let following = self[next] else { return [entry.words[0]] + rest }
            chain.append(next)
            entry = following
        }
    }

    /// Splits at spaces; nil when a quote is not closed.
    private static func words(_ line: ArraySlice<UInt8>) -> [[UInt8]]? {
        var words: [[UInt8]] = []
        var word: [UInt8]?
        var quote: UInt8?
        for byte in line {
            if let open = quote {
                if byte == open { quote = nil } else { word?.append(byte) }
            } else if byte == UInt8(ascii: "'") || byte == UInt8(ascii: "\"") {
                quote = byte
                word = word ?? []
            } else if byte == 0x20 || byte == 0x09 || byte == 0x0d {
                if let finished = word { words.append(finished) }
                word = nil
            } else {
                word = (word ?? []) + [byte]
            }
        }
        if quote != nil { return nil }
        if let finished = word { words.append(finished) }
        return words
    }
}
