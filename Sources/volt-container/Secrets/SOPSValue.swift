internal import VoltCrypto

/// One encrypted value of a SOPS file: `ENC[AES256_GCM,data:…,iv:…,tag:…,type:…]`.
struct SOPSValue {
    /// What the plain text stands for.
    enum Kind: String {
        case string = "str"
        case integer = "int"
        case long = "int64"
        case float
        case boolean = "bool"
        case bytes
        case time
        case comment
    }

    let kind: Kind
    private let sealed: [UInt8]
    private let nonce: [UInt8]
    private let tag: [UInt8]

    /// Whether a text is meant to be one, well formed or not.
    static func isMeant(_ text: String) -> Bool { text.hasPrefix("ENC[") }

    /// Nil for a text that is not one.
    init?(_ text: String) {
        let head = "ENC[AES256_GCM,"
        guard text.hasPrefix(head), text.hasSuffix("]") else { return nil }
        let fields = text.dropFirst(head.count).dropLast().split(
            separator: ",", omittingEmptySubsequences: false)
        guard fields.count == 4 else { return nil }
        var values: [Substring] = []
        for (field, key) in zip(fields, ["data:", "iv:", "tag:", "type:"]) {
            guard field.hasPrefix(key) else { return nil }
            values.append(field.dropFirst(key.count))
        }
        guard let sealed = Base64.decode(values[0]), let nonce = Base64.decode(values[1]),
            let tag = Base64.decode(values[2]), let kind = Kind(rawValue: String(values[3]))
        else { return nil }
        self.sealed = sealed
        self.nonce = nonce
        self.tag = tag
        self.kind = kind
    }

    /// The plain bytes; nil when they were not encrypted with this key at this place.
    ///
    /// - Parameters:
    ///   - key: the data key of the file.
    ///   - place: what the value is bound to: the keys that lead to it, each with a colon behind it.
    func open(_ key: [UInt8], place: String) -> [UInt8]? {
        AESGCM.open(sealed, key: key, nonce: nonce, tag: tag, authenticated: Array(place.utf8))
    }
}
