internal import FoundationEssentials
internal import VoltCore

/// Any JSON, for documents of which only a part is known.
enum JSONValue: Codable {
    case null
    case bool(Bool)
    case integer(Int64)
    case number(Double)
    case text(String)
    case list([JSONValue])
    case object([String: JSONValue])

    init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        if container.decodeNil() {
            self = .null
        } else if let value = try? container.decode(Bool.self) {
            self = .bool(value)
        } else if let value = try? container.decode(Int64.self) {
            self = .integer(value)
        } else if let value = try? container.decode(Double.self) {
            self = .number(value)
        } else if let value = try? container.decode(String.self) {
            self = .text(value)
        } else if let value = try? container.decode([JSONValue].self) {
            self = .list(value)
        } else {
            self = .object(try container.decode([String: JSONValue].self))
        }
    }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        switch self {
        case .null: try container.encodeNil()
        case .bool(let value): try container.encode(value)
        case .integer(let value): try container.encode(value)
        case .number(let value): try container.encode(value)
        case .text(let value): try container.encode(value)
        case .list(let value): try container.encode(value)
        case .object(let value): try container.encode(value)
        }
    }

    /// An object with another value for a key, everything else as it was.
    static func replacing(_ key: String, in bytes: [UInt8], by value: some Encodable) throws(VoltError)
        -> [UInt8]
    {
        guard var object = try? JSONDecoder().decode([String: JSONValue].self, from: Data(bytes)),
            let new = try? JSONDecoder().decode(JSONValue.self, from: Data(try JSONFile.encode(value)))
        else {
            throw VoltError(
                .failed, "the configuration of the image is no JSON object", hint: "pull it again")
        }
        object[key] = new
        return try JSONFile.encode(object)
    }
}
