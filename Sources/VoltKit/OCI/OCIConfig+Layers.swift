internal import FoundationEssentials
public import VoltCore

extension OCIConfig {
    /// The bytes of a configuration with other layers; all else stays, also what nobody here knows.
    ///
    /// - Parameter diffIDs: the digests of the layers without compression, the lowest first.
    /// - Throws: `VoltError` when the bytes are no JSON object.
    public static func replacingLayers(of bytes: [UInt8], by diffIDs: [OCIDigest]) throws(VoltError)
        -> [UInt8]
    {
        guard bytes.count <= OCIDocument.longest,
            var object = try? JSONDecoder().decode([String: JSONValue].self, from: Data(bytes))
        else {
            throw VoltError(
                .failed, "the configuration of the image is no JSON object", hint: "pull the image again")
        }
        object["rootfs"] = .object([
            "type": .text("layers"), "diff_ids": .list(diffIDs.map { .text($0.description) }),
        ])
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        do { return Array(try encoder.encode(object)) } catch {
            throw VoltError(.failed, "cannot encode a document as JSON: \(error)")
        }
    }
}

/// Any JSON, for documents of which only a part is known.
private enum JSONValue: Codable {
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
}
