/// GitLab's webhooks and system hooks: the secret in the clear as `X-Gitlab-Token`, or a signature by
/// Standard Webhooks.
struct GitLab: HookProvider {
    func verifies(_ headers: RequestHeaders, body: [UInt8], secret: [UInt8], now: Int64) -> Bool {
        // A signature that is there must hold: falling back to the token would make it worthless.
        if headers.has("webhook-signature") {
            return Signature.isStandard(
                headers["webhook-signature"], id: headers["webhook-id"],
                timestamp: headers["webhook-timestamp"], of: body, secret: secret, now: now)
        }
        return Signature.isToken(headers["x-gitlab-token"], secret: secret)
    }

    func isSigned(_ headers: RequestHeaders) -> Bool {
        headers.has("webhook-signature") || headers.has("x-gitlab-token")
    }

    /// Stable when GitLab tries again; `X-Gitlab-Webhook-UUID` is new for every request.
    func deliveryID(_ headers: RequestHeaders) -> String? {
        // The signature covers this one; the other has the same value and is not signed.
        headers["webhook-id"] ?? headers["idempotency-key"]
    }

    func read(_ headers: RequestHeaders, body: [UInt8]) throws(PayloadReader.Malformed) -> Delivery {
        let payload = try PayloadReader.read(
            body,
            keeping: [
                "object_kind", "event_name", "ref", "after", "checkout_sha", "changes", "project",
                "repository", "git_http_url", "git_ssh_url", "web_url",
            ])
        let urls = [payload["project"], payload["repository"]].flatMap { part in
            ["git_http_url", "git_ssh_url", "web_url"].compactMap { part?[$0]?.text }
        }
        // System hooks may leave `object_kind` out.
        switch payload["object_kind"]?.text ?? payload["event_name"]?.text {
        case "push", "tag_push": return push(payload, urls)
        case "repository_update": return update(payload, urls)
        case let event: return .ignored("event '\(event ?? "")' is not a push")
        }
    }

    private func push(_ payload: Payload, _ urls: [String]) -> Delivery {
        guard let ref = payload["ref"]?.text.flatMap(PushedRef.init(full:)) else {
            return .ignored("the payload has no branch and no tag")
        }
        // The commit also where `after` is the object of an annotated tag; null when the ref was deleted.
        guard let commit = payload["checkout_sha"]?.text, !ObjectID.isZero(commit) else {
            return .ignored("\(ref.described) was deleted")
        }
        return .pushes([PushEvent(repositories: urls, ref: ref, commit: commit)])
    }

    /// A system hook's one event for all refs of a push.
    private func update(_ payload: Payload, _ urls: [String]) -> Delivery {
        let pushes = (payload["changes"]?.elements ?? []).compactMap { change -> PushEvent? in
            guard let ref = change["ref"]?.text.flatMap(PushedRef.init(full:)),
                let after = change["after"]?.text, !ObjectID.isZero(after)
            else { return nil }
            switch ref {
            case .branch: return PushEvent(repositories: urls, ref: ref, commit: after)
            case .tag: return PushEvent(repositories: urls, ref: ref, commit: nil)
            }
        }
        return pushes.isEmpty ? .ignored("no branch or tag has a new commit") : .pushes(pushes)
    }
}
