/// Anything that can compute an HMAC: a small JSON of Volt's own, described in docs/gitops.md.
///
/// `{"repository": URL, "ref": "refs/heads/main", "commit": ID}`, with `X-Volt-Signature-256: sha256=<hex>`
/// over the body and, when the sender repeats deliveries, an `X-Volt-Delivery`.
struct Generic: HookProvider {
    func verifies(_ headers: RequestHeaders, body: [UInt8], secret: [UInt8], now: Int64) -> Bool {
        Signature.isSHA256(headers["x-volt-signature-256"], of: body, secret: secret)
    }

    func isSigned(_ headers: RequestHeaders) -> Bool {
        headers.has("x-volt-signature-256")
    }

    func deliveryID(_ headers: RequestHeaders) -> String? { headers["x-volt-delivery"] }

    func read(_ headers: RequestHeaders, body: [UInt8]) throws(PayloadReader.Malformed) -> Delivery {
        let payload = try PayloadReader.read(body, keeping: ["repository", "ref", "commit"])
        guard let name = payload["ref"]?.text, !name.isEmpty else {
            return .ignored("the payload has no ref")
        }
        guard let repository = payload["repository"]?.text else {
            return .ignored("the payload has no repository")
        }
        // A name without `refs/` is a branch.
        guard let ref = name.hasPrefix("refs/") ? PushedRef(full: name) : .branch(name) else {
            return .ignored("'\(name)' is no branch and no tag")
        }
        return .pushes([
            PushEvent(repositories: [repository], ref: ref, commit: payload["commit"]?.text)
        ])
    }
}
