import Testing
import VoltCore
import VoltCrypto
import VoltPlugin
import VoltSystem
import VoltTestKit

@testable import RegistryAccess

/// Tokens against an outside token server, whose key the test has.
@Suite struct HostileTokenTests {
    private let now = AccessFixture.now
    private let fixture: AccessFixture
    private let control: AccessControl
    private let key: PrivateKey

    init() throws {
        fixture = try AccessFixture()
        key = try PrivateKey(pem: PrivateKey.newEd25519(), named: "test")
        let x = Base64URL.encode(key.publicKey.der.suffix(32))
        try fixture.write(
            "jwks.json",
            """
            {"keys": [{"kty": "oct", "k": "AAAA", "kid": "s"},
              {"kty": "OKP", "crv": "Ed25519", "x": "\(x)", "kid": "one", "use": "sig"},
              {"kty": "OKP", "crv": "Ed25519", "x": "\(x)", "kid": "enc", "use": "enc"}]}
            """)
        control = try fixture.open(
            """
            version: 1
            tokens:
              trust: { issuer: auth.example, service: reg, realm: https://auth.example/token, keys: jwks.json }
            """)
    }

    private static let header = #"{"alg":"EdDSA","typ":"JWT","kid":"one"}"#
    private static let seconds = AccessFixture.now.milliseconds / 1000

    private func claims(
        iss: String = #""auth.example""#, aud: String = #""reg""#, exp: String = "\(seconds + 60)",
        more: String = "",
        access: String = #"[{"type":"repository","name":"team/web","actions":["pull","push"]}]"#
    ) -> String {
        #"{"iss":\#(iss),"sub":"jo","aud":\#(aud),"exp":\#(exp),"access":\#(access)\#(more)}"#
    }

    private func token(_ claims: String, header: String = HostileTokenTests.header) -> String {
        let signed = Base64URL.encode(Array(header.utf8)) + "." + Base64URL.encode(Array(claims.utf8))
        return signed + "." + Base64URL.encode(key.sign(Array(signed.utf8)))
    }

    private func word(_ token: String, _ wants: AccessWant...) -> String {
        var asked = request("Bearer \(token)")
        asked.wants = wants.isEmpty ? [want(.push, "team/web")] : wants
        return control.authorize(asked, now: now).word
    }

    @Test("a token of the server does what its access says, and nothing else")
    func good() throws {
        let good = token(claims())
        #expect(word(good) == "token:jo" && word(good, want(.delete, "team/web")) == "401")
        #expect(word(good, want(.push, "team")) == "401" && word(good, want(.administer)) == "401")
        #expect(word(token(claims(aud: #"["x","reg"]"#))) == "token:jo")
        #expect(word(token(claims(), header: #"{"alg":"EdDSA"}"#)) == "token:jo")
        let challenge = control.authorize(request(nil, want(.pull, "a")), now: now).challenge
        #expect(
            challenge == #"Bearer realm="https://auth.example/token",service="reg",scope="repository:a:pull""#
        )
        // The subject is a name for the log, not a user of the rules.
        #expect(word(token(claims(access: "[]")), want(.pull, "team/web")) == "401")
    }

    @Test("tokens that are not as they must be are refused")
    func hostile() throws {
        let good = token(claims())
        let parts = good.split(separator: ".").map(String.init)
        let secret = Base64URL.encode(
            HMAC.sha256(
                key: key.publicKey.der,
                message: Array((Base64URL.encode(Array(#"{"alg":"HS256"}"#.utf8)) + "." + parts[1]).utf8)))
        let many = (0..<70).map { #"{"type":"repository","name":"a\#($0)","actions":["pull"]}"# }
        let all: [(String, String)] = [
            ("alg none", Base64URL.encode(Array(#"{"alg":"none"}"#.utf8)) + "." + parts[1] + "."),
            ("alg none, signed", token(claims(), header: #"{"alg":"none"}"#)),
            (
                "HS256 with the public key",
                Base64URL.encode(Array(#"{"alg":"HS256"}"#.utf8)) + ".\(parts[1]).\(secret)"
            ),
            ("alg of another key", token(claims(), header: #"{"alg":"RS256","kid":"one"}"#)),
            ("alg in lower case", token(claims(), header: #"{"alg":"eddsa"}"#)),
            ("no alg", token(claims(), header: #"{"kid":"one"}"#)),
            ("another kid", token(claims(), header: #"{"alg":"EdDSA","kid":"two"}"#)),
            ("kid of an encryption key", token(claims(), header: #"{"alg":"EdDSA","kid":"enc"}"#)),
            ("kid that is no text", token(claims(), header: #"{"alg":"EdDSA","kid":1}"#)),
            ("crit", token(claims(), header: #"{"alg":"EdDSA","crit":["x"]}"#)),
            ("another type", token(claims(), header: #"{"alg":"EdDSA","typ":"dpop+jwt"}"#)),
            ("alg twice", token(claims(), header: #"{"alg":"none","alg":"EdDSA"}"#)),
            ("an own key", token(claims(), header: #"{"alg":"ES256","jwk":{"kty":"EC"}}"#)),
            ("expired", token(claims(exp: "\(Self.seconds - 61)"))),
            ("no expiry", token(#"{"iss":"auth.example","sub":"jo","aud":"reg"}"#)),
            ("expiry as text", token(claims(exp: #""9999999999""#))),
            ("huge expiry", token(claims(exp: "9223372036854775807"))),
            ("negative expiry", token(claims(exp: "-1"))),
            ("not yet", token(claims(more: #","nbf":\#(Self.seconds + 61)"#))),
            ("issued later", token(claims(more: #","iat":\#(Self.seconds + 61)"#))),
            ("another issuer", token(claims(iss: #""evil.example""#))),
            ("issuer that is no text", token(claims(iss: #"["auth.example"]"#))),
            ("another audience", token(claims(aud: #""other""#))),
            ("no audience", token(claims(aud: "[]"))),
            ("audience of mixed kinds", token(claims(aud: #"["reg",1]"#))),
            ("a claim twice", token(claims(more: #","iss":"auth.example""#))),
            ("claims that are a list", token("[]")), ("claims that are no JSON", token("x")),
            (
                "deep claims",
                token(
                    claims(
                        more: ",\"x\":" + String(repeating: "[", count: 40)
                            + String(repeating: "]", count: 40)))
            ),
            ("access that is no list", token(claims(access: "{}"))),
            ("access without names", token(claims(access: #"[{"type":"repository"}]"#))),
            ("too much access", token(claims(access: "[" + many.joined(separator: ",") + "]"))),
            ("wildcard", token(claims(access: #"[{"type":"repository","name":"*","actions":["*"]}]"#))),
            (
                "wildcard parts",
                token(claims(access: #"[{"type":"repository","name":"team/*","actions":["push"]}]"#))
            ),
            (
                "another type of resource",
                token(claims(access: #"[{"type":"repo","name":"team/web","actions":["push"]}]"#))
            ),
            ("truncated", String(good.dropLast(4))), ("one part", parts[0]),
            ("two parts", "\(parts[0]).\(parts[1])"),
            ("no signature", "\(parts[0]).\(parts[1])."), ("four parts", good + ".x"), ("padded", good + "="),
            (
                "another signature",
                "\(parts[0]).\(parts[1])." + Base64URL.encode([UInt8](repeating: 1, count: 64))
            ),
            (
                "other claims",
                "\(parts[0])." + Base64URL.encode(Array(claims(exp: "99999999999").utf8)) + ".\(parts[2])"
            ),
            ("huge", token(claims(more: #","x":"\#(String(repeating: "a", count: 17_000))""#))),
            ("empty", "."), ("dots", "..."),
            ("subject of two lines", token(claims().replacing(#""jo""#, with: #""jo\nroot""#))),
        ]
        for (name, text) in all { #expect(word(text) == "401", "\(name)") }
        // A refused token does not spoil a good one.
        #expect(word(good) == "token:jo")
    }

    @Test("a new key of the server counts within a second, and the old one no more")
    func rotation() throws {
        let old = token(claims())
        #expect(word(old) == "token:jo")
        let other = try PrivateKey(pem: PrivateKey.newEd25519(), named: "other")
        let x = Base64URL.encode(other.publicKey.der.suffix(32))
        try fixture.write("jwks.json", #"{"keys": [{"kty": "OKP", "crv": "Ed25519", "x": "\#(x)"}]}"#)
        let later = now.advanced(by: .seconds(2))
        let decision = control.authorize(request("Bearer \(old)", want(.push, "team/web")), now: later)
        #expect(decision.word == "401" && control.takeProblems().isEmpty)
    }

    @Test("certificates of openssl verify tokens that openssl signed", arguments: ["rsa:2048", "ec"])
    func certificates(kind: String) throws {
        let options =
            kind == "ec" ? ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"] : ["-newkey", kind]
        let made = try fixture.run.run(
            [
                "openssl", "req", "-x509", "-nodes", "-subj", "/CN=auth", "-days", "1", "-keyout", "s.key",
                "-out", "s.pem",
            ]
                + options)
        #expect(made.status == 0, "\(made.stderr)")
        try fixture.write(
            "policy.yaml",
            """
            version: 1
            tokens:
              trust: { issuer: auth.example, service: reg, realm: https://auth.example/token, certificates: s.pem }
            """)
        try control.reload(now: now)
        let algorithm = kind == "ec" ? "ES256" : "RS256"
        let signed =
            Base64URL.encode(Array(#"{"alg":"\#(algorithm)","kid":"ANY","x5c":["AAAA"]}"#.utf8)) + "."
            + Base64URL.encode(Array(claims().utf8))
        let signature: [UInt8]
        if kind == "ec" {
            let signer = try PrivateKey(pem: try Files.read("\(fixture.directory)/s.key"), named: "s.key")
            signature = signer.sign(Array(signed.utf8))
        } else {
            try fixture.write("message", signed)
            let run = try fixture.run(
                "openssl", "dgst", "-sha256", "-sign", "s.key", "-out", "sig", "message")
            #expect(run.status == 0)
            signature = try Files.read("\(fixture.directory)/sig")
        }
        #expect(word(signed + "." + Base64URL.encode(signature)) == "token:jo")
        #expect(word(token(claims())) == "401")
    }
}
