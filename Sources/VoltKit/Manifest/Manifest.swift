public import VoltCore
public import VoltYAML

/// The fields that every kind's manifest has.
public struct Manifest: Sendable, Equatable {
    /// The name of the file in a source.
    public static let fileName = "volt-manifest.yaml"
    /// The kind of workload: the tool `volt-<kind>` applies it.
    public let kind: Name
    /// The name of the workload, when the manifest gives one.
    public let name: Name?
    /// The workloads, of any kind, that have to be healthy before this one is started.
    public let after: [Name]

    /// Reads apiVersion, kind, name and after; the spec belongs to the kind's tool and is not looked at.
    ///
    /// - Parameters:
    ///   - bytes: the file.
    ///   - file: its name, for errors.
    /// - Throws: `VoltError` with file, line and column.
    public init(bytes: [UInt8], file: String = Manifest.fileName) throws(VoltError) {
        self = try Self.header(try YAML.parse(bytes, file: file)).manifest
    }

    /// Reads a manifest of one kind. Whoever writes the tool of a kind reads the fields of the spec, with
    /// `YAMLNode.fields`, and says what is wrong with them by `YAMLNode.failure`.
    ///
    /// - Parameters:
    ///   - bytes: the file.
    ///   - file: its name, for errors.
    ///   - kind: the kind.
    /// - Returns: the fields of every manifest, and the spec.
    /// - Throws: `VoltError` with file, line and column.
    public static func read(_ bytes: [UInt8], file: String = Manifest.fileName, kind: String)
        throws(VoltError)
        -> (manifest: Manifest, spec: YAMLNode)
    {
        let root = try YAML.parse(bytes, file: file)
        let (manifest, fields) = try header(root)
        guard manifest.kind.text == kind else {
            throw (fields["kind"] ?? root).failure(
                "this is a manifest of kind '\(manifest.kind)', not '\(kind)'")
        }
        return (manifest, try require("spec", in: fields, of: root))
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
        return (Manifest(kind: kind, name: name, after: try names(fields["after"], not: name)), fields)
    }

    /// A field that must be there.
    public static func require(_ key: String, in fields: [String: YAMLNode], of node: YAMLNode)
        throws(VoltError)
        -> YAMLNode
    {
        guard let value = fields[key] else { throw node.failure("'\(key)' is missing") }
        return value
    }

    private static func names(_ node: YAMLNode?, not own: Name?) throws(VoltError) -> [Name] {
        guard let node else { return [] }
        var names: [Name] = []
        for item in try node.items() {
            let name = try item.parsed { text throws(VoltError) in try Name(text, of: "workload") }
            guard name != own else { throw item.failure("'\(name)' would wait for itself") }
            guard !names.contains(name) else { throw item.failure("'\(name)' is named twice") }
            names.append(name)
        }
        guard names.count <= Self.mostDependencies else {
            throw node.failure("'after' has more than \(Self.mostDependencies) workloads")
        }
        return names
    }

    /// The most workloads that one waits for.
    static let mostDependencies = 64

    private init(kind: Name, name: Name?, after: [Name]) {
        self.kind = kind
        self.name = name
        self.after = after
    }
}
