internal import FoundationEssentials
internal import GitopsSource
internal import VoltCore
internal import VoltSystem
internal import VoltYAML

/// Pipelines as a file that can live in Git: `apiVersion: volt/v1`, `kind: pipelines`. The keys of a
/// pipeline are the properties of `Pipeline`, so that a new one is in the file by itself. Secrets are never
/// in it: `secretFile` says where one is.
struct PipelineDocument {
    /// A pipeline of the file.
    struct Entry {
        var pipeline: Pipeline
        /// The absolute path of the file with the hook's secret, or nil.
        var secretFile: String?
        /// Whether the file says that deliveries without a signature are taken.
        var allowsUnsigned: Bool
        /// Where it stands, for errors.
        var node: YAMLNode

        /// An error at the entry.
        func failure(_ error: VoltError) -> VoltError {
            var placed = node.failure(error.message, hint: error.hint)
            placed.code = error.code
            return placed
        }
    }

    static let apiVersion = "volt/v1"
    static let kind = "pipelines"
    /// The keys in the order in which people look for them.
    static let order = [
        "apiVersion", "kind", "pipelines", "name", "repo", "provider", "branch", "workload", "path",
        "secretFile",
    ]
    /// Properties that are the host's own affair.
    static let hidden: Set<String> = ["createdAt", "allowsUnsigned"]
    /// Keys of the file that are no properties.
    static let extra = ["secretFile", "insecureNoSecret"]

    // MARK: Writing

    /// The pipelines as a node.
    ///
    /// - Parameter secretFile: where the secret of a pipeline is.
    static func node(_ pipelines: [Pipeline], secretFile: (Pipeline) -> String?) throws(VoltError) -> YAMLNode
    {
        var list: [YAMLNode] = []
        for pipeline in pipelines {
            let defaults = try entries(blank(like: pipeline))
            var kept = try entries(pipeline).filter { entry in
                guard !hidden.contains(entry.key), !entry.value.isNull else { return false }
                return !defaults.contains {
                    $0.key == entry.key && YAML.text($0.value) == YAML.text(entry.value)
                }
                    || ["name", "repo", "provider", "branch", "workload"].contains(entry.key)
            }
            if let file = secretFile(pipeline) { kept.append(YAMLEntry(key: "secretFile", text: file)) }
            if pipeline.allowsUnsigned { kept.append(YAMLEntry(key: "insecureNoSecret", boolean: true)) }
            list.append(YAMLNode(mapping: kept))
        }
        return YAMLNode(mapping: [
            YAMLEntry(key: "apiVersion", text: apiVersion), YAMLEntry(key: "kind", text: kind),
            YAMLEntry(key: "pipelines", list: list),
        ])
    }

    /// What a pipeline is that says only what it must.
    private static func blank(like pipeline: Pipeline) -> Pipeline {
        var blank = Pipeline(
            name: pipeline.name, repo: pipeline.repo, provider: pipeline.provider, branch: pipeline.branch,
            workload: pipeline.workload, createdAt: pipeline.createdAt)
        blank.control = .read(nil)
        return blank
    }

    /// The properties of a pipeline as the file has them, by name.
    static func entries(_ pipeline: Pipeline) throws(VoltError) -> [YAMLEntry] {
        var pipeline = pipeline
        pipeline.control = (pipeline.control ?? ControlOptions()).written
        return try tree(pipeline).entries().sorted { $0.key < $1.key }
    }

    private static func tree(_ pipeline: Pipeline) throws(VoltError) -> YAMLNode {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        let bytes: [UInt8]
        do { bytes = Array(try encoder.encode(pipeline)) } catch {
            throw VoltError(.failed, "cannot encode pipeline '\(pipeline.name)': \(error)")
        }
        // JSON is a part of YAML 1.2.
        return try YAML.parse(bytes, file: "pipeline '\(pipeline.name)'")
    }

    // MARK: Reading

    /// The pipelines of a file.
    ///
    /// - Parameters:
    ///   - bytes: the file; any bytes are safe.
    ///   - file: its name, for errors.
    ///   - directory: the absolute path that relative ones in the file are seen from.
    ///   - now: when pipelines that are new are created.
    static func read(_ bytes: [UInt8], file: String, directory: String, now: Timestamp) throws(VoltError)
        -> [Entry]
    {
        let root = try YAML.parse(bytes, file: file)
        let fields = try root.fields(["apiVersion", "kind", "pipelines"])
        for (key, wanted) in [("apiVersion", apiVersion), ("kind", kind)] {
            guard let node = fields[key] else {
                throw root.failure("'\(key)' is missing", hint: "write '\(key): \(wanted)'")
            }
            guard try node.string() == wanted else {
                throw node.failure("\(key) '\(try node.string())' is not one this tool reads (\(wanted))")
            }
        }
        guard let list = fields["pipelines"] else { throw root.failure("'pipelines' is missing") }
        var names: [Name: Int] = [:]
        var entries: [Entry] = []
        for node in list.isNull ? [] : try list.items() {
            let entry = try read(node, directory: directory, now: now)
            if let line = names.updateValue(node.mark.line, forKey: entry.pipeline.name) {
                throw node.failure("pipeline '\(entry.pipeline.name)' stands on line \(line) already")
            }
            entries.append(entry)
        }
        return entries
    }

    private static func read(_ node: YAMLNode, directory: String, now: Timestamp) throws(VoltError) -> Entry {
        let fields = try node.entries()
        func field(_ key: String) -> YAMLNode? {
            fields.first { $0.key == key && !$0.value.isNull }?.value
        }
        let name = try Name("a")
        let blank = blank(
            like: Pipeline(
                name: name, repo: "", provider: .github, branch: "", workload: name, createdAt: now))
        let followsOther =
            try field("track")?.entries().contains { ["tag", "commit"].contains($0.key) } ?? false
        let required = Set(["name", "repo", "provider", "workload"] + (followsOther ? [] : ["branch"]))
        let defaults = YAMLNode(
            mapping: try entries(blank).filter { !required.contains($0.key) })
        for entry in fields where hidden.contains(entry.key) { throw entry.unknown(among: extra) }
        // The keys that are no properties are read here, and known to the search for typing mistakes.
        let rest = YAMLNode(like: node, .mapping(fields.filter { !extra.contains($0.key) }))
        var pipeline: Pipeline
        do throws(VoltError) { pipeline = try YAML.decode(from: rest, defaults: defaults) } catch {
            guard let wrong = fields.first(where: { error.message.hasSuffix("unknown key '\($0.key)'") }),
                EditDistance.suggestions(for: wrong.key, among: extra, limit: 1).first != nil
            else { throw error }
            throw wrong.unknown(among: extra)
        }
        pipeline.createdAt = now
        pipeline.control = .read(pipeline.control)
        pipeline.settleBranch()
        let unsigned = try field("insecureNoSecret")?.boolean() ?? false
        var secretFile: String?
        if let secret = field("secretFile") {
            secretFile = Files.absolute(try secret.string(), from: directory)
        }
        pipeline.mapFiles { Files.absolute($0, from: directory) }
        return Entry(pipeline: pipeline, secretFile: secretFile, allowsUnsigned: unsigned, node: node)
    }
}
