public import VoltCore

extension YAML {
    /// Decodes a value from a node, with errors that name file, line and column.
    ///
    /// A key that the type does not ask for is an error that suggests the nearest one it does.
    ///
    /// - Parameters:
    ///   - node: what the user wrote.
    ///   - defaults: a mapping with the values of keys that the user left out at the top, or nil.
    /// - Throws: `VoltError`.
    public static func decode<Value: Decodable>(
        _ type: Value.Type = Value.self, from node: YAMLNode, defaults: YAMLNode? = nil
    ) throws(VoltError) -> Value {
        do { return try NodeDecoder.value(type, node, defaults: defaults) } catch let error as VoltError {
            throw error
        } catch let error as DecodingError {
            throw node.failure(describe(error))
        } catch { throw node.failure("\(error)") }
    }

    /// What a type that decodes itself said about a value.
    fileprivate static func describe(_ error: DecodingError) -> String {
        let context =
            switch error {
            case .typeMismatch(_, let context), .valueNotFound(_, let context), .keyNotFound(_, let context),
                .dataCorrupted(let context):
                context
            @unknown default: nil as DecodingError.Context?
            }
        let text = context?.debugDescription ?? "\(error)"
        return text.hasSuffix(".") ? String(text.dropLast()) : text
    }
}

/// The keys that a type asked for in one mapping.
private final class Asked {
    var keys: Set<String> = []
}

/// A decoder at one node.
private struct NodeDecoder: Decoder {
    let node: YAMLNode
    let defaults: YAMLNode?
    let asked: Asked
    let codingPath: [any CodingKey]
    var userInfo: [CodingUserInfoKey: Any] { [:] }

    /// Decodes a value and refuses the keys that it did not ask for.
    static func value<Value: Decodable>(
        _ type: Value.Type, _ node: YAMLNode, defaults: YAMLNode? = nil, path: [any CodingKey] = []
    ) throws -> Value {
        let asked = Asked()
        let decoder = NodeDecoder(node: node, defaults: defaults, asked: asked, codingPath: path)
        let value: Value
        do { value = try Value(from: decoder) } catch let error as DecodingError {
            throw node.failure(YAML.describe(error))
        } catch let error as VoltError {
            // A type of VoltCore that parses a text knows no place.
            throw isPlaced(error, node) ? error : node.failure(error.message, hint: error.hint)
        }
        if case .mapping = node.content, !asked.keys.isEmpty { _ = try node.fields(asked.keys.sorted()) }
        return value
    }

    private static func isPlaced(_ error: VoltError, _ node: YAMLNode) -> Bool {
        error.message.hasPrefix("\(node.mark.file):")
    }

    func container<Key: CodingKey>(keyedBy type: Key.Type) throws -> KeyedDecodingContainer<Key> {
        var entries: [String: YAMLNode] = [:]
        for entry in try defaults?.entries() ?? [] { entries[entry.key] = entry.value }
        for entry in try node.entries() { entries[entry.key] = entry.value }
        return KeyedDecodingContainer(
            KeyedNodes<Key>(node: node, entries: entries, asked: asked, codingPath: codingPath))
    }

    func unkeyedContainer() throws -> any UnkeyedDecodingContainer {
        ListedNodes(items: try node.items(), node: node, codingPath: codingPath)
    }

    func singleValueContainer() throws -> any SingleValueDecodingContainer {
        ScalarNode(node: node, codingPath: codingPath)
    }
}

extension YAMLNode {
    /// A value of a type that YAML knows; any other decodes itself.
    fileprivate func decoded<Value: Decodable>(_ type: Value.Type, path: [any CodingKey]) throws -> Value {
        let value: Any?
        switch type {
        case is String.Type: value = try string()
        case is Bool.Type: value = try boolean()
        case is Double.Type: value = try number()
        case is Float.Type: value = Float(try number())
        case let type as any FixedWidthInteger.Type: value = try fixed(type)
        default: return try NodeDecoder.value(type, self, path: path)
        }
        guard let result = value as? Value else { throw failure("expected \(type)") }
        return result
    }

    private func fixed<Number: FixedWidthInteger>(_ type: Number.Type) throws(VoltError) -> Number {
        let value = try integer()
        guard let number = Number(exactly: value) else { throw failure("\(value) is out of range") }
        return number
    }
}

private struct KeyedNodes<Key: CodingKey>: KeyedDecodingContainerProtocol {
    let node: YAMLNode
    let entries: [String: YAMLNode]
    let asked: Asked
    let codingPath: [any CodingKey]

    var allKeys: [Key] { entries.keys.sorted().compactMap { Key(stringValue: $0) } }

    private func find(_ key: Key) -> YAMLNode? {
        asked.keys.insert(key.stringValue)
        return entries[key.stringValue]
    }

    private func require(_ key: Key) throws -> YAMLNode {
        if let value = find(key) { return value }
        // It may be there with a typing mistake.
        let wrong = try node.entries().first { entry in
            Key(stringValue: entry.key) == nil
                && !EditDistance.suggestions(for: entry.key, among: [key.stringValue]).isEmpty
        }
        throw wrong?.unknown(among: [key.stringValue]) ?? node.failure("'\(key.stringValue)' is missing")
    }

    func contains(_ key: Key) -> Bool { find(key) != nil }
    func decodeNil(forKey key: Key) throws -> Bool { find(key)?.isNull ?? true }
    func decode<Value: Decodable>(_ type: Value.Type, forKey key: Key) throws -> Value {
        try require(key).decoded(type, path: codingPath + [key])
    }
    func decodeIfPresent<Value: Decodable>(_ type: Value.Type, forKey key: Key) throws -> Value? {
        guard let value = find(key), !value.isNull else { return nil }
        return try value.decoded(type, path: codingPath + [key])
    }
    func nestedContainer<Nested: CodingKey>(keyedBy type: Nested.Type, forKey key: Key) throws
        -> KeyedDecodingContainer<Nested>
    {
        try superDecoder(forKey: key).container(keyedBy: type)
    }
    func nestedUnkeyedContainer(forKey key: Key) throws -> any UnkeyedDecodingContainer {
        try superDecoder(forKey: key).unkeyedContainer()
    }
    func superDecoder() throws -> any Decoder {
        NodeDecoder(node: node, defaults: nil, asked: asked, codingPath: codingPath)
    }
    func superDecoder(forKey key: Key) throws -> any Decoder {
        NodeDecoder(node: try require(key), defaults: nil, asked: Asked(), codingPath: codingPath + [key])
    }
}

private struct ListedNodes: UnkeyedDecodingContainer {
    let items: [YAMLNode]
    let node: YAMLNode
    let codingPath: [any CodingKey]
    var currentIndex = 0

    init(items: [YAMLNode], node: YAMLNode, codingPath: [any CodingKey]) {
        self.items = items
        self.node = node
        self.codingPath = codingPath
    }

    var count: Int? { items.count }
    var isAtEnd: Bool { currentIndex >= items.count }

    private mutating func next() throws -> YAMLNode {
        guard !isAtEnd else { throw node.failure("the list has only \(items.count) items") }
        defer { currentIndex += 1 }
        return items[currentIndex]
    }

    mutating func decodeNil() throws -> Bool {
        guard !isAtEnd, items[currentIndex].isNull else { return false }
        currentIndex += 1
        return true
    }
    mutating func decode<Value: Decodable>(_ type: Value.Type) throws -> Value {
        try next().decoded(type, path: codingPath)
    }
    mutating func nestedContainer<Nested: CodingKey>(keyedBy type: Nested.Type) throws
        -> KeyedDecodingContainer<Nested>
    {
        try superDecoder().container(keyedBy: type)
    }
    mutating func nestedUnkeyedContainer() throws -> any UnkeyedDecodingContainer {
        try superDecoder().unkeyedContainer()
    }
    mutating func superDecoder() throws -> any Decoder {
        NodeDecoder(node: try next(), defaults: nil, asked: Asked(), codingPath: codingPath)
    }
}

private struct ScalarNode: SingleValueDecodingContainer {
    let node: YAMLNode
    let codingPath: [any CodingKey]

    func decodeNil() -> Bool { node.isNull }
    func decode<Value: Decodable>(_ type: Value.Type) throws -> Value {
        try node.decoded(type, path: codingPath)
    }
}
