import Glibc
import Testing
import VoltCore
import VoltCrypto
import VoltOCI
import VoltPlugin
import VoltSystem
import VoltTestKit

@testable import RegistryAccess

@Suite struct TokenTests {
    private let now = AccessFixture.now
    private let fixture: AccessFixture
    private let control: AccessControl

    init() throws {
        fixture = try AccessFixture()
        control = try fixture.standard(AccessFixture.issue)
    }

    private func token(_ user: String?, _ scopes: String..., cert: String? = nil) throws -> String {
        let query =
            "service=registry.example&account=x&client_id=docker"
            + scopes.map { "&scope=\($0.replacing(":", with: "%3A"))" }.joined()
        let answer = control.token(
            TokenRequest(
                query: query, authorization: user.map { basic($0) }, clientName: cert, address: "192.0.2.1"),
            now: now)
        guard case .issued(let json) = answer else { throw VoltError(.failed, "\(answer)") }
        let value = try JSONValue(Array(json.utf8))
        #expect(value["expires_in"]?.integer == 300 && value["access_token"] == value["token"])
        #expect(value["issued_at"]?.string.flatMap { Timestamp(rfc3339: $0) } == now)
        return try #require(value["token"]?.string)
    }

    private func ask(_ token: String, _ wants: AccessWant..., at moment: Timestamp? = nil) -> AccessDecision {
        var asked = request("Bearer \(token)")
        asked.wants = wants
        let decision = control.authorizeAtOnce(asked, now: moment ?? now)
        #expect(decision != nil, "a token needs no hash")
        return decision ?? .denied(message: "")
    }

    @Test("the challenge names the token endpoint, the service and what is wanted")
    func challenge() throws {
        func challenge(_ asked: AccessRequest) -> String? { control.authorize(asked, now: now).challenge }
        let start = #"Bearer realm="https://registry.example:5000/token",service="registry.example""#
        #expect(challenge(request()) == start)
        #expect(
            challenge(request(nil, want(.push, "team/web"))) == start
                + #",scope="repository:team/web:pull,push""#)
        #expect(
            challenge(request(nil, want(.pull, "team/a"), want(.push, "team/b"), want(.delete, "team/b")))
                == start + #",scope="repository:team/a:pull repository:team/b:pull,push,delete""#)
        #expect(
            challenge(request("Bearer x", want(.pull, "team/a")))?.contains(#"error="invalid_token""#) == true
        )
        // An origin that would break out of the quotes is not repeated.
        var trick = request()
        trick.origin = #"https://a",x="y"#
        #expect(challenge(trick)?.hasPrefix("Basic ") == true)
    }

    @Test("a token holds what the user may do of what was asked for, and no more")
    func rights() throws {
        let bob = try token("bob", "repository:public/a:pull,push", "repository:team/web:pull,push,delete")
        #expect(ask(bob).word == "bob" && ask(bob, want(.push, "public/a")).word == "bob")
        #expect(ask(bob, want(.delete, "team/web")).word == "bob")
        #expect(ask(bob, want(.push, "team/web")).word == "403")
        // What the token itself says; clients and people look into it.
        let payload = try JSONValue(try #require(Base64URL.decode(bob.split(separator: ".")[1])))
        let lists = payload["access"]?.array?.compactMap { $0["actions"]?.array?.compactMap(\.string) }
        #expect(lists == [["pull", "push"], ["pull", "delete"]])
        let short = ask(bob, want(.push, "public/b"))
        #expect(short.word == "401" && short.challenge?.contains(#"error="insufficient_scope""#) == true)
        #expect(short.challenge?.contains(#"scope="repository:public/b:pull,push""#) == true)
        let anonymous = try token(nil, "repository:public/a:pull", "repository:team/web:pull")
        #expect(
            ask(anonymous).word == "anonymous" && ask(anonymous, want(.pull, "public/a")).word == "anonymous")
        #expect(ask(anonymous, want(.pull, "team/web")).word == "401")
        let builder = try token(nil, "repository:team/web:push", cert: "builder")
        #expect(ask(builder, want(.push, "team/web")).word == "cert:builder")
        let catalog = try token("eve", "registry:catalog:*")
        let grant = try #require(ask(catalog, want(.catalog)).grant)
        #expect(OCIRepositoryName(parsing: "team/web").map(grant.maySee) == true)
        #expect(OCIRepositoryName(parsing: "secret/web").map(grant.maySee) == false)
        let star = try token("alice", "repository:team/web:*")
        #expect(
            ask(star, want(.delete, "team/web")).word == "alice" && ask(star, want(.administer)).word == "401"
        )
    }

    @Test("a token ends with its time, its user and its right")
    func ends() throws {
        let bob = try token("bob", "repository:public/a:push")
        #expect(ask(bob, want(.push, "public/a"), at: now.advanced(by: .seconds(359))).word == "bob")
        #expect(ask(bob, want(.push, "public/a"), at: now.advanced(by: .seconds(361))).word == "401")
        #expect(ask(bob, want(.push, "public/a"), at: now.advanced(by: .seconds(-61))).word == "401")
        try fixture.write(
            "policy.yaml", "version: 1\nrealm: registry.example\nusers: htpasswd\n\(AccessFixture.issue)")
        try control.reload(now: now)
        #expect(ask(bob, want(.push, "public/a")).word == "403")
        try Files.remove("\(fixture.directory)/htpasswd")
        try fixture.addUsers("alice")
        #expect(ask(bob, at: now.advanced(by: .seconds(2))).word == "401")
    }

    @Test("openssl verifies what Volt signs, with a key that only its owner reads")
    func independent() throws {
        let path = "\(fixture.directory)/token.key"
        var information = stat()
        #expect(stat(path, &information) == 0 && information.st_mode & 0o777 == 0o600)
        let text = try token("bob", "repository:public/a:pull")
        try checkByOpenSSL(text, key: path, isEdDSA: true)
        chmod(path, 0o640)
        let error = #expect(throws: VoltError.self) { try control.reload(now: now) }
        #expect(error?.hint?.contains("chmod 600") == true)
    }

    private func checkByOpenSSL(_ text: String, key: String, isEdDSA: Bool) throws {
        let parts = text.split(separator: ".")
        let signature = try #require(Base64URL.decode(parts[2]))
        try fixture.write("message", "\(parts[0]).\(parts[1])")
        try Files.replace("\(fixture.directory)/signature", with: signature)
        let exported = try fixture.run("openssl", "pkey", "-in", key, "-pubout", "-out", "public.pem")
        #expect(exported.status == 0)
        let result =
            isEdDSA
            ? try fixture.run(
                "openssl", "pkeyutl", "-verify", "-pubin", "-inkey", "public.pem", "-rawin", "-in", "message",
                "-sigfile", "signature")
            : try fixture.run(
                "openssl", "dgst", "-sha256", "-verify", "public.pem", "-signature", "signature", "message")
        #expect(result.status == 0, "\(result.stdout) \(result.stderr)")
    }

    @Test("keys that openssl makes sign as well", arguments: ["rsa", "ec"])
    func otherKeys(kind: String) throws {
        let option = kind == "rsa" ? "rsa_keygen_bits:2048" : "ec_paramgen_curve:P-256"
        let made = try fixture.run(
            "openssl", "genpkey", "-algorithm", kind, "-pkeyopt", option, "-out", "other.key")
        #expect(made.status == 0)
        chmod("\(fixture.directory)/other.key", 0o600)
        try fixture.write("policy.yaml", AccessFixture.policy + "tokens: { issue: { key: other.key } }\n")
        try control.reload(now: now)
        let text = try token("bob", "repository:public/a:push")
        #expect(ask(text, want(.push, "public/a")).word == "bob")
        let header = try JSONValue(try #require(Base64URL.decode(text.split(separator: ".")[0])))
        #expect(header["alg"]?.string == (kind == "rsa" ? "RS256" : "ES256"))
        if kind == "rsa" {
            try checkByOpenSSL(text, key: "\(fixture.directory)/other.key", isEdDSA: false)
        }
    }

    @Test("the token endpoint refuses wrong passwords, tokens as logins, and malformed questions")
    func endpoint() throws {
        func word(_ query: String, _ header: String?) -> String {
            switch control.token(TokenRequest(query: query, authorization: header, address: "::1"), now: now)
            {
            case .issued: "200"
            case .malformed: "400"
            case .unauthorized(let challenge, _): challenge.hasPrefix("Basic ") ? "401" : "?"
            case .limited: "429"
            case .notHere: "404"
            }
        }
        #expect(word("", nil) == "200" && word("service=registry.example", basic("bob")) == "200")
        #expect(word("", basic("bob", "x")) == "401" && word("", basic("nobody")) == "401")
        #expect(word("", "Bearer \(try token("bob"))") == "401")
        #expect(word("service=other", nil) == "400" && word("scope=%zz", nil) == "400")
        #expect(word("scope=%ff", nil) == "400" && word("scope=a%00b", nil) == "400")
        for scope in Self.tricks { #expect(word("scope=" + scope, basic("alice")) == "400", "\(scope)") }
        // What is unknown gives nothing; spaces stand between scopes.
        #expect(word("scope=plugin:x:run+repository(plugin):a/b:pull+", basic("alice")) == "200")
        #expect(word("scope=" + String(repeating: "repository:a:pull+", count: 65), nil) == "400")
        #expect(
            control.tokenAtOnce(
                TokenRequest(query: "", authorization: basic("carol"), address: "::1"), now: now) == nil)
    }

    private static let tricks = [
        "repository:a/b:pull:push", "repository:host:5000/a:pull", "repository:*:pull", "repository:a/*:pull",
        "repository::pull", "repository:a:", "repository:a", "repository:A:pull", "repository:../a:pull",
        "repository:a:pull,", "repository:a:PULL", ":a:pull", "repository:a%2F..%2Fb:pull",
        "repository:a%22:pull",
    ]
}
