/// Bitbucket Cloud (`repo:push`) and Data Center (`repo:refs_changed`).
///
/// Both sign with SHA-256 in `X-Hub-Signature`, the name under which GitHub sends SHA-1.
struct Bitbucket: HookProvider {
    /// Data Center's connection test is not signed.
    func isUnsignedPing(_ headers: RequestHeaders) -> Bool { headers["x-event-key"] == "diagnostics:ping" }

    func verifies(_ headers: RequestHeaders, body: [UInt8], secret: [UInt8], now: Int64) -> Bool {
        Signature.isSHA256(headers["x-hub-signature"], of: body, secret: secret)
    }

    func isSigned(_ headers: RequestHeaders) -> Bool {
        headers.has("x-hub-signature")
    }

    func deliveryID(_ headers: RequestHeaders) -> String? {
        headers["x-request-uuid"] ?? headers["x-request-id"]
    }

    func read(_ headers: RequestHeaders, body: [UInt8]) throws(PayloadReader.Malformed) -> Delivery {
        let payload = try PayloadReader.read(
            body,
            keeping: [
                "push", "changes", "new", "type", "name", "target", "hash", "repository", "links", "html",
                "href", "clone", "full_name", "ref", "id", "toHash", "slug", "project", "key",
            ])
        switch headers["x-event-key"] {
        case "repo:push": return cloud(payload)
        case "repo:refs_changed": return dataCenter(payload)
        case let event: return .ignored("event '\(event ?? "")' is not a push")
        }
    }

    private func cloud(_ payload: Payload) -> Delivery {
        let repository = payload["repository"]
        var urls = [repository?["links"]?["html"]?["href"]?.text].compactMap { $0 }
        // A payload of Cloud has no clone URL.
        if let name = repository?["full_name"]?.text { urls.append("https://bitbucket.org/\(name).git") }
        let changes = payload["push"]?["changes"]?.elements ?? []
        let pushes = changes.compactMap { change -> PushEvent? in
            // Null when the ref was deleted.
            guard let new = change["new"], let name = new["name"]?.text, !name.isEmpty else { return nil }
            let commit = new["target"]?["hash"]?.text
            switch new["type"]?.text {
            case "branch", "named_branch":
                return PushEvent(repositories: urls, ref: .branch(name), commit: commit)
            // The target of a tag is the commit, also when it is annotated.
            case "tag", "annotated_tag":
                return PushEvent(repositories: urls, ref: .tag(name), commit: commit)
            default: return nil
            }
        }
        return pushes.isEmpty ? .ignored("no branch or tag has a new commit") : .pushes(pushes)
    }

    private func dataCenter(_ payload: Payload) -> Delivery {
        let repository = payload["repository"]
        var urls = repository?["links"]?["clone"]?.elements?.compactMap { $0["href"]?.text } ?? []
        // Older versions send no links; the path is then compared without the host.
        if urls.isEmpty, let key = repository?["project"]?["key"]?.text, let slug = repository?["slug"]?.text
        {
            urls.append("/\(key.lowercased())/\(slug)")
        }
        let changes = payload["changes"]?.elements ?? []
        let pushes = changes.compactMap { change -> PushEvent? in
            guard change["type"]?.text != "DELETE",
                let ref = change["ref"]?["id"]?.text.flatMap(PushedRef.init(full:)),
                let hash = change["toHash"]?.text, !ObjectID.isZero(hash)
            else { return nil }
            switch ref {
            case .branch: return PushEvent(repositories: urls, ref: ref, commit: hash)
            // It may be the object of an annotated tag.
            case .tag: return PushEvent(repositories: urls, ref: ref, commit: nil)
            }
        }
        return pushes.isEmpty ? .ignored("no branch or tag has a new commit") : .pushes(pushes)
    }
}
