internal import FoundationEssentials
internal import VoltCore
internal import VoltSystem

/// Small values kept as JSON files.
enum JSONFile {
    /// The bytes of a value: sorted keys, so that equal values have equal bytes.
    static func encode(_ value: some Encodable) throws(VoltError) -> [UInt8] {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        do { return Array(try encoder.encode(value)) } catch {
            throw VoltError(.failed, "cannot encode a value as JSON: \(error)")
        }
    }

    /// Reads a value.
    ///
    /// - Throws: `VoltError`; code `notFound` when there is no such file.
    static func read<Value: Decodable>(_ type: Value.Type, _ path: String) throws(VoltError) -> Value {
        let bytes = try Files.read(path)
        do { return try JSONDecoder().decode(type, from: Data(bytes)) } catch {
            throw VoltError(.failed, "cannot read '\(path)': it is damaged or of another version")
        }
    }

    /// Writes a value durably: a crash leaves the old value or the new one.
    static func write(_ value: some Encodable, _ path: String) throws(VoltError) {
        try Files.replace(path, with: try encode(value), mode: 0o600)
    }
}
