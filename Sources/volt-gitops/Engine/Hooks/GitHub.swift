/// GitHub's webhooks: the HMAC covers the body as it was sent, form or JSON.
struct GitHub: HookProvider {
    var takesForms: Bool { true }

    func verifies(_ headers: RequestHeaders, body: [UInt8], secret: [UInt8], now: Int64) -> Bool {
        Signature.isSHA256(headers["x-hub-signature-256"], of: body, secret: secret)
    }

    func isSigned(_ headers: RequestHeaders) -> Bool {
        headers.has("x-hub-signature-256") || headers.has("x-hub-signature")
    }

    func deliveryID(_ headers: RequestHeaders) -> String? { headers["x-github-delivery"] }

    func read(_ headers: RequestHeaders, body: [UInt8]) throws(PayloadReader.Malformed) -> Delivery {
        switch headers["x-github-event"] {
        case "push": break
        case "ping": return .ignored("ping")
        case let event: return .ignored("event '\(event ?? "")' is not a push")
        }
        let payload = try PayloadReader.read(
            headers.isForm ? try Form.value(of: "payload", in: body) : body,
            keeping: [
                "ref", "after", "deleted", "head_commit", "id", "repository", "clone_url", "ssh_url",
                "git_url", "html_url",
            ])
        guard let name = payload["ref"]?.text else { return .ignored("the payload has no ref") }
        guard let ref = PushedRef(full: name) else { return .ignored("'\(name)' is no branch and no tag") }
        let after = payload["after"]?.text
        if payload["deleted"]?.boolean == true || after.map(ObjectID.isZero) == true {
            return .ignored("\(ref.described) was deleted")
        }
        let commit =
            switch ref {
            case .branch: after
            // `after` is the tag object when the tag is annotated.
            case .tag: payload["head_commit"]?["id"]?.text
            }
        let repository = payload["repository"]
        let urls = ["clone_url", "ssh_url", "git_url", "html_url"].compactMap { repository?[$0]?.text }
        return .pushes([PushEvent(repositories: urls, ref: ref, commit: commit)])
    }
}

/// Ids of Git objects as payloads write them.
package enum ObjectID {
    /// Whether the id is the one of no object, by which a deleted ref is told.
    package static func isZero(_ text: String) -> Bool {
        [40, 64].contains(text.utf8.count) && text.utf8.allSatisfy { $0 == UInt8(ascii: "0") }
    }

    /// Whether the text is the full id of an object, SHA-1 or SHA-256, in lower case.
    static func isFull(_ text: String) -> Bool {
        [40, 64].contains(text.utf8.count)
            && text.utf8.allSatisfy { (48...57).contains($0) || (97...102).contains($0) }
    }
}
