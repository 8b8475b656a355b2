import Testing
import VoltCore
import VoltCrypto
import VoltOCI
import VoltSigning

@Suite struct SigningPayloadTests {
    private static let digest = OCIDigest.of([])
    private static let text =
        #"{"critical":{"identity":{"docker-reference":"registry.example/web"},"#
        + #""image":{"docker-manifest-digest":"\#(digest)"},"type":"cosign container image signature"},"optional":"#

    @Test("a payload is what cosign writes, byte by byte")
    func form() throws {
        let plain = SigningPayload(identity: "registry.example/web", digest: Self.digest)
        #expect(String(decoding: try plain.encoded(), as: UTF8.self) == "\(Self.text)null}")
        let more = SigningPayload(
            identity: "registry.example/web", digest: Self.digest, annotations: ["b": "2", "a": "x/y"])
        #expect(String(decoding: try more.encoded(), as: UTF8.self) == Self.text + #"{"a":"x/y","b":"2"}}"#)
        #expect(try SigningPayload(try more.encoded()) == more)
        let huge = SigningPayload(
            identity: "a", digest: Self.digest, annotations: ["a": String(repeating: "x", count: 70_000)])
        #expect(throws: VoltError.self) { try huge.encoded() }
    }

    @Test("annotations of other kinds are read as text, and what is no payload is refused")
    func reading() throws {
        let others = #"{"creator":"x","timestamp":1700000000,"ok":true,"list":[1],"none":null}}"#
        let read = try SigningPayload(Array((Self.text + others).utf8))
        #expect(read.annotations == ["creator": "x", "timestamp": "1700000000", "ok": "true"])
        #expect(throws: VoltError.self) {
            try SigningPayload(Array((Self.text + "null}").replacing("cosign", with: "atomic").utf8))
        }
        #expect(throws: VoltError.self) {
            try SigningPayload(Array((Self.text + "null}").replacing("sha256:", with: "md5:").utf8))
        }
        for wrong in ["", "null", "[]", "{}", Self.text] {
            #expect(throws: VoltError.self) { try SigningPayload(Array(wrong.utf8)) }
        }
    }

    @Test("what a report says steers no terminal and has an end")
    func report() {
        var report = SignatureReport(digest: Self.digest)
        #expect(report.found == "it has no signature")
        report.add(.unfit("a\u{1b}[2J\n"))
        report.add(.unfit("a\u{1b}[2J\n"))
        for number in 0..<1000 { report.add(.broken(String(repeating: "x", count: 1000 + number))) }
        report.add(.unknownKey)
        #expect(report.found.hasPrefix("its signature is of another key; a?[2J?; xxx"))
        #expect(report.found.utf8.count < 6000 && report.reasons.count == 2)
    }

    @Test("a payload is parsed only when a key has signed its bytes")
    func order() throws {
        let key = try PrivateKey(pem: PrivateKey.newP256(), named: "a")
        let check = SignatureCheck(
            keys: [TrustedKey(name: "a", key: key.publicKey)], digest: Self.digest,
            identity: .repository("registry.example/web"))
        func finding(_ payload: [UInt8], _ signature: String) -> String {
            switch check.finding(of: SignatureCandidate(payload: payload, signature: signature)) {
            case .good: "good"
            case .unknownKey: "unknown"
            case .unfit(let reason): "unfit: \(reason)"
            case .broken(let reason): "broken: \(reason)"
            }
        }
        func signed(_ payload: [UInt8]) -> String { Base64.encode(key.signASN1(payload)) }
        let good = try SigningPayload(identity: "registry.example/web:1", digest: Self.digest).encoded()
        #expect(finding(good, signed(good)) == "good")
        // Not a word about the payload, which no key has signed.
        let nonsense = Array("no payload".utf8)
        #expect(finding(nonsense, signed(good)) == "unknown")
        #expect(finding(nonsense, signed(nonsense)).hasPrefix("unfit: what was signed is no text"))
        #expect(finding(good + [32], signed(good)) == "unknown")
        #expect(finding(good, "x") == "broken: the signature is not Base64")
        #expect(finding(good, String(repeating: "A", count: 5000)) == "broken: the signature is not Base64")
        // The 64 bytes of JSON Web Signatures are another form, and none of cosign's.
        #expect(finding(good, Base64.encode(key.sign(good))) == "unknown")
        let huge = [UInt8](repeating: 32, count: SigningPayload.longest + 1)
        #expect(finding(huge, signed(huge)).hasPrefix("broken: what was signed is longer"))
        for name in ["registry.example/web2", "other.example/web", "web"] {
            let other = try SigningPayload(identity: name, digest: Self.digest).encoded()
            #expect(finding(other, signed(other)).contains("is for '\(name)'"))
        }
    }
}
