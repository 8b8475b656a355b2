/// GitHub's webhooks: the HMAC covers the body as it was sent, form or JSON.
struct GitHub: HookProvider {
    func verifies(_ headers: RequestHeaders, body: [UInt8], secret: [UInt8], now: Int64) -> Bool {
        Signature.isSHA256(headers["x-hub-signature-256"], of: body, secret: secret)
    }

    func deliveryID(_ headers: RequestHeaders) -> String? { headers["x-github-delivery"] }

    func read(_ headers: RequestHeaders, body: [UInt8]) throws(PayloadReader.Malformed) -> Delivery {
        switch headers["x-github-event"] {
        case "push": break
        case "ping": return .ignored("ping")
        case let event: return .ignored("event '\(event ?? "")' is not a push")
        }
        let isForm =
            headers["content-type"]?.lowercased().hasPrefix("application/x-www-form-urlencoded") ?? false
        let json = isForm ? try Form.value(of: "payload", in: body) : body
        let payload = try PayloadReader.read(
            json,
            keeping: ["ref", "after", "deleted", "repository", "clone_url", "ssh_url", "git_url", "html_url"])
        guard let ref = payload["ref"]?.text else { return .ignored("the payload has no ref") }
        guard ref.hasPrefix("refs/heads/") else { return .ignored("'\(ref)' is not a branch") }
        let branch = String(ref.dropFirst("refs/heads/".count))
        if payload["deleted"]?.boolean == true { return .ignored("branch '\(branch)' was deleted") }
        let repository = payload["repository"]
        let urls = ["clone_url", "ssh_url", "git_url", "html_url"].compactMap { repository?[$0]?.text }
        return .pushes([PushEvent(repositories: urls, branch: branch, commit: payload["after"]?.text)])
    }
}

/// `application/x-www-form-urlencoded`, as the URL Standard has it.
enum Form {
    /// The first value with a name.
    static func value(of name: String, in body: [UInt8]) throws(PayloadReader.Malformed) -> [UInt8] {
        for pair in body.split(separator: UInt8(ascii: "&")) {
            let parts = pair.split(
                separator: UInt8(ascii: "="), maxSplits: 1, omittingEmptySubsequences: false)
            guard parts.count == 2, parts[0].elementsEqual(name.utf8) else { continue }
            return try decode(parts[1])
        }
        throw PayloadReader.Malformed()
    }

    private static func decode(_ bytes: ArraySlice<UInt8>) throws(PayloadReader.Malformed) -> [UInt8] {
        var result: [UInt8] = []
        result.reserveCapacity(bytes.count)
        var index = bytes.startIndex
        while index < bytes.endIndex {
            switch bytes[index] {
            case UInt8(ascii: "+"): result.append(32)
            case UInt8(ascii: "%"):
                guard index + 2 < bytes.endIndex,
                    let high = Character(Unicode.Scalar(bytes[index + 1])).hexDigitValue,
                    let low = Character(Unicode.Scalar(bytes[index + 2])).hexDigitValue
                else { throw PayloadReader.Malformed() }
                result.append(UInt8(high << 4 | low))
                index += 2
            case let byte: result.append(byte)
            }
            index += 1
        }
        return result
    }
}
