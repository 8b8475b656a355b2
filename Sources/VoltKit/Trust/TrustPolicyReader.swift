public import VoltCore
internal import VoltOCI
internal import VoltSigning
internal import VoltSystem
internal import VoltYAML

extension TrustPolicy {
    /// The policy of a file.
    ///
    /// - Parameters:
    ///   - bytes: the file; any bytes are safe.
    ///   - path: its path: paths of keys are seen from its folder, and errors name it.
    ///   - key: reads the file of a key by its path.
    /// - Throws: `VoltError` with code `refused`, and file, line and column: nothing is taken on a policy that cannot be
    ///   understood.
    public static func read(
        _ bytes: [UInt8], path: String,
        key: @escaping (String) throws(VoltError) -> [UInt8]
    ) throws(VoltError) -> TrustPolicy {
        do throws(VoltError) {
            let reader = TrustPolicyReader(folder: Files.parent(of: path), key: key)
            return try reader.policy(try YAML.parse(bytes, file: path))
        } catch {
            throw VoltError(
                .refused, error.message, hint: error.hint ?? "no image is taken until the file is right")
        }
    }
}

extension TrustPolicy {
    /// The same with the keys of this host.
    public static func read(_ bytes: [UInt8], path: String) throws(VoltError) -> TrustPolicy {
        try read(bytes, path: path) { key throws(VoltError) in try Files.read(key, limit: 1 << 20) }
    }
}

private struct TrustPolicyReader {
    /// More rules than anybody keeps in their head.
    static let mostRules = 1000
    let folder: String
    let key: (String) throws(VoltError) -> [UInt8]

    func policy(_ root: YAMLNode) throws(VoltError) -> TrustPolicy {
        let fields = try root.fields(["version", "default", "images"])
        guard let version = fields["version"] else {
            throw root.failure("'version' is missing", hint: "write version: 1")
        }
        guard try version.integer() == 1 else {
            throw version.failure("version \(try version.integer()) is not known", hint: "write version: 1")
        }
        guard let otherwise = fields["default"] else {
            throw root.failure(
                "'default' is missing", hint: "write default: accept or default: refuse for all other images")
        }
        var policy = TrustPolicy()
        policy.otherwisePlace = place(otherwise)
        switch try otherwise.string() {
        case "accept": policy.otherwise = .accept
        case "refuse": policy.otherwise = .refuse
        default: throw otherwise.failure("expected accept or refuse")
        }
        let items = try fields["images"]?.items() ?? []
        guard items.count <= Self.mostRules else {
            throw (fields["images"] ?? root).failure("there are more than \(Self.mostRules) rules")
        }
        for item in items { policy.rules.append(try rule(item)) }
        return policy
    }

    private func place(_ node: YAMLNode) -> String { "\(node.mark.file):\(node.mark.line)" }

    private func rule(_ node: YAMLNode) throws(VoltError) -> TrustPolicy.Rule {
        let fields = try node.fields(["name", "signedBy", "identity", "accept", "refuse"])
        guard let name = fields["name"] else { throw node.failure("'name' is missing") }
        let pattern = try self.pattern(name)
        let action: TrustPolicy.Action
        switch (fields["signedBy"], fields["accept"], fields["refuse"]) {
        case (let keys?, nil, nil):
            action = .signed(
                by: try self.keys(keys),
                for: try fields["identity"].map { node throws(VoltError) in try identity(node) })
        case (nil, let accept?, nil):
            try requireTrue(accept)
            action = .accept
        case (nil, nil, let refuse?):
            try requireTrue(refuse)
            action = .refuse
        default: throw node.failure("one of 'signedBy', 'accept' and 'refuse' is needed")
        }
        if let identity = fields["identity"], fields["signedBy"] == nil {
            throw identity.failure("'identity' belongs to 'signedBy'")
        }
        return TrustPolicy.Rule(pattern: pattern, action: action, place: place(node))
    }

    private func requireTrue(_ node: YAMLNode) throws(VoltError) {
        guard try node.boolean() else {
            throw node.failure("expected true", hint: "say what is done instead, or take the rule out")
        }
    }

    private func pattern(_ node: YAMLNode) throws(VoltError) -> NamePattern {
        let text = try node.string()
        let hint = "write HOST/REPOSITORY, with * for a part and ** for any number of parts"
        let pattern = NamePattern(text) { byte in
            (97...122).contains(byte) || (48...57).contains(byte)
                || [45, 46, 58, 91, 93, 95].contains(byte)
        }
        guard let pattern else {
            throw node.failure("'\(text.prefix(100))' is not a pattern of images", hint: hint)
        }
        let parts = text.split(separator: "/", maxSplits: 1)
        guard let host = parts.first,
            host.contains(".") || host.contains(":") || host.contains("*") || host == "localhost"
        else {
            throw node.failure(
                "'\(text.prefix(100))' begins with no host",
                hint: "images of Docker Hub are docker.io/NAME/NAME, such as docker.io/library/debian")
        }
        if parts.count > 1, parts[1].contains(where: { ":[]".contains($0) }) {
            throw node.failure("'\(text.prefix(100))' names a tag", hint: "a rule is about all tags: \(hint)")
        }
        return pattern
    }

    private func keys(_ node: YAMLNode) throws(VoltError) -> [TrustedKey] {
        let items = try node.items()
        guard !items.isEmpty else { throw node.failure("no key is named") }
        var keys: [TrustedKey] = []
        for item in items {
            let text = try item.string()
            guard !text.isEmpty, !text.utf8.contains(0) else { throw item.failure("expected a path") }
            let path = text.hasPrefix("/") ? text : "\(folder)/\(text)"
            do throws(VoltError) {
                keys += try TrustedKey.keys(pem: try key(path), named: path)
            } catch {
                throw item.failure(error.message, hint: error.hint)
            }
        }
        return keys
    }

    private func identity(_ node: YAMLNode) throws(VoltError) -> SignatureCheck.Identity {
        let text = try node.string()
        if text == "any" { return .any }
        guard text.contains("/"), let reference = try? OCIReference(text), reference.manifest == nil else {
            throw node.failure("expected 'any' or HOST/REPOSITORY")
        }
        return .repository("\(reference.host)/\(reference.repository)")
    }
}
