internal import GitopsEngine
internal import VoltCore
internal import VoltCrypto

private let secret = Array("whsec_c2VjcmV0IG9mIHRoZSBmdXp6ZXJz".utf8)
private let now: Int64 = 1_614_265_330

extension FuzzTarget {
    /// One for each provider: a request as lines of header fields, an empty line and the body.
    static let hooks: [FuzzTarget] = Provider.allCases.compactMap { provider in
        guard let hooks = provider.hooks else { return nil }
        let words = [
            "refs/heads/", "refs/tags/", #""ref":"#, #""repository":{"#, #""changes":["#, "null", "\\ud83d",
            "payload=", "%7B%22", "X-Event-Key: ", "X-GitHub-Event: push\n", "sha256=", "\n\n",
            "Content-Type: application/x-www-form-urlencoded\n", String(repeating: "0", count: 40),
        ]
        return FuzzTarget(name: provider.rawValue, words: words) { bytes throws(FuzzFailure) in
            let (headers, body) = request(bytes)
            _ = hooks.isUnsignedPing(headers)
            _ = hooks.deliveryID(headers)
            try require(
                !hooks.verifies(headers, body: body, secret: [], now: now), "an empty secret verifies")
            // Nobody who does not know the secret can make what verifies: what does, holds it or the HMAC.
            if hooks.verifies(headers, body: body, secret: secret, now: now) {
                try require(provider == .gitlab && contains(bytes, secret), "a forged signature verifies")
            }
            guard let delivery = try? hooks.read(headers, body: body) else { return }
            switch delivery {
            case .ignored(let reason): try require(!reason.isEmpty, "ignored without a reason")
            case .pushes(let pushes):
                try require(!pushes.isEmpty, "a push of nothing")
                for push in pushes {
                    try require(!push.ref.name.isEmpty, "a ref without a name")
                    try require(
                        push.commit.map(ObjectID.isZero) != true, "the commit of a deleted ref is deployed")
                }
            }
            let reply = HookReceiver.Reply.ignored(delivery.reason).body
            try require(
                reply.utf8.filter { $0 == UInt8(ascii: "\"") }.count == 8 && !reply.dropLast().contains("\n"),
                "a payload's text breaks the JSON of the answer")
        }
    }

    /// Signature headers, one a line, against the code that makes them.
    static let signatures = FuzzTarget(
        name: "signature", words: ["sha256=", "v1,", "v1a,", "whsec_", "=", " ", "\n", "0", "\u{e9}"]
    ) { bytes throws(FuzzFailure) in
        let lines = bytes.split(separator: 10, maxSplits: 3, omittingEmptySubsequences: false).map {
            String(decoding: $0, as: UTF8.self)
        }
        let header = lines[0]
        let body = lines.count > 3 ? Array(lines[3].utf8) : []
        let id = lines.count > 1 ? lines[1] : nil
        let time = lines.count > 2 ? lines[2] : nil
        let expected = "sha256=" + Hex.encode(HMAC.sha256(key: secret, message: body))
        try require(
            Signature.isSHA256(header, of: body, secret: secret) == (header == expected), "sha256 differs")
        try require(
            Signature.isToken(header, secret: secret) == header.utf8.elementsEqual(secret), "token differs")
        let key = Base64.decode(String(decoding: secret.dropFirst(6), as: UTF8.self)) ?? []
        let code = HMAC.sha256(key: key, message: Array("\(id ?? "").\(time ?? "").".utf8) + body)
        let good = "v1," + Base64.encode(code)
        let isTimely = time.flatMap { Int64($0) }.map { $0 >= now - 300 && $0 <= now + 300 } ?? false
        let holds =
            isTimely && id?.isEmpty == false
            && header.split(separator: " ").prefix(16).contains { $0 == good }
        try require(
            Signature.isStandard(header, id: id, timestamp: time, of: body, secret: secret, now: now)
                == holds,
            "Standard Webhooks differs")
        // The same bytes in the place of the secret.
        _ = Signature.isStandard(
            good, id: id, timestamp: time, of: body, secret: Array(header.utf8), now: Int64.max)
        _ = Signature.isStandard(
            good, id: id, timestamp: time, of: body, secret: Array(header.utf8), now: Int64.min)
    }

    private static func request(_ bytes: [UInt8]) -> (RequestHeaders, [UInt8]) {
        var fields: [(name: String, value: String)] = []
        var rest = bytes[...]
        while !rest.isEmpty {
            let line = rest.prefix { $0 != 10 }
            rest = rest[line.endIndex...].dropFirst()
            if line.isEmpty { break }
            let parts = line.split(separator: 58, maxSplits: 1, omittingEmptySubsequences: false)
            guard parts.count == 2 else { continue }
            fields.append(
                (
                    name: String(decoding: parts[0], as: UTF8.self),
                    value: String(decoding: parts[1].drop { $0 == 32 }, as: UTF8.self)
                ))
        }
        return (RequestHeaders(fields), Array(rest))
    }

    private static func contains(_ bytes: [UInt8], _ part: [UInt8]) -> Bool {
        bytes.indices.contains { bytes[$0...].starts(with: part) }
    }
}

extension Delivery {
    fileprivate var reason: String {
        switch self {
        case .ignored(let reason): reason
        case .pushes(let pushes): pushes.map(\.ref.described).joined(separator: ", ")
        }
    }
}
