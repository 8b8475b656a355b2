import Testing
import VoltCore
import VoltCrypto

@testable import GitopsEngine

private let secret = Array("It's a Secret to Everybody".utf8)

/// A provider's way to sign, with a body whose signature the provider has published.
private struct Vector: Sendable, CustomTestStringConvertible {
    let provider: Provider
    let header: String
    let body: [UInt8]
    let signature: String
    var testDescription: String { "\(provider)" }

    func verifies(_ value: String?, secret key: [UInt8] = secret, name: String? = nil) -> Bool {
        let fields = value.map { [(name: name ?? header, value: $0)] } ?? []
        return provider.hooks?.verifies(RequestHeaders(fields), body: body, secret: key, now: 0) ?? false
    }
}

private let vectors = [
    // docs.github.com, "Validating webhook deliveries".
    Vector(
        provider: .github, header: "X-Hub-Signature-256", body: Array("Hello, World!".utf8),
        signature: "757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"),
    // support.atlassian.com, "Manage webhooks".
    Vector(
        provider: .bitbucket, header: "X-Hub-Signature", body: Array("Hello World!".utf8),
        signature: "a4771c39fbe90f317c7824e83ddef3caae9cb3d976c214ace1f2937e133263c9"),
    // Gitea, Forgejo and the generic form sign as GitHub does, so that its vector is theirs.
    Vector(
        provider: .gitea, header: "X-Hub-Signature-256", body: Array("Hello, World!".utf8),
        signature: "757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"),
    Vector(
        provider: .forgejo, header: "X-Hub-Signature-256", body: Array("Hello, World!".utf8),
        signature: "757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"),
    Vector(
        provider: .generic, header: "X-Volt-Signature-256", body: Array("Hello, World!".utf8),
        signature: "757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"),
]

@Suite struct SignatureTests {
    @Test(
        "the provider's published signature holds, whatever the case of the header's name", arguments: vectors
    )
    fileprivate func published(vector: Vector) {
        #expect(vector.verifies("sha256=\(vector.signature)"))
        #expect(vector.verifies("sha256=\(vector.signature)", name: vector.header.lowercased()))
        #expect(vector.verifies("sha256=\(vector.signature)", name: vector.header.uppercased()))
    }

    @Test("every other form of a signature is refused", arguments: vectors)
    fileprivate func refused(vector: Vector) {
        let hex = vector.signature
        let wrong = hex.dropLast() + (hex.last == "0" ? "1" : "0")
        for value in [
            nil, "", "sha256=", "sha256", hex, "sha256=\(wrong)", "sha256=\(hex.dropLast())",
            "sha256=\(hex)0",
            "sha256=\(hex.uppercased())", "SHA256=\(hex)", "sha1=\(hex)", "sha1=\(hex.prefix(40))",
            "sha512=\(hex)\(hex)", "sha256=\(hex),sha256=\(hex)", " sha256=\(hex)", "sha256= \(hex)", "s",
            "=",
            "sha256=\(String(repeating: "g", count: 64))", "sha256=\(String(repeating: "é", count: 32))",
        ] as [String?] {
            #expect(!vector.verifies(value), "\(value ?? "no header")")
        }
    }

    @Test(
        "a signature made with another secret, of another body, or with no secret at all is refused",
        arguments: vectors)
    fileprivate func foreign(vector: Vector) {
        #expect(
            !vector.verifies("sha256=\(vector.signature)", secret: Array("it's a secret to everybody".utf8)))
        let empty = Hex.encode(HMAC.sha256(key: [UInt8](), message: vector.body))
        #expect(!vector.verifies("sha256=\(empty)", secret: []))
        let other = Vector(
            provider: vector.provider, header: vector.header, body: vector.body + [10],
            signature: vector.signature)
        #expect(!other.verifies("sha256=\(vector.signature)"))
    }

    @Test("a header that occurs twice is refused", arguments: vectors)
    fileprivate func twice(vector: Vector) {
        let value = "sha256=\(vector.signature)"
        let headers = RequestHeaders([
            (name: vector.header, value: value), (name: vector.header, value: value),
        ])
        #expect(vector.provider.hooks?.verifies(headers, body: vector.body, secret: secret, now: 0) == false)
    }

    @Test("GitHub's SHA-1 header is not looked at, and Bitbucket's not GitHub's")
    func headerNames() {
        #expect(!vectors[0].verifies("sha256=\(vectors[0].signature)", name: "X-Hub-Signature"))
        #expect(!vectors[1].verifies("sha256=\(vectors[1].signature)", name: "X-Hub-Signature-256"))
    }
}

@Suite struct GiteaSignatureTests {
    private let json = Array(#"{"ref":"refs/heads/main"}"#.utf8)
    private let form = Array("payload=%7B%22ref%22%3A%22refs%2fheads%2Fmain%22%7D".utf8)
    private let formType = (name: "Content-Type", value: "application/x-www-form-urlencoded")

    private func verifies(
        _ fields: [(name: String, value: String)], _ body: [UInt8], brand: String = "gitea",
        secret key: [UInt8] = secret
    ) -> Bool {
        Gitea(brand: brand).verifies(RequestHeaders(fields), body: body, secret: key, now: 0)
    }

    private func hex(_ message: [UInt8], key: [UInt8] = secret) -> String {
        Hex.encode(HMAC.sha256(key: key, message: message))
    }

    @Test("of a form the JSON within is signed, where GitHub signs the form")
    func forms() {
        let ofJSON = (name: "X-Hub-Signature-256", value: "sha256=\(hex(json))")
        let ofForm = (name: "X-Hub-Signature-256", value: "sha256=\(hex(form))")
        #expect(verifies([formType, ofJSON], form))
        #expect(!verifies([formType, ofForm], form))
        #expect(!GitHub().verifies(RequestHeaders([formType, ofJSON]), body: form, secret: secret, now: 0))
        #expect(GitHub().verifies(RequestHeaders([formType, ofForm]), body: form, secret: secret, now: 0))
        for broken in ["", "payload", "x=1", "payload=%7", "payload=%g0"] {
            #expect(!verifies([formType, ofJSON], Array(broken.utf8)))
        }
    }

    @Test("the bare header of old versions is enough", arguments: ["gitea", "forgejo"])
    func bare(brand: String) {
        #expect(verifies([(name: "X-Gitea-Signature", value: hex(json))], json, brand: brand))
        #expect(verifies([(name: "X-\(brand)-Signature", value: hex(json))], json, brand: brand))
    }

    @Test("without a secret all headers come empty, and nothing verifies, with no secret either")
    func empty() {
        let fields = [
            (name: "X-Gitea-Signature", value: ""), (name: "X-Forgejo-Signature", value: ""),
            (name: "X-Hub-Signature-256", value: "sha256="), (name: "X-Hub-Signature", value: "sha1="),
        ]
        for brand in ["gitea", "forgejo"] {
            #expect(!verifies(fields, json, brand: brand))
            #expect(!verifies(fields, json, brand: brand, secret: []))
            #expect(!verifies([], json, brand: brand))
        }
    }

    @Test("each signature that is there must hold")
    func all() {
        let good = (name: "X-Gitea-Signature", value: hex(json))
        for bad in ["", "sha256=", "sha256=\(hex(json, key: [1]))", "sha256=\(hex(json).uppercased())"] {
            #expect(!verifies([good, (name: "X-Hub-Signature-256", value: bad)], json))
        }
        let prefixed = (name: "X-Hub-Signature-256", value: "sha256=\(hex(json))")
        #expect(verifies([good, prefixed], json))
        #expect(!verifies([(name: "X-Gitea-Signature", value: ""), prefixed], json))
        #expect(!verifies([good, good, prefixed], json))
    }
}

@Suite struct GitLabSignatureTests {
    /// The reference vector of the Standard Webhooks specification.
    private let key = Array("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".utf8)
    private let body = Array(#"{"test": 2432232314}"#.utf8)
    private let fields: [(name: String, value: String)] = [
        (name: "webhook-id", value: "msg_p5jXN8AQM9LWM0D4loKWxJek"),
        (name: "webhook-timestamp", value: "1614265330"),
        (name: "webhook-signature", value: "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="),
    ]

    private func verifies(
        _ fields: [(name: String, value: String)], now: Int64 = 1_614_265_330, key: [UInt8]? = nil
    )
        -> Bool
    {
        GitLab().verifies(RequestHeaders(fields), body: body, secret: key ?? self.key, now: now)
    }

    @Test("the published signature holds within five minutes of its time")
    func window() {
        for offset: Int64 in [-300, -1, 0, 300] { #expect(verifies(fields, now: 1_614_265_330 + offset)) }
        for offset: Int64 in [-301, 301, 86_400, -1_614_265_330] {
            #expect(!verifies(fields, now: 1_614_265_330 + offset))
        }
    }

    @Test("one of several signatures is enough, and none of another version counts")
    func several() {
        let good = fields[2].value
        #expect(verifies([fields[0], fields[1], (name: "webhook-signature", value: "v1,AAAA v2,x \(good)")]))
        let renamed = "v2" + good.dropFirst(2)
        #expect(!verifies([fields[0], fields[1], (name: "webhook-signature", value: renamed)]))
    }

    @Test("a signing token without a key, or with one that is not base 64, verifies nothing")
    func emptyKey() {
        let message = Array("msg_p5jXN8AQM9LWM0D4loKWxJek.1614265330.".utf8) + body
        let forged = "v1," + Base64.encode(HMAC.sha256(key: [], message: message))
        for key in ["whsec_", "whsec_=", "whsec_!", ""] {
            let fields = [fields[0], fields[1], (name: "webhook-signature", value: forged)]
            #expect(!verifies(fields, key: Array(key.utf8)))
        }
    }

    @Test("a signature that comes twice is refused, and the token that comes with it does not help")
    func doubled() {
        let token = (name: "X-Gitlab-Token", value: String(decoding: key, as: UTF8.self))
        #expect(!verifies(fields + [fields[2], token]))
    }

    @Test("the times at the ends of the numbers are refused")
    func farTimes() {
        for time in ["9223372036854775807", "-9223372036854775808", "0", "1e9", "99999999999999999999"] {
            let fields = [fields[0], (name: "webhook-timestamp", value: time), fields[2]]
            for now in [0, 1_614_265_330, -1] as [Int64] { #expect(!verifies(fields, now: now)) }
        }
    }

    @Test("a signature without its id or time, or with another one, is refused", arguments: [0, 1])
    func covered(index: Int) {
        #expect(!verifies(fields.filter { $0.name != fields[index].name }))
        var changed = fields
        changed[index].value = "1614265331"
        #expect(!verifies(changed))
        changed[index].value = ""
        #expect(!verifies(changed))
    }

    @Test("a wrong signature is refused even when the right token comes with it")
    func noFallback() {
        let token = (name: "X-Gitlab-Token", value: String(decoding: key, as: UTF8.self))
        #expect(verifies([token]))
        #expect(!verifies([fields[0], fields[1], (name: "webhook-signature", value: "v1,AAAA"), token]))
    }

    @Test(
        "a token is the secret itself or nothing",
        arguments: ["", "wrong", "secre", "secret ", "Secret", "secretsecret"])
    func tokens(value: String) {
        #expect(verifies([(name: "X-Gitlab-Token", value: "secret")], key: Array("secret".utf8)))
        #expect(!verifies([(name: "X-Gitlab-Token", value: value)], key: Array("secret".utf8)))
        #expect(!verifies([(name: "X-Gitlab-Token", value: value)], key: []))
        #expect(!verifies([], key: Array("secret".utf8)))
    }
}
