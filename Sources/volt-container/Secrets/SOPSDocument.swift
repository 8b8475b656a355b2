public import VoltCore
internal import VoltCrypto
internal import VoltYAML

/// A file whose values are encrypted with SOPS (getsops.io), read with its metadata.
///
/// Each value is bound to its place, and a message authentication code binds all of them together: a value
/// that was changed, moved, added or taken away is noticed.
public struct SOPSDocument: Sendable {
    /// How the file is written; SOPS decides by the name.
    public enum Format: Sendable, Equatable {
        case yaml, json, dotenv, binary

        /// - Parameter file: a path.
        /// - Throws: `VoltError` for an INI or a TOML file.
        public init(file: String) throws(VoltError) {
            let name = file.lowercased()
            for suffix in [".ini", ".toml"] where name.hasSuffix(suffix) {
                throw VoltError(
                    .failed, "\(file): SOPS files in the format of '\(suffix)' are not read",
                    hint: "keep the secrets as YAML, JSON, dotenv or a binary file")
            }
            self =
                name.hasSuffix(".yaml") || name.hasSuffix(".yml")
                ? .yaml : name.hasSuffix(".json") ? .json : name.hasSuffix(".env") ? .dotenv : .binary
        }
    }

    /// The data key, encrypted for one recipient.
    public struct Recipient: Sendable, Equatable {
        /// `age1…`, or the public half of an SSH key.
        public let name: String
        /// The encrypted data key, armoured.
        public let sealed: String
    }

    /// How the file is written.
    public let format: Format
    /// Who can read it with age.
    public let recipients: [Recipient]
    /// The values, without the metadata.
    private let tree: YAMLNode
    private let file: String
    private let modified: String
    private let code: String
    private let coversAll: Bool

    /// More recipients than these are not tried.
    static let recipientLimit = 64

    /// - Parameters:
    ///   - bytes: the file; any bytes are safe.
    ///   - file: its name, which decides the format and stands in errors.
    /// - Throws: `VoltError` for a file that is not encrypted, not with age, or damaged.
    public init(_ bytes: [UInt8], file: String) throws(VoltError) {
        self.file = file
        format = try Format(file: file)
        let root: YAMLNode
        let metadata: YAMLNode?
        if format == .dotenv {
            (root, metadata) = try Dotenv.parse(bytes, file: file)
        } else {
            var limits = YAMLLimits()
            limits.bytes = SecretFile.limit
            let whole = try YAML.parse(bytes, file: file, limits: limits)
            guard case .mapping(let entries) = whole.content else {
                throw Self.notEncrypted(file)
            }
            metadata = entries.first { $0.key == "sops" }?.value
            root = YAMLNode(like: whole, .mapping(entries.filter { $0.key != "sops" }))
        }
        guard let metadata, case .mapping(let entries) = metadata.content else {
            throw Self.notEncrypted(file)
        }
        tree = root
        func text(_ key: String) -> String? {
            guard let node = entries.first(where: { $0.key == key })?.value, !node.isNull else { return nil }
            return try? node.string()
        }
        guard let code = text("mac"), let modified = text("lastmodified") else {
            throw VoltError(.failed, "\(file): the metadata of SOPS have no 'mac' or no 'lastmodified'")
        }
        self.code = code
        self.modified = modified
        coversAll = text("mac_only_encrypted") != "true"
        if let groups = entries.first(where: { $0.key == "key_groups" })?.value, !groups.isNull {
            throw VoltError(
                .failed, "\(file): key groups of SOPS, of which several keys are needed, are not read",
                hint: "encrypt the file for age recipients, without 'key_groups'")
        }
        var recipients: [Recipient] = []
        if let list = entries.first(where: { $0.key == "age" })?.value, !list.isNull {
            for item in try list.items().prefix(Self.recipientLimit) {
                let fields = try item.entries()
                guard let name = try fields.first(where: { $0.key == "recipient" })?.value.string(),
                    let sealed = try fields.first(where: { $0.key == "enc" })?.value.string()
                else { throw item.failure("a recipient of age has no 'recipient' or no 'enc'") }
                recipients.append(Recipient(name: name, sealed: sealed))
            }
        }
        guard !recipients.isEmpty else {
            throw VoltError(
                .failed, "\(file): is not encrypted for age, but for other kinds of keys",
                hint: "add this host's recipient: sops rotate --in-place --add-age age1… \(file)")
        }
        self.recipients = recipients
    }

    private static func notEncrypted(_ file: String) -> VoltError {
        VoltError(
            .refused, "\(file): is not encrypted: it has no metadata of SOPS",
            hint: "encrypt it with 'sops encrypt --in-place --age age1… \(file)', and change what was in it")
    }

    /// What is in the file, in the clear.
    ///
    /// - Parameter key: the data key, 32 bytes.
    /// - Throws: `VoltError` when a value or the whole was changed after the encryption.
    public func decrypt(_ key: [UInt8]) throws(VoltError) -> SecretContent {
        var walk = Walk(key: key, coversAll: coversAll, format: format)
        let plain = try walk.open(tree, place: "") ?? tree
        let bytes = walk.bytes
        let found = Hex.encode(walk.finish()).uppercased()
        guard let value = SOPSValue(code), let wanted = value.open(key, place: modified) else {
            throw VoltError(
                .refused, "\(file): the message authentication code of SOPS cannot be read",
                hint: "the file was damaged or changed: take it from its last good commit")
        }
        guard ConstantTime.equal(Array(found.utf8), wanted) else {
            throw VoltError(
                .refused,
                "\(file): was changed after it was encrypted: its message authentication code differs",
                hint: "change values with 'sops edit \(file)' only")
        }
        return format == .binary ? .bytes(bytes) : .tree(plain, format)
    }
}

/// Goes through all values in their order, decrypts and hashes them.
private struct Walk: ~Copyable {
    private let key: [UInt8]
    private let coversAll: Bool
    private let format: SOPSDocument.Format
    private let hasher = SHA512Hasher()
    /// The last value: all that a binary file has.
    private(set) var bytes: [UInt8] = []

    init(key: [UInt8], coversAll: Bool, format: SOPSDocument.Format) {
        self.key = key
        self.coversAll = coversAll
        self.format = format
        guard !coversAll else { return }
        // What SOPS hashes first where only encrypted values are covered.
        let mark = SHA256Hasher()
        mark.update("sops")
        hasher.update(mark.finishBytes())
    }

    consuming func finish() -> [UInt8] { hasher.finish() }

    /// - Returns: nil for a comment: SOPS keeps one in a list as an item.
    mutating func open(_ node: YAMLNode, place: String) throws(VoltError) -> YAMLNode? {
        switch node.content {
        case .mapping(let entries):
            var plain: [YAMLEntry] = []
            for entry in entries {
                guard let value = try open(entry.value, place: "\(place)\(entry.key):") else { continue }
                plain.append(YAMLEntry(like: entry, value: value))
            }
            return YAMLNode(like: node, .mapping(plain))
        case .sequence(let items):
            var plain: [YAMLNode] = []
            for item in items {
                if let item = try open(item, place: place) { plain.append(item) }
            }
            return YAMLNode(like: node, .sequence(plain))
        case .scalar(let text, _):
            if SOPSValue.isMeant(text) { return try decrypt(node, text, place: place) }
            if coversAll { hasher.update(SOPSNumber.bytes(node, text, isJSON: format == .json)) }
            return node
        }
    }

    private mutating func decrypt(_ node: YAMLNode, _ text: String, place: String) throws(VoltError)
        -> YAMLNode?
    {
        guard let value = SOPSValue(text) else {
            throw node.failure("is not a value that SOPS has encrypted")
        }
        guard let plain = value.open(key, place: place) else {
            throw node.failure(
                "the value of '\(place.dropLast())' does not decrypt: it was changed, or moved from elsewhere"
            )
        }
        if value.kind == .comment { return nil }
        hasher.update(plain)
        if format == .binary {
            bytes = plain
            return node
        }
        guard let text = String(validating: plain, as: UTF8.self) else {
            throw node.failure("the value of '\(place.dropLast())' is not text in UTF-8")
        }
        switch value.kind {
        case .integer, .long, .float, .time: return YAMLNode(like: node, .scalar(text: text, isPlain: true))
        // SOPS writes them as Python does.
        case .boolean: return YAMLNode(like: node, .scalar(text: text.lowercased(), isPlain: true))
        case .string, .bytes, .comment: return YAMLNode(like: node, .scalar(text: text, isPlain: false))
        }
    }
}

/// The bytes that SOPS hashes for a value that it has not encrypted.
enum SOPSNumber {
    static func bytes(_ node: YAMLNode, _ text: String, isJSON: Bool) -> [UInt8] {
        guard case .scalar(_, isPlain: true) = node.content else { return Array(text.utf8) }
        if node.isNull { return [] }
        if let value = try? node.boolean() { return Array((value ? "True" : "False").utf8) }
        if !isJSON, let value = try? node.integer() { return Array("\(value)".utf8) }
        if let value = try? node.number() { return Array(Self.text(value).utf8) }
        return Array(text.utf8)
    }

    /// The shortest decimal digits that name the number, never with an exponent.
    static func text(_ value: Double) -> String {
        var text = "\(value.magnitude)"
        var exponent = 0
        if let mark = text.firstIndex(of: "e") {
            exponent = Int(text[text.index(after: mark)...]) ?? 0
            text = String(text[..<mark])
        }
        let parts = text.split(separator: ".")
        var whole = String(parts[0])
        var fraction = parts.count > 1 && parts[1] != "0" ? String(parts[1]) : ""
        if exponent > 0 {
            fraction += String(repeating: "0", count: max(0, exponent - fraction.count))
            whole += fraction.prefix(exponent)
            fraction = String(fraction.dropFirst(exponent))
        } else if exponent < 0 {
            whole = String(repeating: "0", count: max(0, 1 - exponent - whole.count)) + whole
            fraction = whole.suffix(-exponent) + fraction
            whole = String(whole.dropLast(-exponent))
        }
        return (value < 0 ? "-" : "") + whole + (fraction.isEmpty ? "" : ".\(fraction)")
    }
}
