internal import RegistryAccess
internal import VoltCore
internal import VoltOCI
internal import VoltServer

extension RegistryService {
    func manifest(
        _ name: OCIRepositoryName, _ reference: ManifestReference, _ request: HTTPRequest
    ) throws -> HTTPResponse {
        guard let found = try storage.manifest(reference, in: name) else {
            throw try storage.exists(name)
                ? RegistryError.manifestUnknown(reference.text) : RegistryError.nameUnknown(name)
        }
        return response(found, request)
    }

    func response(_ found: StoredManifest, _ request: HTTPRequest) -> HTTPResponse {
        let digest = found.digest.description
        let headers = [
            ("Content-Type", found.mediaType), ("Docker-Content-Digest", digest), ("ETag", "\"\(digest)\""),
        ]
        if Self.matches(request, digest) { return HTTPResponse(304, headers: headers) }
        return HTTPResponse(200, headers: headers, body: found.bytes)
    }

    /// Whether the client has what it asks for (RFC 9110, section 13.1.2).
    static func matches(_ request: HTTPRequest, _ digest: String) -> Bool {
        guard let field = request["if-none-match"] else { return false }
        return field == "*"
            || field.split(separator: ",").contains { tag in
                let tag = tag.drop { $0 == " " }
                return tag.drop { $0 == "W" || $0 == "/" } == "\"\(digest)\"" || tag == digest
            }
    }

    func deleteManifest(_ name: OCIRepositoryName, _ reference: ManifestReference) throws
        -> HTTPResponse
    {
        let isGone = try storage.alone(name) {
            switch reference {
            case .digest(let digest): try storage.removeManifest(digest, in: name)
            case .tag(let tag): try storage.removeTag(tag, in: name)
            }
        }
        guard isGone else { throw RegistryError.manifestUnknown(reference.text) }
        return HTTPResponse(202, headers: [])
    }

    // MARK: Lists

    /// More is given page by page.
    private static let page = 10_000

    /// `n` and `last` of a query.
    private static func page(_ query: Query) throws -> (count: Int, last: String?) {
        guard let text = query["n"] else { return (page, query["last"]) }
        guard text.utf8.allSatisfy({ (48...57).contains($0) }), let count = Int(text) else {
            throw RegistryError.unsupported("n is a number", status: 400)
        }
        return (min(count, page), query["last"])
    }

    /// The names after `last`, and the field that says where the next ones are.
    private static func cut(
        _ names: [String], _ path: String, _ query: Query
    ) throws -> (names: ArraySlice<String>, headers: [(name: String, value: String)]) {
        let (count, last) = try page(query)
        let start = last.map { last in names.firstIndex { $0 > last } ?? names.count } ?? 0
        let page = names[start...].prefix(count)
        guard let end = page.last, page.endIndex < names.count else { return (page, []) }
        return (
            page,
            [("Link", "<\(path)?n=\(count)&last=\(Percent.encode(end))>; rel=\"next\"")]
        )
    }

    func tags(_ name: OCIRepositoryName, _ query: Query) throws -> HTTPResponse {
        guard try storage.exists(name) else { throw RegistryError.nameUnknown(name) }
        return try response(try storage.tags(in: name).map(\.description), of: name, query)
    }

    func response(_ tags: [String], of name: OCIRepositoryName, _ query: Query) throws -> HTTPResponse {
        let (page, headers) = try Self.cut(tags, "/v2/\(name)/tags/list", query)
        struct Body: Encodable {
            let name: String
            let tags: [String]
        }
        var response = try Self.json(Body(name: name.description, tags: Array(page)))
        response.headers += headers
        return response
    }

    func catalog(_ query: Query, _ grant: AccessGrant) throws -> HTTPResponse {
        let names = try storage.repositories().filter { grant.maySee($0) }.map(\.description)
        let (page, headers) = try Self.cut(names, "/v2/_catalog", query)
        struct Body: Encodable { let repositories: [String] }
        var response = try Self.json(Body(repositories: Array(page)))
        response.headers += headers
        return response
    }

    func referrers(_ name: OCIRepositoryName, _ subject: OCIDigest, _ query: Query) throws -> HTTPResponse {
        let page = try storage.referrers(
            to: subject, type: query["artifactType"], after: query["last"], in: name)
        return try response(page, to: subject, in: name, query)
    }

    func response(
        _ page: ReferrersPage, to subject: OCIDigest, in name: OCIRepositoryName, _ query: Query
    ) throws -> HTTPResponse {
        let type = query["artifactType"]
        var response = try Self.json(OCIIndex(manifests: page.descriptors), type: OCIMediaType.index)
        if type != nil { response.headers.append(("OCI-Filters-Applied", "artifactType")) }
        if let last = page.descriptors.last, page.isCut {
            let filter = type.map { "&artifactType=\(Percent.encode($0))" } ?? ""
            response.headers.append(
                (
                    "Link",
                    "</v2/\(name)/referrers/\(subject)?last=\(Percent.encode(last.digest))\(filter)>; rel=\"next\""
                ))
        }
        return response
    }
}
