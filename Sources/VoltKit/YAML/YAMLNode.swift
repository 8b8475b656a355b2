public import VoltCore

/// A place in a file, counted from 1 as editors do.
public struct YAMLMark: Sendable, Hashable {
    /// The name of the file, as it is shown in errors.
    public let file: String
    /// The line, from 1.
    public let line: Int
    /// The column in characters, from 1.
    public let column: Int

    /// - Parameters: see the properties.
    public init(file: String, line: Int, column: Int) {
        self.file = file
        self.line = line
        self.column = column
    }
}

/// A value of a YAML document with its place. Its type is decided where it is used.
public struct YAMLNode: Sendable {
    /// What a node holds.
    public enum Content: Sendable {
        /// A text; `isPlain` when it was written without quotes, so that it may mean a number or null.
        case scalar(text: String, isPlain: Bool)
        /// The items in order.
        case sequence([YAMLNode])
        /// The entries in order; no key comes twice.
        case mapping([YAMLEntry])
    }

    /// What it holds.
    public let content: Content
    /// Where it begins.
    public let mark: YAMLMark
    /// How many nodes it is made of, aliases written out.
    let weight: Int
    /// Levels of nesting below and with this node, with every alias written out.
    let height: Int

    /// An error at this node: `file:line:column: message`.
    public func failure(_ message: String, hint: String? = nil) -> VoltError {
        VoltError(.failed, "\(mark.file):\(mark.line):\(mark.column): \(message)", hint: hint)
    }

    /// What it is, for errors.
    var kind: String {
        switch content {
        case .scalar(let text, let isPlain): isPlain && YAMLScalar.isNull(text) ? "nothing" : "a single value"
        case .sequence: "a list"
        case .mapping: "a mapping"
        }
    }

    /// Whether it is null: `null`, `~` or nothing.
    public var isNull: Bool {
        if case .scalar(let text, true) = content { return YAMLScalar.isNull(text) }
        return false
    }

    /// The text of a scalar. Numbers and booleans give their text as written, null is an error.
    public func string() throws(VoltError) -> String {
        guard case .scalar(let text, _) = content, !isNull else {
            throw failure("expected text, found \(kind)")
        }
        return text
    }

    /// A whole number, decimal, `0x` or `0o` (YAML 1.2, core schema).
    public func integer() throws(VoltError) -> Int {
        guard case .scalar(let text, true) = content, let value = YAMLScalar.integer(text) else {
            throw failure("expected a whole number, found \(shown)")
        }
        return value
    }

    /// A finite number.
    public func number() throws(VoltError) -> Double {
        guard case .scalar(let text, true) = content, let value = YAMLScalar.number(text) else {
            throw failure("expected a number, found \(shown)")
        }
        return value
    }

    /// `true` or `false`, as the core schema writes them; `yes` and `on` are text in YAML 1.2.
    public func boolean() throws(VoltError) -> Bool {
        guard case .scalar(let text, true) = content, let value = YAMLScalar.boolean(text) else {
            throw failure("expected true or false, found \(shown)")
        }
        return value
    }

    /// The items of a sequence.
    public func items() throws(VoltError) -> [YAMLNode] {
        guard case .sequence(let items) = content else { throw failure("expected a list, found \(kind)") }
        return items
    }

    /// The entries of a mapping.
    public func entries() throws(VoltError) -> [YAMLEntry] {
        guard case .mapping(let entries) = content else { throw failure("expected a mapping, found \(kind)") }
        return entries
    }

    /// The entries of a mapping by key, all of which must be among the given ones.
    ///
    /// - Parameter keys: the keys that are known here; one of them is suggested after a typing mistake.
    public func fields(_ keys: [String]) throws(VoltError) -> [String: YAMLNode] {
        var fields: [String: YAMLNode] = [:]
        for entry in try entries() {
            guard keys.contains(entry.key) else {
                let near = EditDistance.suggestions(for: entry.key, among: keys, limit: 1).first
                let hint =
                    near.map { "did you mean '\($0)'?" }
                    ?? "the keys here are \(keys.sorted().joined(separator: ", "))"
                throw VoltError(
                    .failed,
                    "\(entry.keyMark.file):\(entry.keyMark.line):\(entry.keyMark.column): unknown key '\(entry.key)'",
                    hint: hint)
            }
            fields[entry.key] = entry.value
        }
        return fields
    }

    /// Runs a parser of VoltCore on the text and puts this node's place in front of its error.
    public func parsed<Value>(_ parse: (String) throws(VoltError) -> Value) throws(VoltError) -> Value {
        let text = try string()
        do { return try parse(text) } catch { throw failure(error.message, hint: error.hint) }
    }

    private var shown: String {
        if case .scalar(let text, _) = content, !isNull { return "'\(text.prefix(40))'" }
        return kind
    }
}

/// An entry of a mapping.
public struct YAMLEntry: Sendable {
    /// The key; keys are texts.
    public let key: String
    /// Where the key begins.
    public let keyMark: YAMLMark
    /// The value.
    public let value: YAMLNode
}

/// The core schema of YAML 1.2.2, section 10.3.2.
enum YAMLScalar {
    static func isNull(_ text: String) -> Bool { ["", "~", "null", "Null", "NULL"].contains(text) }

    static func boolean(_ text: String) -> Bool? {
        switch text {
        case "true", "True", "TRUE": true
        case "false", "False", "FALSE": false
        default: nil
        }
    }

    static func integer(_ text: String) -> Int? {
        if text.hasPrefix("0x") { return digits(text.dropFirst(2), radix: 16) }
        if text.hasPrefix("0o") { return digits(text.dropFirst(2), radix: 8) }
        let unsigned = text.hasPrefix("-") || text.hasPrefix("+") ? text.dropFirst() : text[...]
        guard !unsigned.isEmpty, unsigned.utf8.allSatisfy({ (48...57).contains($0) }) else { return nil }
        return Int(text)
    }

    private static func digits(_ text: Substring, radix: Int) -> Int? {
        guard let first = text.utf8.first, first != UInt8(ascii: "-"), first != UInt8(ascii: "+") else {
            return nil
        }
        return Int(text, radix: radix)
    }

    static func number(_ text: String) -> Double? {
        guard text.utf8.allSatisfy({ (48...57).contains($0) || Array("+-.eE".utf8).contains($0) }),
            text.utf8.contains(where: { (48...57).contains($0) }), let value = Double(text), value.isFinite
        else { return nil }
        return value
    }
}

// MARK: Making

extension YAMLNode {
    /// A mapping that stands in no file.
    public init(mapping entries: [YAMLEntry]) { self.init(.mapping(entries), at: .nowhere) }

    /// Another value in the place of one.
    public init(like node: YAMLNode, _ content: Content) { self.init(content, at: node.mark) }

    fileprivate init(_ content: Content, at mark: YAMLMark) {
        let children: [YAMLNode]
        switch content {
        case .scalar: children = []
        case .sequence(let items): children = items
        case .mapping(let entries): children = entries.map(\.value)
        }
        // The key of an entry is a node, too.
        let keys = if case .mapping(let entries) = content { entries.count } else { 0 }
        self.init(
            content: content, mark: mark, weight: children.reduce(1 + keys) { $0 + $1.weight },
            height: (children.map(\.height).max() ?? 0) + 1)
    }
}

extension YAMLMark {
    fileprivate static let nowhere = YAMLMark(file: "", line: 0, column: 0)
}

extension YAMLEntry {
    /// A text.
    public init(key: String, text: String) { self.init(key, .scalar(text: text, isPlain: false)) }

    /// A text that stands in a file of another format.
    public init(key: String, text: String, at mark: YAMLMark) {
        self.init(
            key: key, keyMark: mark, value: YAMLNode(.scalar(text: text, isPlain: false), at: mark))
    }

    /// `true` or `false`.
    public init(key: String, boolean: Bool) { self.init(key, .scalar(text: "\(boolean)", isPlain: true)) }

    /// A list.
    public init(key: String, list: [YAMLNode]) { self.init(key, .sequence(list)) }

    /// Another value of an entry.
    public init(like entry: YAMLEntry, value: YAMLNode) {
        self.init(key: entry.key, keyMark: entry.keyMark, value: value)
    }

    private init(_ key: String, _ content: YAMLNode.Content) {
        self.init(key: key, keyMark: .nowhere, value: YAMLNode(content, at: .nowhere))
    }

    /// The error for a key that is not known here, with the nearest that is.
    public func unknown(among keys: [String]) -> VoltError {
        let near = EditDistance.suggestions(for: key, among: keys, limit: 1).first
        return VoltError(
            .failed, "\(keyMark.file):\(keyMark.line):\(keyMark.column): unknown key '\(key)'",
            hint: near.map { "did you mean '\($0)'?" }
                ?? "the keys here are \(keys.sorted().joined(separator: ", "))")
    }
}
