internal import RegistryEngine
internal import VoltCore
internal import VoltOCI
internal import VoltRegistry
internal import VoltS3

extension FuzzTarget {
    /// What names something in registries: whatever is taken is safe in a path and reads back as itself.
    static let reference = FuzzTarget(
        name: "oci-reference",
        words: ["localhost", ":5000", "/", "@sha256:", "..", "__", "-", "[::1]", "docker.io/", "library/"]
    ) { bytes throws(FuzzFailure) in
        guard let reference = try? OCIReference(String(decoding: bytes, as: UTF8.self)) else { return }
        let text = reference.description
        try require(
            text.utf8.allSatisfy { $0 > 32 && $0 < 127 && $0 != 37 && $0 != 63 && $0 != 35 },
            "'\(text)' is not safe in a URL")
        try require(!text.split(separator: "/").contains(".."), "'..' in '\(text)'")
        let again = try? OCIReference(text)
        try require(again == reference, "'\(text)' reads back as '\(again?.description ?? "nothing")'")
    }

    /// `WWW-Authenticate` of a registry.
    static let challenge = FuzzTarget(
        name: "auth-challenge", words: ["Basic ", "Bearer ", "realm=\"", "\\\"", ", ", "scope=", "=", "\""]
    ) { bytes throws(FuzzFailure) in
        let found = Challenge.parse(String(decoding: bytes, as: UTF8.self))
        for challenge in found {
            try require(!challenge.scheme.isEmpty, "a challenge without a scheme")
            try require(challenge.scheme == challenge.scheme.lowercased(), "a scheme in upper case")
        }
    }

    /// A manifest or index.
    static let document = FuzzTarget(
        name: "oci-manifest",
        words: [
            "\"schemaVersion\":2", "\"layers\":[", "\"manifests\":[", "\"config\":{", "\"digest\":\"sha256:",
            "\"size\":", "null", "-1", "\"subject\":{", "1e400",
        ]
    ) { bytes throws(FuzzFailure) in
        let checked = try? OCIDocument(checking: bytes)
        try require(
            checked.map { $0.manifests.isEmpty || $0.blobs.isEmpty } ?? true, "an image that is an index, too"
        )
        guard let document = try? OCIDocument(bytes) else { return }
        for blob in document.blobs {
            try require(blob.digest.utf8.count <= 256, "a digest of \(blob.digest.utf8.count) bytes")
        }
    }

    /// The configuration of an image that gets other layers.
    static let config = FuzzTarget(
        name: "oci-config",
        words: [
            "\"rootfs\":{", "\"diff_ids\":[", "\"history\":[{", "\"config\":{", "null", "true", "-1", "1e400",
            "0.1",
            "18446744073709551615", "\"\\u0000\"", "\"\\ud800\"", "[[[[",
        ]
    ) { bytes throws(FuzzFailure) in
        let layers = [OCIDigest.of([1]), OCIDigest.of([2])]
        guard let new = try? OCIConfig.replacingLayers(of: bytes, by: layers) else { return }
        let again = try? OCIConfig.replacingLayers(of: new, by: layers)
        try require(again == new, "the same layers give another configuration")
        let text = String(decoding: new, as: UTF8.self)
        for layer in layers { try require(text.contains(layer.hex), "layer '\(layer)' is not in it") }
    }

    /// `Range` and `Content-Range` of requests to the registry.
    static let byteRange = FuzzTarget(
        name: "byte-range", words: ["bytes=", "bytes ", "-", "0-", "999999999999999999", ",", "/*", "+"]
    ) { bytes throws(FuzzFailure) in
        let field = String(decoding: bytes, as: UTF8.self)
        for count: UInt64 in [0, 1, 10, .max / 2] {
            guard case .part(let range) = ByteRange(field, of: count) else { continue }
            try require(!range.isEmpty && range.upperBound <= count, "\(range) of \(count)")
        }
        if let chunk = ByteRange.chunk(field) {
            try require(chunk.upperBound < 1 << 62, "\(chunk) overflows with one more")
        }
    }

    /// `--upstream`: what is taken reads back as itself.
    static let upstreamRule = FuzzTarget(
        name: "upstream-rule", words: ["=", "/", "docker.io", "hub", "..", ":5000", "/=", "[::1]"]
    ) { bytes throws(FuzzFailure) in
        guard let rule = try? UpstreamRule(String(decoding: bytes, as: UTF8.self)) else { return }
        let again = try? UpstreamRule(rule.description)
        try require(
            again?.description == rule.description,
            "'\(rule)' reads back as '\(again?.description ?? "nothing")'")
    }

    /// The file of `volt registry sync`.
    static let syncFile = FuzzTarget(
        name: "sync-file",
        words: [
            "version: 1\n", "sync:\n", "  - ", "from: ", "to: ", "oci:", "/**", "tags: [", "newest: ",
            "platform: ",
            "linux/amd64", "docker.io",
        ]
    ) { bytes throws(FuzzFailure) in
        guard let file = try? SyncFile.read(bytes, path: "/etc/sync.yaml") else { return }
        for entry in file.entries {
            if case .registry(_, let prefix) = entry.from, !prefix.isEmpty {
                try require(OCIRepositoryName(parsing: prefix) != nil, "'\(prefix)' is no name")
            }
            let there = ["1.2.3", "v2", "latest", "3.20-rc1"]
            try require(Set(entry.select(there)).isSubset(of: there), "tags that are not there")
        }
    }

    /// What an S3 server answers.
    static let s3Listing = FuzzTarget(
        name: "s3-listing",
        words: [
            "<ListBucketResult>", "</ListBucketResult>", "<Contents>", "<Key>", "</Key>", "<Size>",
            "<LastModified>",
            "2026-11-24T03:26:01.000Z", "<IsTruncated>true", "<NextContinuationToken>", "&amp;", "&#x41;",
            "<![CDATA[", "]]>",
            "<?xml", "?>", " a=\"b\"", "/>",
        ]
    ) { bytes throws(FuzzFailure) in
        guard let listing = S3Listing(bytes) else { return }
        try require(listing.next != "", "an empty token")
        for object in listing.objects {
            try require(object.modified >= 0 && object.modified < 1 << 40, "\(object.modified)")
            try require(object.size <= UInt64(Int64.max), "\(object.size)")
        }
    }
}
