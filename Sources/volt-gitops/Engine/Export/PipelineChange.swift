internal import VoltCore
internal import VoltYAML

/// What an import does to one pipeline.
public struct PipelineChange: Encodable, Sendable, Equatable {
    /// What happens.
    public enum Action: String, Encodable, Sendable {
        case create, update, delete, unchanged
    }

    /// A property that changes; texts as YAML has them, empty for none.
    public struct Property: Encodable, Sendable, Equatable {
        /// The key in the file.
        public var key: String
        /// What it was.
        public var old: String
        /// What it becomes.
        public var new: String
    }

    /// The name of the pipeline.
    public var name: String
    /// What happens.
    public var action: Action
    /// What changes; of a secret only that it does.
    public var properties: [Property]

    /// The properties of a pipeline that differ from another.
    static func properties(from old: Pipeline, to new: Pipeline) throws(VoltError) -> [Property] {
        let before = try PipelineDocument.entries(old)
        let after = try PipelineDocument.entries(new)
        let keys = Set((before + after).map(\.key)).subtracting(["createdAt"])
        return keys.sorted().compactMap { key in
            let (left, right) = (text(before, key), text(after, key))
            return left == right ? nil : Property(key: key, old: left, new: right)
        }
    }

    private static func text(_ entries: [YAMLEntry], _ key: String) -> String {
        guard let value = entries.first(where: { $0.key == key })?.value, !value.isNull else { return "" }
        let text = YAML.text(value)
        return text.split(separator: "\n").joined(separator: "; ")
    }
}
