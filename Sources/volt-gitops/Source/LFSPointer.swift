internal import VoltCore

/// A file that stands for a large one (Git LFS specification, section "The Pointer").
public struct LFSPointer: Sendable, Hashable {
    /// The largest pointer, in bytes.
    public static let longest = 1023

    /// The SHA-256 of the content, 64 lower-case hex digits.
    public let oid: String
    /// The size of the content, in bytes.
    public let size: Int

    /// Nil for a file that is none, which then stays as it is.
    public init?(_ bytes: [UInt8]) {
        guard bytes.count <= Self.longest, let text = String(validating: bytes, as: UTF8.self) else {
            return nil
        }
        var fields: [Substring: Substring] = [:]
        for (index, line) in text.split(separator: "\n").enumerated() {
            let parts = line.split(separator: " ", maxSplits: 1)
            guard parts.count == 2, fields.updateValue(parts[1], forKey: parts[0]) == nil else { return nil }
            guard index > 0 || line == "version https://git-lfs.github.com/spec/v1" else { return nil }
        }
        guard let oid = fields["oid"], oid.hasPrefix("sha256:"), let size = fields["size"],
            let digest = try? Digest(String(oid)), !size.isEmpty,
            size.utf8.allSatisfy({ (48...57).contains($0) }), let count = Int(size)
        else { return nil }
        self.oid = digest.hex
        self.size = count
    }
}
