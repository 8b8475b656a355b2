internal import VoltCore
internal import VoltOCI
internal import VoltS3

/// The names of objects, below the prefix of the bucket (docs/decisions/registry-on-s3.md). GENERATION, TOKEN and
/// COLLECTOR are random and never used again.
///
///     blobs/HEX/GENERATION                                         the bytes of a blob
///     condemned/HEX/GENERATION/COLLECTOR                           a collector means to remove it
///     names/NAME                                                   the repository was pushed to
///     repositories/NAME/_blobs/HEX/GENERATION-TOKEN-SIZE           the repository has this blob
///     repositories/NAME/_manifests/HEX/TOKEN                       and this manifest: its type, a line end, its bytes
///     repositories/NAME/_sha512/blobs|manifests/HEX512             another digest of one; the sha256 digest
///     repositories/NAME/_tags/TAG                                  the digest of a manifest
///     repositories/NAME/_referrers/ALGORITHM-HEX/ALGORITHM-HEX     a manifest about another one; its descriptor
///     repositories/NAME/_pending/TOKEN                             a manifest is being pushed that needs these blobs
///     repositories/NAME/_condemned/HEX/GENERATION-TOKEN-SIZE/COLLECTOR  a collector means to remove that reference
enum BucketKeys {
    static let repositories = "repositories/"
    static let names = "names/"
    static let blobs = "blobs/"
    static let condemned = "condemned/"

    /// 128 random bits.
    static func random() -> String { Hex.encode((0..<16).map { _ in UInt8.random(in: 0...255) }) }

    static func repository(_ name: OCIRepositoryName, _ part: String) -> String {
        "\(repositories)\(name)/_\(part)/"
    }

    static func text(_ digest: OCIDigest) -> String { "\(digest.algorithm.rawValue)-\(digest.hex)" }

    static func digest(_ text: Substring) -> OCIDigest? {
        let parts = text.split(separator: "-", maxSplits: 1)
        return parts.count == 2 ? OCIDigest(parsing: "\(parts[0]):\(parts[1])") : nil
    }

    static func hex(_ digest: Digest) -> String { String(digest.description.dropFirst("sha256:".count)) }

    /// The repository of a key, the part of it, and the rest.
    static func split(_ key: String) -> (name: OCIRepositoryName, part: Substring, rest: Substring)? {
        guard key.hasPrefix(repositories) else { return nil }
        let text = key.dropFirst(repositories.count)
        // No part of a name begins so.
        guard let mark = text.utf8.indices.first(where: { text[$0...].hasPrefix("/_") }),
            let name = OCIRepositoryName(parsing: text[..<mark])
        else { return nil }
        let rest = text[mark...].dropFirst(2)
        guard let slash = rest.firstIndex(of: "/") else { return nil }
        return (name, rest[..<slash], rest[rest.index(after: slash)...])
    }
}

/// A repository's reference to a blob.
struct BlobReference: Hashable {
    let hex: String
    let generation: String
    /// `GENERATION-TOKEN-SIZE`.
    let text: String
    let size: UInt64
    /// Seconds since 1970.
    let modified: Int64

    /// - Parameter rest: what follows `_blobs/` in its key.
    init?(_ rest: Substring, modified: Int64) {
        let parts = rest.split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count == 2, parts[0].utf8.count == 64 else { return nil }
        let words = parts[1].split(separator: "-", omittingEmptySubsequences: false)
        guard words.count == 3, let size = UInt64(words[2]), size <= UInt64(Int64.max) else { return nil }
        hex = String(parts[0])
        generation = String(words[0])
        text = String(parts[1])
        self.size = size
        self.modified = modified
    }

    func key(in name: OCIRepositoryName) -> String { "\(BucketKeys.repository(name, "blobs"))\(hex)/\(text)" }

    func marks(in name: OCIRepositoryName) -> String {
        "\(BucketKeys.repository(name, "condemned"))\(hex)/\(text)/"
    }
}
