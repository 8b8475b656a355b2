internal import VoltCore
internal import VoltWorkload
internal import VoltYAML

/// Reads the `secrets` section.
enum SecretReader {
    /// The directory of the files whose place is not said; Compose has them there too.
    static let directory = "/run/secrets"

    static func read(_ node: YAMLNode, volumes: [VolumeMount]) throws(VoltError)
        -> [SecretReference]
    {
        var secrets: [SecretReference] = []
        for item in try node.items() {
            let secret = try read(item)
            if case .file(let file) = secret.use {
                let isTaken =
                    volumes.contains { $0.target == file.target }
                    || secrets.contains {
                        if case .file(let other) = $0.use { other.target == file.target } else { false }
                    }
                if isTaken { throw item.failure("'\(file.target)' is mounted twice") }
            }
            secrets.append(secret)
        }
        return secrets
    }

    private static func read(_ node: YAMLNode) throws(VoltError) -> SecretReference {
        let fields = try node.fields(["file", "env", "key", "target", "mode", "uid", "gid"])
        guard let file = fields["file"] else {
            throw node.failure("'file' is missing", hint: "write the path of an encrypted file of the source")
        }
        let path = try SpecReader.relative(file, try file.string())
        guard !path.isEmpty else { throw file.failure("'file' is empty") }
        guard let environment = fields["env"] else {
            return .init(file: path, use: .file(try placement(node, fields, path)))
        }
        for key in ["key", "target", "mode", "uid", "gid"] {
            if let field = fields[key] {
                throw field.failure(
                    "'env' and '\(key)' exclude each other",
                    hint: "write one entry for the variables and one for the file")
            }
        }
        if case .mapping(let entries) = environment.content {
            var chosen: [String: String] = [:]
            for entry in entries {
                guard !entry.key.isEmpty, !entry.key.contains("="), !entry.key.utf8.contains(0) else {
                    throw entry.value.failure("'\(entry.key)' is not the name of a variable")
                }
                chosen[entry.key] = try entry.value.string()
            }
            guard !chosen.isEmpty else { throw environment.failure("'env' names no variable") }
            return .init(file: path, use: .chosen(chosen))
        }
        guard (try? environment.boolean()) == true else {
            throw environment.failure(
                "expected true or a mapping",
                hint: "write 'env: true' for every key of the file, or {NAME: key} for some")
        }
        return .init(file: path, use: .variables)
    }

    private static func placement(_ node: YAMLNode, _ fields: [String: YAMLNode], _ path: String)
        throws(VoltError) -> SecretReference.Placement
    {
        var name = path.split(separator: "/").last.map(String.init) ?? path
        if name.hasSuffix(".age") { name.removeLast(4) }
        var placement = SecretReference.Placement(target: "\(directory)/\(name)")
        if let key = fields["key"] {
            let text = try key.string()
            guard !text.isEmpty else { throw key.failure("'key' is empty") }
            placement.key = text
            if fields["target"] == nil { placement.target = "\(directory)/\(text)" }
        }
        if let target = fields["target"] {
            let text = try target.string()
            placement.target = text.hasPrefix("/") ? text : "\(directory)/\(text)"
        }
        guard placement.target != "/", !placement.target.hasSuffix("/"), !placement.target.utf8.contains(0),
            !placement.target.split(separator: "/").contains(where: { $0 == ".." || $0 == "." })
        else {
            throw (fields["target"] ?? fields["key"] ?? node).failure(
                "'\(placement.target)' is not a path in the container",
                hint: "write /path or a name below \(directory)")
        }
        if let mode = fields["mode"] {
            let text = try mode.string()
            let digits = text.hasPrefix("0o") ? text.dropFirst(2) : text[...]
            guard (3...4).contains(digits.utf8.count), let bits = UInt32(digits, radix: 8), bits <= 0o777
            else {
                throw mode.failure("'\(text)' are no permissions", hint: "write them octal: 0440")
            }
            placement.mode = bits
        }
        if let uid = fields["uid"] { placement.uid = try number(uid) }
        if let gid = fields["gid"] { placement.gid = try number(gid) }
        return placement
    }

    private static func number(_ node: YAMLNode) throws(VoltError) -> UInt32 {
        let value = try node.integer()
        guard let number = UInt32(exactly: value), number <= AccountNumber.largest else {
            throw node.failure(
                "\(value) is not the number of a user or group",
                hint: "write a number from 0 to \(AccountNumber.largest)")
        }
        return number
    }
}
