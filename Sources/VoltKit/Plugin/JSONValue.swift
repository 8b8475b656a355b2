/// A JSON text (RFC 8259) as a value, read strictly and within limits.
///
/// `volt` links no Foundation, and what it reads was written by strangers.
public indirect enum JSONValue: Sendable, Equatable {
    /// `null`
    case null
    /// `true` or `false`
    case bool(Bool)
    /// A number as it was written.
    case number(String)
    /// A string.
    case string(String)
    /// An array.
    case array([JSONValue])
    /// An object; a name that occurs twice is refused.
    case object([String: JSONValue])

    /// The deepest nesting of arrays and objects that is read.
    public static let maximumDepth = 16
    /// The longest text that is read, in bytes.
    public static let maximumSize = 64 << 10

    /// Parses a whole text.
    ///
    /// - Throws: `JSONFailure`, with the place of the mistake.
    public init(_ bytes: some Collection<UInt8>) throws(JSONFailure) {
        guard bytes.count <= Self.maximumSize else {
            throw JSONFailure(offset: Self.maximumSize, reason: "is longer than 64 KiB")
        }
        var reader = JSONReader(Array(bytes))
        self = try reader.text()
    }

    /// The member of an object; nil for other values and absent names.
    public subscript(_ name: String) -> JSONValue? {
        if case .object(let members) = self { members[name] } else { nil }
    }

    /// The text of a string, else nil.
    public var string: String? { if case .string(let text) = self { text } else { nil } }

    /// The value of a number without fraction or exponent, else nil.
    public var integer: Int? { if case .number(let text) = self { Int(text) } else { nil } }

    /// The value of `true` and `false`, else nil.
    public var bool: Bool? { if case .bool(let value) = self { value } else { nil } }

    /// The elements of an array, else nil.
    public var array: [JSONValue]? { if case .array(let elements) = self { elements } else { nil } }

    /// The value as JSON over several lines, members sorted by name.
    public func text(indent: String = "") -> String {
        let inner = indent + "  "
        switch self {
        case .null: return "null"
        case .bool(let value): return value ? "true" : "false"
        case .number(let text): return text
        case .string(let text): return Self.quoted(text)
        case .array(let elements):
            if elements.isEmpty { return "[]" }
            return "[\n" + elements.map { inner + $0.text(indent: inner) }.joined(separator: ",\n")
                + "\n\(indent)]"
        case .object(let members):
            if members.isEmpty { return "{}" }
            return "{\n"
                + members.sorted { $0.key < $1.key }
                .map { "\(inner)\(Self.quoted($0.key)) : \($0.value.text(indent: inner))" }
                .joined(separator: ",\n") + "\n\(indent)}"
        }
    }

    private static func quoted(_ text: String) -> String {
        var result = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": result += "\\\""
            case "\\": result += "\\\\"
            case "\n": result += "\\n"
            case "\t": result += "\\t"
            case "\r": result += "\\r"
            case _ where scalar.value < 32 || scalar.value == 127:
                let digits = String(scalar.value, radix: 16)
                result += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result + "\""
    }
}

/// Why a text is not the JSON that was expected.
public struct JSONFailure: Error, Sendable, Equatable, CustomStringConvertible {
    /// The byte at which it shows, counted from 0.
    public let offset: Int
    /// What is wrong, a phrase that goes with the text as its subject.
    public let reason: String

    /// The reason and the place.
    public var description: String { "\(reason) (at byte \(offset))" }
}
