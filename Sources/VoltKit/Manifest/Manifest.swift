public import VoltCore
internal import VoltYAML

/// What every manifest says, whatever its kind.
public struct Manifest: Sendable, Equatable {
    /// The name of the file in a source.
    public static let fileName = "volt-manifest.yaml"
    /// The kind of workload: the tool `volt-<kind>` applies it.
    public let kind: Name
    /// The name of the workload, when the manifest gives one.
    public let name: Name?

    /// Reads apiVersion, kind and name; the spec belongs to the kind's tool and is not looked at.
    ///
    /// - Parameters:
    ///   - bytes: the file.
    ///   - file: its name, for errors.
    /// - Throws: `VoltError` with file, line and column.
    public init(bytes: [UInt8], file: String = Manifest.fileName) throws(VoltError) {
        self = try Self.header(try YAML.parse(bytes, file: file)).manifest
    }

    static func header(_ root: YAMLNode) throws(VoltError) -> (manifest: Manifest, fields: [String: YAMLNode])
    {
        let fields = try root.fields(["apiVersion", "kind", "name", "spec", "after"])
        let version = try require("apiVersion", in: fields, of: root)
        guard try version.string() == "volt/v1" else {
            throw version.failure(
                "apiVersion '\(try version.string())' is not one this tool reads (volt/v1)",
                hint: "write 'apiVersion: volt/v1', or upgrade Volt")
        }
        let kind = try require("kind", in: fields, of: root).parsed { text throws(VoltError) in
            try Name(text, of: "kind")
        }
        let name = try fields["name"]?.parsed { text throws(VoltError) in try Name(text, of: "workload") }
        return (Manifest(kind: kind, name: name), fields)
    }

    static func require(_ key: String, in fields: [String: YAMLNode], of node: YAMLNode) throws(VoltError)
        -> YAMLNode
    {
        guard let value = fields[key] else { throw node.failure("'\(key)' is missing") }
        return value
    }

    private init(kind: Name, name: Name?) {
        self.kind = kind
        self.name = name
    }
}
