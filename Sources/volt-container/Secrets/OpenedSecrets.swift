public import VoltCore
internal import VoltCrypto
internal import VoltSystem
public import VoltWorkload
internal import VoltYAML

/// The secrets of a container in the clear. They are kept in memory only.
public struct OpenedSecrets: Sendable {
    /// A file of the container.
    public struct File: Sendable {
        /// Where it goes.
        public let placement: SecretReference.Placement
        /// What is in it.
        public let bytes: [UInt8]
    }

    /// The most that the secrets of a container may come to, in bytes: they pass through a pipe as text.
    static let limit = 900 << 10

    /// Variables of the payload.
    public private(set) var variables: [String: String] = [:]
    /// Files of the container, in the order of the secrets.
    public private(set) var files: [File] = []

    /// Reads and decrypts; a file that several secrets are of is decrypted once.
    ///
    /// - Throws: `VoltError` naming the file, when a secret cannot be had.
    public init(_ secrets: [Secret], keys: AgeKeys) throws(VoltError) {
        guard !secrets.isEmpty else { return }
        try keys.check()
        var contents: [String: SecretContent] = [:]
        for secret in secrets {
            let content: SecretContent
            if let known = contents[secret.path] {
                content = known
            } else {
                let bytes = try Files.read(secret.path, limit: SecretFile.limit)
                guard SHA256Hasher.digest(of: bytes) == secret.digest else {
                    throw VoltError(
                        .refused, "\(secret.file): is not the file any more that the container was made with",
                        hint: "apply the workload again")
                }
                content = try SecretFile.open(bytes, file: secret.file, keys: keys)
                contents[secret.path] = content
            }
            switch secret.use {
            case .variables: try addAll(content, secret.file)
            case .chosen(let keys):
                for (name, key) in keys.sorted(by: { $0.key < $1.key }) {
                    try add(name, try Self.value(key, content, secret.file), secret.file)
                }
            case .file(let placement):
                let bytes =
                    if let key = placement.key {
                        Array(try Self.value(key, content, secret.file).utf8)
                    } else { Self.whole(content) }
                files.append(File(placement: placement, bytes: bytes))
            }
            guard size <= Self.limit else {
                throw VoltError(
                    .refused, "\(secret.file): the secrets are together larger than 900K",
                    hint: "keep large files in the image or a volume, and only their keys as secrets")
            }
        }
    }

    /// What all of it comes to, in bytes.
    private var size: Int {
        variables.reduce(files.reduce(0) { $0 + $1.bytes.count }) {
            $0 + $1.key.utf8.count + $1.value.utf8.count
        }
    }

    private mutating func addAll(_ content: SecretContent, _ file: String) throws(VoltError) {
        guard case .tree(let tree, _) = content else {
            throw VoltError(
                .failed, "\(file): has no keys that could be variables",
                hint:
                    "name it '….env.age' or encrypt it with SOPS as YAML, JSON or dotenv, or give it a 'target'"
            )
        }
        for entry in try tree.entries() {
            guard case .scalar(let text, _) = entry.value.content else {
                throw VoltError(
                    .failed, "\(file): '\(entry.key)' is not a single value, so it cannot be a variable",
                    hint: "choose values by their keys: env: {NAME: \(entry.key).key}")
            }
            try add(entry.key, entry.value.isNull ? "" : text, file)
        }
    }

    private mutating func add(_ name: String, _ value: String, _ file: String) throws(VoltError) {
        guard !name.isEmpty, !name.contains("="), !name.utf8.contains(0) else {
            throw VoltError(.failed, "\(file): '\(name)' is not the name of a variable")
        }
        guard !value.utf8.contains(0) else {
            throw VoltError(.failed, "\(file): the value of '\(name)' has a NUL character")
        }
        guard variables.updateValue(value, forKey: name) == nil else {
            throw VoltError(.failed, "\(file): the variable '\(name)' is set by two secrets")
        }
    }

    /// The value at a key: the keys that lead to it, with dots between them; a number counts in a list.
    private static func value(_ key: String, _ content: SecretContent, _ file: String) throws(VoltError)
        -> String
    {
        guard case .tree(let tree, _) = content else {
            throw VoltError(
                .failed, "\(file): has no keys, so there is no '\(key)' in it", hint: "leave 'key' out")
        }
        guard let node = find(key[...], tree) else {
            throw VoltError(
                .failed, "\(file): there is no '\(key)' in it",
                hint: "write the keys that lead to the value with dots between them: database.url")
        }
        guard case .scalar(let text, _) = node.content else {
            throw VoltError(.failed, "\(file): '\(key)' is not a single value")
        }
        return node.isNull ? "" : text
    }

    private static func find(_ key: Substring, _ node: YAMLNode) -> YAMLNode? {
        switch node.content {
        case .scalar: return nil
        case .mapping(let entries):
            if let entry = entries.first(where: { $0.key == key }) { return entry.value }
            // A key may have dots itself.
            for entry in entries where key.hasPrefix("\(entry.key).") {
                if let found = find(key.dropFirst(entry.key.count + 1), entry.value) { return found }
            }
            return nil
        case .sequence(let items):
            let parts = key.split(separator: ".", maxSplits: 1)
            guard let first = parts.first, let index = Int(first), items.indices.contains(index) else {
                return nil
            }
            return parts.count == 1 ? items[index] : find(parts[1], items[index])
        }
    }

    /// The file as it was before it was encrypted; comments are left out.
    private static func whole(_ content: SecretContent) -> [UInt8] {
        switch content {
        case .bytes(let bytes): return bytes
        case .tree(let tree, .yaml): return Array(YAML.text(tree).utf8)
        case .tree(let tree, .json), .tree(let tree, .binary): return Array((JSONText.of(tree) + "\n").utf8)
        case .tree(let tree, .dotenv):
            var text = ""
            for entry in (try? tree.entries()) ?? [] {
                guard case .scalar(let value, _) = entry.value.content else { continue }
                text += "\(entry.key)=\(value.replacing("\n", with: "\\n"))\n"
            }
            return Array(text.utf8)
        }
    }
}

/// Writes a tree as JSON (RFC 8259).
enum JSONText {
    static func of(_ node: YAMLNode) -> String {
        switch node.content {
        case .mapping(let entries):
            "{" + entries.map { "\(quoted($0.key)):\(of($0.value))" }.joined(separator: ",") + "}"
        case .sequence(let items): "[" + items.map(of).joined(separator: ",") + "]"
        // What JSON wrote without quotes is JSON without quotes.
        case .scalar(let text, let isPlain): isPlain ? text : quoted(text)
        }
    }

    private static func quoted(_ text: String) -> String {
        var quoted = "\""
        for character in text.unicodeScalars {
            switch character {
            case "\"": quoted += "\\\""
            case "\\": quoted += "\\\\"
            case _ where character.value < 32:
                let hex = String(character.value, radix: 16)
                quoted += "\\u" + String(repeating: "0", count: 4 - hex.count) + hex
            default: quoted.unicodeScalars.append(character)
            }
        }
        return quoted + "\""
    }
}
