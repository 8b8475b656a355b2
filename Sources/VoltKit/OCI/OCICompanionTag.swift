/// A tag that belongs to a manifest of its repository and is no name of its own: `sha256-HEX` has the list of what is about the
/// manifest (OCI Distribution Specification 1.1, "Referrers Tag Schema"), and `sha256-HEX.sig`, `.att` and `.sbom` have the
/// signatures, attestations and parts lists that cosign puts beside it.
public struct OCICompanionTag: Sendable, Hashable {
    private static let suffixes = ["", ".sig", ".att", ".sbom"]

    /// The beginning of the tags of one manifest.
    public let stem: String
    /// Whether it has the list of what is about the manifest.
    public let isList: Bool

    /// Nil for a name.
    public init?(_ tag: String) {
        let stem = tag.prefix { $0 != "." }
        let parts = stem.split(separator: "-", omittingEmptySubsequences: false)
        guard parts.count == 2, OCIDigest.Algorithm(rawValue: String(parts[0])) != nil,
            parts[1].utf8.count == 64,
            parts[1].utf8.allSatisfy({ (48...57).contains($0) || (97...102).contains($0) }),
            Self.suffixes.contains(String(tag.dropFirst(stem.count)))
        else { return nil }
        self.stem = String(stem)
        isList = stem.count == tag.count
    }

    /// The beginning of the tags of a manifest, cut as the specification has it.
    public static func stem(of digest: OCIDigest) -> String {
        "\(digest.algorithm.rawValue)-\(digest.hex.prefix(64))"
    }

    /// The tag with the list of what is about a manifest.
    public static func list(of digest: OCIDigest) -> String { stem(of: digest) }

    /// The tags that may belong to a manifest, that of the list first.
    public static func tags(of digest: OCIDigest) -> [OCITagName] {
        suffixes.compactMap { OCITagName(parsing: stem(of: digest) + $0) }
    }
}
