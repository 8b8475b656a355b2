public import VoltCore

/// The settings of static helpers, which have no JSON: `volt-settings 1`, then `key=value`
/// records, each ended by a zero byte. A key may stand more than once.
public struct Settings: Sendable, Equatable {
    private static let header = "volt-settings 1"
    /// In front of a `lower` that is an EROFS image with the names of a tree, whose files are below `objects`; without
    /// it a lower is a directory.
    public static let names = "names:"
    /// The largest encoded size, in bytes; argv and environment of a process are bounded by 2 MiB too.
    public static let limit = 2 << 20

    /// The records in their order.
    public private(set) var records: [(key: String, value: String)] = []

    /// No records.
    public init() {}

    /// Adds a record.
    public mutating func add(_ key: String, _ value: String) { records.append((key, value)) }

    /// Adds a record for each value.
    public mutating func add(_ key: String, all values: [String]) {
        for value in values { add(key, value) }
    }

    /// Puts records in the place of those that a key has.
    public mutating func set(_ key: String, all values: [String]) {
        records.removeAll { $0.key == key }
        add(key, all: values)
    }

    /// Parses encoded bytes.
    ///
    /// - Throws: `VoltError` when the bytes are too many, cut off, or of another version.
    public init(decoding bytes: [UInt8]) throws(VoltError) {
        guard bytes.count <= Self.limit else { throw VoltError(.failed, "the settings are larger than 2M") }
        guard bytes.last == 0 else { throw VoltError(.failed, "the settings are cut off") }
        var fields = bytes.split(separator: 0, omittingEmptySubsequences: false)
        fields.removeLast()
        guard let first = fields.first, first.elementsEqual(Self.header.utf8) else {
            throw VoltError(.failed, "the settings are not of a version that this program reads")
        }
        for field in fields.dropFirst() {
            guard let equals = field.firstIndex(of: UInt8(ascii: "=")), equals > field.startIndex else {
                throw VoltError(.failed, "the settings have a record without a key")
            }
            add(
                String(decoding: field[..<equals], as: UTF8.self),
                String(decoding: field[(equals + 1)...], as: UTF8.self))
        }
    }

    /// The bytes of the records.
    ///
    /// - Throws: `VoltError` when a value has a zero byte, which no argument of a program can carry.
    public func encoded() throws(VoltError) -> [UInt8] {
        var bytes = Array(Self.header.utf8) + [0]
        for (key, value) in records {
            guard !value.utf8.contains(0) else {
                throw VoltError(.usage, "a value of '\(key)' has a zero byte")
            }
            bytes += Array(key.utf8) + [UInt8(ascii: "=")] + Array(value.utf8) + [0]
        }
        guard bytes.count <= Self.limit else {
            throw VoltError(.usage, "command, environment and mounts are together larger than 2M")
        }
        return bytes
    }

    /// All values of a key.
    public func all(_ key: String) -> [String] { records.filter { $0.key == key }.map(\.value) }

    /// The last value of a key, or nil.
    public func optional(_ key: String) -> String? { records.last { $0.key == key }?.value }

    /// The last value of a key.
    public func text(_ key: String) throws(VoltError) -> String {
        guard let value = optional(key) else { throw VoltError(.failed, "the settings have no '\(key)'") }
        return value
    }

    /// The last value of a key as a number.
    public func number<Number: FixedWidthInteger>(_ key: String, as type: Number.Type = Number.self)
        throws(VoltError) -> Number
    {
        guard let number = Number(try text(key)) else { throw VoltError(.failed, "'\(key)' is not a number") }
        return number
    }

    /// Whether a key has the value `1`.
    public func flag(_ key: String) -> Bool { optional(key) == "1" }

    /// Equal records in the same order.
    public static func == (left: Settings, right: Settings) -> Bool {
        left.records.elementsEqual(right.records) { $0 == $1 }
    }
}
