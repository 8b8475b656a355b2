/// GitLab's webhooks: the secret in the clear as `X-Gitlab-Token`, or a signature by Standard Webhooks.
struct GitLab: HookProvider {
    func verifies(_ headers: RequestHeaders, body: [UInt8], secret: [UInt8], now: Int64) -> Bool {
        // A signature that is there must hold: falling back to the token would make it worthless.
        if let signature = headers["webhook-signature"] {
            return Signature.isStandard(
                signature, id: headers["webhook-id"], timestamp: headers["webhook-timestamp"], of: body,
                secret: secret, now: now)
        }
        return Signature.isToken(headers["x-gitlab-token"], secret: secret)
    }

    /// Stable when GitLab tries again; `X-Gitlab-Webhook-UUID` is new for every request.
    func deliveryID(_ headers: RequestHeaders) -> String? {
        headers["idempotency-key"] ?? headers["webhook-id"]
    }

    func read(_ headers: RequestHeaders, body: [UInt8]) throws(PayloadReader.Malformed) -> Delivery {
        let payload = try PayloadReader.read(
            body,
            keeping: [
                "object_kind", "event_name", "ref", "checkout_sha", "project", "repository", "git_http_url",
                "git_ssh_url", "web_url",
            ])
        switch payload["object_kind"]?.text ?? payload["event_name"]?.text {
        case "push": break
        case let event: return .ignored("event '\(event ?? "")' is not a push to a branch")
        }
        guard let ref = payload["ref"]?.text, ref.hasPrefix("refs/heads/") else {
            return .ignored("the payload has no branch")
        }
        let branch = String(ref.dropFirst("refs/heads/".count))
        // Null when the branch was deleted.
        guard let commit = payload["checkout_sha"]?.text else {
            return .ignored("branch '\(branch)' was deleted")
        }
        let urls = [payload["project"], payload["repository"]].flatMap { part in
            ["git_http_url", "git_ssh_url", "web_url"].compactMap { part?[$0]?.text }
        }
        return .pushes([PushEvent(repositories: urls, branch: branch, commit: commit)])
    }
}
