public import VoltCore
public import VoltYAML

/// What is in an encrypted file, in the clear.
public enum SecretContent: Sendable {
    /// Values by their keys, and how the file is written.
    case tree(YAMLNode, SOPSDocument.Format)
    /// A file as a whole.
    case bytes([UInt8])
}

/// A file that is encrypted as a whole with age, or value by value with SOPS.
public enum SecretFile {
    /// The largest file that is read, in bytes.
    public static let limit = 4 << 20

    /// Decrypts a file.
    ///
    /// - Parameters:
    ///   - bytes: the file; any bytes are safe.
    ///   - file: its name, for the format and for errors.
    /// - Throws: `VoltError` when it is not encrypted, not for these keys, or was changed.
    public static func open(_ bytes: [UInt8], file: String, keys: AgeKeys) throws(VoltError) -> SecretContent
    {
        if isAge(bytes) {
            guard let plain = try keys.open(bytes, file: file) else {
                throw VoltError(
                    .refused, "\(file): none of the keys in '\(keys.path)' opens it",
                    hint:
                        "encrypt it again for this host too: age -r $(age-keygen -y \(keys.path)) -o \(file) …"
                )
            }
            guard file.lowercased().hasSuffix(".env.age") else { return .bytes(plain) }
            return .tree(try Dotenv.parse(plain, file: file).variables, .dotenv)
        }
        let document = try SOPSDocument(bytes, file: file)
        for recipient in document.recipients {
            guard let key = try keys.open(Array(recipient.sealed.utf8), file: file) else { continue }
            guard key.count == 32 else {
                throw VoltError(.refused, "\(file): the data key of SOPS has \(key.count) bytes, not 32")
            }
            return try document.decrypt(key)
        }
        let names = document.recipients.map(\.name).joined(separator: ", ")
        throw VoltError(
            .refused,
            "\(file): is encrypted for \(names), and none of the keys in '\(keys.path)' is of these",
            hint:
                "let this host read it: sops rotate --in-place --add-age $(age-keygen -y \(keys.path)) \(file)"
        )
    }

    private static func isAge(_ bytes: [UInt8]) -> Bool {
        bytes.starts(with: "age-encryption.org/".utf8)
            || bytes.starts(with: "-----BEGIN AGE ENCRYPTED FILE-----".utf8)
    }
}
