internal import VoltPlugin

extension JSONValue {
    /// The value as JSON on one line without spaces, members sorted by name.
    var compact: String {
        switch self {
        case .array(let elements): "[" + elements.map(\.compact).joined(separator: ",") + "]"
        case .object(let members):
            "{"
                + members.sorted { $0.key < $1.key }
                .map { "\(JSONValue.string($0.key).text()):\($0.value.compact)" }
                .joined(separator: ",") + "}"
        default: text()
        }
    }
}
