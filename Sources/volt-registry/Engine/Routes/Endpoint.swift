internal import VoltCore
internal import VoltOCI

/// What a path of the API means (OCI Distribution Specification 1.1, section "Endpoints").
enum Endpoint: Sendable {
    case base
    case catalog
    case tags(OCIRepositoryName)
    case manifest(OCIRepositoryName, ManifestReference)
    case blob(OCIRepositoryName, OCIDigest)
    case uploads(OCIRepositoryName)
    case upload(OCIRepositoryName, id: String)
    case referrers(OCIRepositoryName, OCIDigest)

    /// - Parameters:
    ///   - path: as it was sent, from `/v2` on.
    ///   - method: of the request.
    init(_ path: String, method: String) throws(RegistryError) {
        guard let path = Self.decoded(path), path.utf8.count <= 1024 else { throw .notFound(path) }
        if path == "/v2/" || path == "/v2" {
            self = .base
            return
        }
        let parts = path.dropFirst("/v2/".count).split(separator: "/", omittingEmptySubsequences: false)
        if parts == ["_catalog"] {
            self = .catalog
            return
        }
        // The name may have parts of the same words: what counts is the end.
        let count = parts.count
        func name(_ end: Int) throws(RegistryError) -> OCIRepositoryName {
            let text = parts[..<end].joined(separator: "/")
            guard let name = OCIRepositoryName(parsing: text) else { throw .nameInvalid(text) }
            return name
        }
        if count >= 4, parts[count - 3] == "blobs", parts[count - 2] == "uploads" {
            let name = try name(count - 3)
            let id = String(parts[count - 1])
            if id.isEmpty {
                self = .uploads(name)
            } else {
                guard UploadLease.isID(id) else { throw .uploadUnknown }
                self = .upload(name, id: id)
            }
            return
        }
        guard count >= 3 else { throw .notFound(path) }
        let last = parts[count - 1]
        switch parts[count - 2] {
        case "tags" where last == "list": self = .tags(try name(count - 2))
        case "blobs" where last == "uploads": self = .uploads(try name(count - 2))
        case "blobs":
            let name = try name(count - 2)
            guard let digest = OCIDigest(parsing: last) else { throw .digestInvalid(String(last)) }
            self = .blob(name, digest)
        case "referrers":
            let name = try name(count - 2)
            guard let digest = OCIDigest(parsing: last) else { throw .digestInvalid(String(last)) }
            self = .referrers(name, digest)
        case "manifests":
            let name = try name(count - 2)
            if last.contains(":") {
                guard let digest = OCIDigest(parsing: last) else { throw .digestInvalid(String(last)) }
                self = .manifest(name, .digest(digest))
            } else {
                guard let tag = OCITagName(parsing: last) else {
                    // No manifest has what cannot be a tag, and none gets it.
                    throw method == "PUT" ? .tagInvalid(String(last)) : .manifestUnknown(String(last))
                }
                self = .manifest(name, .tag(tag))
            }
        default: throw .notFound(path)
        }
    }

    /// The repository that it is of.
    var repository: OCIRepositoryName? {
        switch self {
        case .base, .catalog: nil
        case .tags(let name), .manifest(let name, _), .blob(let name, _), .uploads(let name),
            .upload(let name, _), .referrers(let name, _):
            name
        }
    }

    /// The same of another repository.
    func `in`(_ name: OCIRepositoryName) -> Endpoint {
        switch self {
        case .base, .catalog: self
        case .tags: .tags(name)
        case .manifest(_, let reference): .manifest(name, reference)
        case .blob(_, let digest): .blob(name, digest)
        case .uploads: .uploads(name)
        case .upload(_, let id): .upload(name, id: id)
        case .referrers(_, let digest): .referrers(name, digest)
        }
    }

    /// The path without escapes; nil when one of them is a slash, so that no name has a part that is not seen here.
    private static func decoded(_ text: String) -> String? {
        guard let path = Percent.decode(text),
            path.utf8.filter({ $0 == 47 }).count == text.utf8.filter({ $0 == 47 }).count
        else { return nil }
        return path
    }
}

/// The parameters behind the `?` of a request.
struct Query: Sendable {
    private let items: [(name: String, value: String)]

    /// - Parameter text: `name=value` joined by `&`; what is not of this form is left out.
    init(_ text: String) {
        items =
            text.isEmpty
            ? []
            : text.split(separator: "&").prefix(256).compactMap { item in
                let parts = item.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
                // Not the form of HTML, in which a plus is a space: clients write the plus of a media type as it is.
                guard let name = Percent.decode(parts[0]),
                    let value = Percent.decode(parts.count > 1 ? parts[1] : "")
                else { return nil }
                return (name, value)
            }
    }

    /// The first of a name.
    subscript(name: String) -> String? { items.first { $0.name == name }?.value }

    /// All of a name.
    func all(_ name: String) -> [String] { items.filter { $0.name == name }.map(\.value) }
}
