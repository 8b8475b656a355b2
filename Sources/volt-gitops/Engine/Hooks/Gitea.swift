/// Gitea and Forgejo, which send the same payloads under header names of their own.
///
/// They sign the JSON, also when it comes within a form, where GitHub signs the form; the form is decoded
/// first, then. Without a secret they send the signature headers empty, which never verifies.
struct Gitea: HookProvider {
    /// `gitea` or `forgejo`. Forgejo sends Gitea's names as well, except where an administrator's proxy
    /// removes them.
    let brand: String

    var takesForms: Bool { true }

    func verifies(_ headers: RequestHeaders, body: [UInt8], secret: [UInt8], now: Int64) -> Bool {
        guard let json = try? payload(headers, body) else { return false }
        let bare = ["x-\(brand)-signature", "x-gitea-signature"].filter(headers.has)
        // Old versions have no prefixed header. Whichever are there must all hold.
        let isPrefixed = headers.has("x-hub-signature-256")
        guard isPrefixed || !bare.isEmpty else { return false }
        if isPrefixed, !Signature.isSHA256(headers["x-hub-signature-256"], of: json, secret: secret) {
            return false
        }
        return Set(bare).allSatisfy {
            Signature.isSHA256(headers[$0].map { "sha256=\($0)" }, of: json, secret: secret)
        }
    }

    /// Without a secret the fields are there and empty.
    func isSigned(_ headers: RequestHeaders) -> Bool {
        ["x-\(brand)-signature", "x-gitea-signature", "x-hub-signature-256"].contains {
            headers.has($0) && headers[$0] != ""
        }
    }

    func deliveryID(_ headers: RequestHeaders) -> String? {
        headers["x-\(brand)-delivery"] ?? headers["x-gitea-delivery"]
    }

    func read(_ headers: RequestHeaders, body: [UInt8]) throws(PayloadReader.Malformed) -> Delivery {
        let event = headers["x-\(brand)-event"] ?? headers["x-gitea-event"]
        guard let event, ["push", "create", "delete"].contains(event) else {
            return .ignored("event '\(event ?? "")' is not a push")
        }
        let payload = try PayloadReader.read(
            payload(headers, body),
            keeping: [
                "ref", "ref_type", "after", "sha", "head_commit", "id", "repository", "clone_url", "ssh_url",
                "html_url",
            ])
        guard let name = payload["ref"]?.text else { return .ignored("the payload has no ref") }
        // `create` and `delete` have the short name; `push` has the full one.
        let kind = payload["ref_type"]?.text
        guard let ref = PushedRef(full: name) ?? PushedRef(short: name, kind: kind) else {
            return .ignored("'\(name)' is no branch and no tag")
        }
        let after = payload["after"]?.text ?? payload["sha"]?.text
        if event == "delete" || after.map(ObjectID.isZero) == true {
            return .ignored("\(ref.described) was deleted")
        }
        let commit =
            switch ref {
            case .branch: after
            // The others may be the tag object.
            case .tag: payload["head_commit"]?["id"]?.text
            }
        let repository = payload["repository"]
        let urls = ["clone_url", "ssh_url", "html_url"].compactMap { repository?[$0]?.text }
        return .pushes([PushEvent(repositories: urls, ref: ref, commit: commit)])
    }

    private func payload(_ headers: RequestHeaders, _ body: [UInt8]) throws(PayloadReader.Malformed)
        -> [UInt8]
    {
        headers.isForm ? try Form.value(of: "payload", in: body) : body
    }
}
