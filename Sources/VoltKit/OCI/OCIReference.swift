public import VoltCore

/// The name of a manifest in a registry, as people write it: `[HOST[:PORT]/]REPOSITORY[:TAG][@DIGEST]`.
///
/// The first part is a host when it has a dot or a port or is `localhost`; without a host it is Docker Hub's, where
/// a name of one part stands below `library/`.
public struct OCIReference: Sendable, Hashable, CustomStringConvertible {
    /// The host in lower case, with the port if one was given: `registry.example:5000`, `[::1]:5000`.
    public var host: String
    /// The repository there.
    public var repository: OCIRepositoryName
    /// The tag, or nil.
    public var tag: OCITagName?
    /// The digest, or nil; with a tag beside it the digest counts.
    public var digest: OCIDigest?

    /// What Docker Hub is called in references.
    public static let dockerHub = "docker.io"

    /// - Parameters: see the properties.
    public init(
        host: String, repository: OCIRepositoryName, tag: OCITagName? = nil, digest: OCIDigest? = nil
    ) {
        self.host = host
        self.repository = repository
        self.tag = tag
        self.digest = digest
    }

    /// Parses a reference; one without tag and digest has neither.
    ///
    /// - Throws: `VoltError` with code `usage`.
    public init(_ text: some StringProtocol) throws(VoltError) {
        func bad(_ reason: String) -> VoltError {
            VoltError(
                .usage, "'\(text.prefix(300))' is not a reference: \(reason)",
                hint: "write HOST/REPOSITORY:TAG, such as registry.example/team/web:1.4")
        }
        guard text.utf8.count <= 600 else { throw bad("it is too long") }
        var rest = Substring(text)
        if let at = rest.firstIndex(of: "@") {
            let text = rest[rest.index(after: at)...]
            guard let digest = OCIDigest(parsing: text) else { throw bad("'\(text)' is no digest") }
            self.digest = digest
            rest = rest[..<at]
        } else {
            digest = nil
        }
        let slash = rest.firstIndex(of: "/")
        if let colon = rest.lastIndex(of: ":"), slash == nil || colon > (rest.lastIndex(of: "/") ?? colon) {
            let text = rest[rest.index(after: colon)...]
            guard let tag = OCITagName(parsing: text) else { throw bad("'\(text)' is no tag") }
            self.tag = tag
            rest = rest[..<colon]
        } else {
            tag = nil
        }
        var host = Self.dockerHub
        if let slash, slash < rest.endIndex {
            let first = rest[..<slash]
            if first.contains(".") || first.contains(":") || first == "localhost" {
                guard let name = Self.host(first) else { throw bad("'\(first)' is no host") }
                host = name
                rest = rest[rest.index(after: slash)...]
            }
        }
        if host == "index.docker.io" || host == "registry-1.docker.io" { host = Self.dockerHub }
        if host == Self.dockerHub, !rest.contains("/") { rest = "library/\(rest)" }
        guard let repository = OCIRepositoryName(parsing: rest) else {
            throw bad(
                rest.contains(where: \.isUppercase)
                    ? "repositories are written in lower case" : "'\(rest)' is no repository")
        }
        self.host = host
        self.repository = repository
    }

    /// `HOST[:PORT]` in lower case, or nil.
    public static func host(_ text: some StringProtocol) -> String? {
        var name = Substring(text)
        var port: Substring?
        if name.hasPrefix("[") {
            guard let end = name.firstIndex(of: "]") else { return nil }
            let address = name[name.index(after: name.startIndex)..<end]
            guard address.contains(":"),
                address.utf8.allSatisfy({
                    (48...58).contains($0) || (65...70).contains($0) || (97...102).contains($0) || $0 == 46
                })
            else { return nil }
            let after = name[name.index(after: end)...]
            if !after.isEmpty {
                guard after.hasPrefix(":") else { return nil }
                port = after.dropFirst()
            }
            name = name[...end]
        } else if let colon = name.firstIndex(of: ":") {
            port = name[name.index(after: colon)...]
            name = name[..<colon]
        }
        if let port {
            guard port.utf8.allSatisfy({ (48...57).contains($0) }), UInt16(port) != nil else { return nil }
        }
        if !name.hasPrefix("[") {
            let labels = name.split(separator: ".", omittingEmptySubsequences: false)
            let isName = labels.allSatisfy { label in
                !label.isEmpty && label.utf8.count <= 63 && !label.hasPrefix("-") && !label.hasSuffix("-")
                    && label.utf8.allSatisfy {
                        (48...57).contains($0) || (65...90).contains($0) || (97...122).contains($0)
                            || $0 == 45
                    }
            }
            guard isName, name.utf8.count <= 253 else { return nil }
        }
        return (String(name) + (port.map { ":\($0)" } ?? "")).lowercased()
    }

    /// What a registry is asked for: the digest, else the tag; nil for neither.
    public var manifest: String? { digest?.description ?? tag?.description }

    /// The reference with everything that it leaves out, but without a tag when none was given.
    public var description: String {
        "\(host)/\(repository)" + (tag.map { ":\($0)" } ?? "") + (digest.map { "@\($0)" } ?? "")
    }
}
