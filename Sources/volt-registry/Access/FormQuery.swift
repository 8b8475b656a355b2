internal import VoltCore

/// The query of a URL as names and values, in its order.
struct FormQuery: Sendable {
    /// The longest query, in bytes.
    static let longest = 16 << 10

    let items: [(name: String, value: String)]

    /// - Throws: `VoltError` with code `usage` when it is too long, or no UTF-8 in percent encoding.
    init(_ text: String) throws(VoltError) {
        guard text.utf8.count <= Self.longest else { throw VoltError(.usage, "the query is too long") }
        var items: [(name: String, value: String)] = []
        for pair in text.utf8.split(separator: 38) {
            guard items.count < 128 else { throw VoltError(.usage, "the query has too many parameters") }
            let parts = pair.split(separator: 61, maxSplits: 1, omittingEmptySubsequences: false)
            guard let name = Self.decode(parts[0]),
                let value = Self.decode(parts.count > 1 ? parts[1] : "".utf8[...])
            else { throw VoltError(.usage, "the query is not encoded as a URL has it") }
            items.append((name, value))
        }
        self.items = items
    }

    /// The values of a name.
    func values(_ name: String) -> [String] { items.filter { $0.name == name }.map(\.value) }

    private static func decode(_ text: Substring.UTF8View) -> String? {
        guard let bytes = Percent.bytes(text, form: true), !bytes.contains(0) else { return nil }
        return String(validating: bytes, as: UTF8.self)
    }
}
