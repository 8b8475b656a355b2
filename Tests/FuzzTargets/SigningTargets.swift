internal import VoltCore
internal import VoltCrypto
internal import VoltOCI
internal import VoltSigning
internal import VoltTrust

extension FuzzTarget {
    private static let pem = PrivateKey.newP256()
    private static let key: TrustedKey? = {
        guard let key = try? PrivateKey(pem: pem, named: "key") else { return nil }
        return TrustedKey(name: "key", key: key.publicKey)
    }()

    /// What an image's signature is about, and a signature that nobody made, in the bytes of one.
    static let signingPayload = FuzzTarget(
        name: "signing-payload",
        words: [
            #"{"critical":{"identity":{"docker-reference":""#,
            #"},"image":{"docker-manifest-digest":"sha256:"#,
            #""type":"cosign container image signature"}"#, #","optional":null}"#, #""optional":{"a":"b"}"#,
            #"{"mediaType":"application/vnd.dev.sigstore.bundle.v0.3+json","dsseEnvelope":{"payload":""#,
            #"","payloadType":"application/vnd.in-toto+json","signatures":[{"sig":""#, "1e999", #"\u0000"#,
            "[", "}",
        ]
    ) { bytes throws(FuzzFailure) in
        guard let key else { throw FuzzFailure("there is no key") }
        let check = SignatureCheck(keys: [key], digest: .of([]), identity: .any)
        for signature in [Base64.encode(bytes), String(decoding: bytes, as: UTF8.self)] {
            let candidate = SignatureCandidate(payload: bytes, signature: signature)
            switch check.finding(of: candidate) {
            case .unknownKey, .broken: break
            case .good, .unfit: throw FuzzFailure("a signature that nobody made")
            }
        }
        if let candidate = try? SignatureBundle.candidate(bytes) {
            switch check.finding(of: candidate) {
            case .unknownKey, .broken: break
            case .good, .unfit: throw FuzzFailure("a bundle that nobody signed")
            }
        }
        guard let payload = try? SigningPayload(bytes) else { return }
        // What was read can be signed and read again, unless it grows by what JSON escapes.
        guard let again = try? payload.encoded() else { return }
        try require((try? SigningPayload(again)) == payload, "another payload than was read")
    }

    /// A trust policy: one that never says accept accepts nothing.
    static let trustPolicy = FuzzTarget(
        name: "trust-policy",
        words: [
            "version: 1\n", "default: refuse\n", "default: accept\n", "images:\n", "  - name: ",
            "signedBy: [team.pub]\n", "identity: any", "accept: true", "refuse: true", "\"**\"",
            "registry.example/**", "localhost:5000/*",
        ]
    ) { bytes throws(FuzzFailure) in
        guard let key else { throw FuzzFailure("there is no key") }
        let policy: TrustPolicy
        do throws(VoltError) {
            policy = try TrustPolicy.read(bytes, path: "fuzz.yaml") { path throws(VoltError) in
                guard !path.hasSuffix("none") else { throw VoltError(.notFound, "there is no '\(path)'") }
                return key.key.pem
            }
        } catch {
            try require(
                error.code == .refused && error.message.hasPrefix("fuzz.yaml:"),
                "an error without place: \(error)")
            return
        }
        let text = String(decoding: bytes, as: UTF8.self)
        for name in ["registry.example/team/web", "localhost:5000/a", "debian", "[::1]:5000/a/b/c"] {
            guard let reference = try? OCIReference(name) else { throw FuzzFailure("no reference: \(name)") }
            switch policy.decision(reference) {
            case .accept: try require(text.contains("accept") || text.contains("\\"), "accepts: \(text)")
            case .refuse(let rule): try require(rule.hasPrefix("fuzz.yaml:"), "a rule without place")
            case .signed(let requirement):
                try require(
                    !requirement.keys.isEmpty && requirement.rule.hasPrefix("fuzz.yaml:"),
                    "a rule without keys")
            }
        }
    }
}
