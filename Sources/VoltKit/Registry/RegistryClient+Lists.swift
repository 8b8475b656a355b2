internal import FoundationEssentials
public import VoltCore
internal import VoltHTTP
public import VoltOCI

extension RegistryClient {
    /// More pages are not asked for: a registry could go on for ever.
    private static let pageLimit = 10_000

    /// The tags of a repository, in the registry's order.
    public func tags(of name: OCIRepositoryName) throws(VoltError) -> [String] {
        struct Body: Decodable { var tags: [String]? }
        return try pages("/v2/\(name)/tags/list", scope: Self.pull(name), "list the tags of '\(name)'") {
            (body: Body) in
            // What is no name is of no use, and could be anything.
            (body.tags ?? []).filter { OCITagName(parsing: $0) != nil }
        }
    }

    /// The repositories of the registry, those that only a login shows among them.
    public func repositories() throws(VoltError) -> [String] {
        struct Body: Decodable { var repositories: [String]? }
        let scope = "registry:catalog:*"
        // A registry may show the public ones to whoever sends no login, and not ask for one.
        if endpoint.account != .anonymous { _ = try send(Call(method: "GET", path: "/v2/", scope: scope)) }
        return try pages("/v2/_catalog", scope: scope, "list the repositories") {
            (body: Body) in
            (body.repositories ?? []).filter { OCIRepositoryName(parsing: $0) != nil }
        }
    }

    private func pages<Body: Decodable, Item>(
        _ path: String, scope: String, _ what: String, _ items: (Body) -> [Item]
    ) throws(VoltError) -> [Item] {
        var result: [Item] = []
        var next: String? = path
        var seen: Set<String> = []
        while let path = next {
            try note(path, &seen, what)
            let answer = try send(Call(method: "GET", path: path, scope: scope))
            guard answer.isSuccess else { throw failure(answer, what) }
            guard let body = try? JSONDecoder().decode(Body.self, from: Data(answer.body)) else {
                let kind = answer["content-type"].map {
                    " (it comes as '\(PrintableText.line($0, limit: 100))')"
                }
                throw VoltError(
                    .failed,
                    "cannot \(what) at '\(endpoint.host)': the answer is not of its form\(kind ?? "")",
                    hint:
                        "is '\(endpoint.host)' a registry, reached without a proxy or login page in between?")
            }
            result += items(body)
            next = try link(answer)
        }
        return result
    }

    /// A page that was there already, or one too many, is of a list that does not end.
    private func note(_ path: String, _ seen: inout Set<String>, _ what: String) throws(VoltError) {
        guard seen.insert(path).inserted, seen.count <= Self.pageLimit else {
            throw VoltError(.refused, "cannot \(what) at '\(endpoint.host)': the list does not end")
        }
    }

    /// The path behind `rel="next"` (RFC 8288), which has to be of the same registry.
    private func link(_ answer: WebAnswer) throws(VoltError) -> String? {
        guard let field = answer["link"], field.contains("rel=\"next\"") || field.contains("rel=next"),
            let start = field.firstIndex(of: "<"), let end = field.firstIndex(of: ">"), start < end
        else { return nil }
        let next = String(field[field.index(after: start)..<end])
        let url = try reading("\(endpoint.host)\(answer.url.target)") { () throws(VoltError) in
            try WebURL(next, relativeTo: answer.url)
        }
        guard url.origin == answer.url.origin else {
            throw VoltError(.refused, "'\(endpoint.host)' goes on with its list at '\(url)'")
        }
        return url.target
    }

    // MARK: Referrers

    /// What is about a manifest: as the registry lists it, else as the tag of the same purpose does
    /// (OCI Distribution Specification 1.1, "Unavailable Referrers API").
    ///
    /// The specification has 404 for a registry without a list. What stands before or beside registries of older
    /// versions answers with other errors, or with a page for people.
    ///
    /// - Parameter type: only those of this artifact type; nil for all.
    public func referrers(to digest: OCIDigest, type: String? = nil, in name: OCIRepositoryName)
        throws(VoltError)
        -> [OCIDescriptor]
    {
        var found: [OCIDescriptor]
        if endpoint.hasReferrers != false, let listed = try listed(digest, type, name) {
            found = listed
        } else {
            found = try tagged(digest, name)?.manifests ?? []
        }
        if let type { found = found.filter { $0.artifactType == type } }
        return found
    }

    /// Nil when the registry has no such list.
    private func listed(_ digest: OCIDigest, _ type: String?, _ name: OCIRepositoryName) throws(VoltError)
        -> [OCIDescriptor]?
    {
        var result: [OCIDescriptor] = []
        var next: String? =
            "/v2/\(name)/referrers/\(digest)" + (type.map { "?artifactType=\(Percent.encode($0))" } ?? "")
        var seen: Set<String> = []
        while let path = next {
            try note(path, &seen, "list what is about '\(name)@\(digest)'")
            let answer = try send(Call(method: "GET", path: path, scope: Self.pull(name)))
            if seen.count == 1, Self.isWithoutList(answer) {
                // An error may be of this repository alone.
                if answer.status != 400, answer.status != 403 { endpoint.hasReferrers = false }
                return nil
            }
            guard answer.isSuccess else { throw failure(answer, "list what is about '\(name)@\(digest)'") }
            let document = try reading(
                subject(digest.description, name), type: answer["content-type"]
            ) { () throws(VoltError) in try OCIDocument(answer.body) }
            result += document.manifests
            next = try link(answer)
        }
        return result
    }

    /// Whether an answer is that of a registry, or of what stands before it, that knows no list of referrers.
    private static func isWithoutList(_ answer: WebAnswer) -> Bool {
        if [400, 403, 404, 405, 406, 501].contains(answer.status) { return true }
        guard answer.isSuccess else { return false }
        let type = answer["content-type"]?.prefix { $0 != ";" }.trimmingBlanks.lowercased() ?? ""
        return type.hasPrefix("text/html") || (try? OCIDocument(answer.body)) == nil
    }

    private func tagged(_ digest: OCIDigest, _ name: OCIRepositoryName) throws(VoltError) -> OCIDocument? {
        let tag = OCICompanionTag.list(of: digest)
        guard try resolve(tag, in: name) != nil else { return nil }
        let found = try manifest(tag, in: name)
        // Whoever reads the list expects an index, and what else is there belongs to somebody else.
        guard found.mediaType == OCIMediaType.index else {
            throw VoltError(
                .conflict,
                "tag '\(tag)' of '\(endpoint.host)/\(name)' is '\(found.mediaType)', and not the list of what is about '\(digest)'",
                hint: "give what it names another tag, and take '\(tag)' away with 'volt registry untag'")
        }
        return found.document
    }

    /// Pushes a manifest that is about another one, and adds it to the tag's list where the registry keeps none.
    public func putReferrer(_ manifest: FetchedManifest, in name: OCIRepositoryName) throws(VoltError) {
        let isListed = try put(
            manifest.bytes, mediaType: manifest.mediaType, as: manifest.digest.description, in: name)
        guard let subject = manifest.document.subject, let about = OCIDigest(parsing: subject.digest) else {
            return
        }
        if isListed {
            endpoint.hasReferrers = true
            return
        }
        var descriptor = manifest.descriptor
        descriptor.artifactType = manifest.document.referrerType
        descriptor.annotations = manifest.document.annotations
        var list = try tagged(about, name)?.manifests ?? []
        guard !list.contains(where: { $0.digest == descriptor.digest }) else { return }
        list.append(descriptor)
        try putList(list, about, name)
    }

    private func putList(_ list: [OCIDescriptor], _ about: OCIDigest, _ name: OCIRepositoryName)
        throws(VoltError)
    {
        let bytes = try OCIJSON.encode(OCIIndex(manifests: list))
        try put(bytes, mediaType: OCIMediaType.index, as: OCICompanionTag.list(of: about), in: name)
    }

    /// Takes a manifest that is gone from the tag's list of what is about another one, where the registry keeps none.
    public func removeReferrer(_ manifest: FetchedManifest, in name: OCIRepositoryName) throws(VoltError) {
        guard let subject = manifest.document.subject, let about = OCIDigest(parsing: subject.digest) else {
            return
        }
        let known = endpoint.hasReferrers
        let hasList = if let known { known } else { try listed(about, nil, name) != nil }
        if hasList { return }
        guard let list = try tagged(about, name)?.manifests else { return }
        let left = list.filter { $0.digest != manifest.digest.description }
        if left.count < list.count { try putList(left, about, name) }
    }
}

/// Documents of OCI as this program writes them.
enum OCIJSON {
    static func encode(_ value: some Encodable) throws(VoltError) -> [UInt8] {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        do { return Array(try encoder.encode(value)) } catch {
            throw VoltError(.failed, "cannot encode a document as JSON: \(error)")
        }
    }
}
