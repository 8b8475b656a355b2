import Testing
import VoltCore
import VoltCrypto
import VoltOCI
import VoltSystem
import VoltTestKit

@testable import RegistryAccess

/// What a client of others makes of the challenges: a server of one manifest, which asks the access control.
@Suite struct ClientTests {
    private static let manifest =
        #"{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{"mediaType":"#
        + #""application/vnd.oci.image.config.v1+json","digest":"sha256:\#(String(repeating: "0", count: 64))","#
        + #""size":2},"layers":[]}"#

    private static func answer(_ served: ServedRequest, _ control: AccessControl) -> ScriptedHTTPServer.Reply
    {
        let header = served.headers["authorization"]
        let now = AccessFixture.now
        if served.path == "/token" {
            switch control.token(
                TokenRequest(query: served.query, authorization: header, address: "127.0.0.1"), now: now)
            {
            case .issued(let json): return .answer(200, body: json)
            case .unauthorized(let challenge, _):
                return .answer(401, headers: [("WWW-Authenticate", challenge)])
            case .malformed(let message): return .answer(400, body: message)
            case .limited: return .answer(429)
            case .notHere: return .answer(404)
            }
        }
        let name = served.path.dropFirst(4).split(separator: "/manifests/").first.map(String.init)
        let action = served.method == "DELETE" ? RegistryAction.delete : .pull
        let asked = AccessRequest(
            authorization: header, address: "127.0.0.1", origin: "http://\(served.headers["host"] ?? "")",
            wants: served.path == "/v2/" ? [] : [want(action, name)])
        switch control.authorize(asked, now: now) {
        case .unauthorized(let challenge, _):
            return .answer(
                401, headers: [("WWW-Authenticate", challenge)],
                body: #"{"errors":[{"code":"UNAUTHORIZED"}]}"#)
        case .denied(let message):
            return .answer(403, body: #"{"errors":[{"code":"DENIED","message":"\#(message)"}]}"#)
        case .limited: return .answer(429)
        case .allowed:
            if served.method == "DELETE" { return .answer(202) }
            let digest = SHA256Hasher.digest(of: Array(manifest.utf8))
            return .answer(
                200,
                headers: [
                    ("Content-Type", "application/vnd.oci.image.manifest.v1+json"),
                    ("Docker-Content-Digest", "\(digest)"),
                ], body: served.path == "/v2/" ? "{}" : manifest)
        }
    }

    @Test("skopeo logs in, pulls and deletes what it may", arguments: [false, true])
    func skopeo(withTokens: Bool) throws {
        let fixture = try AccessFixture()
        let control = try fixture.standard(withTokens ? AccessFixture.issue : "")
        let server = try ScriptedHTTPServer { Self.answer($0, control) }
        defer { server.stop() }
        let host = "127.0.0.1:\(server.port)"
        func inspect(_ name: String, _ login: [String] = ["--no-creds"]) throws -> ToolRunner.Result {
            try fixture.run.run(
                ["skopeo", "inspect", "--raw", "--tls-verify=false"] + login + [
                    "docker://\(host)/\(name):latest"
                ])
        }
        // Nobody in particular.
        #expect(try inspect("public/a").stdout == Self.manifest)
        #expect(try inspect("team/web").status != 0)
        // A login, right and wrong.
        let file = ["--authfile", "\(fixture.directory)/auth.json"]
        func login(_ user: String, _ password: String) throws -> ToolRunner.Result {
            try fixture.run.run(
                ["skopeo", "login", "--tls-verify=false"] + file + ["-u", user, "--password-stdin", host],
                input: password)
        }
        #expect(try login("bob", "wrong").status != 0)
        let isIn = try login("bob", "pw-bob")
        try #require(isIn.status == 0, "\(isIn.stderr)")
        #expect(try inspect("team/web", file).stdout == Self.manifest)
        #expect(try inspect("secret/web", file).status != 0)
        // A deletion, which asks for the scope `*`.
        func delete(_ name: String) throws -> ToolRunner.Result {
            try fixture.run.run(
                ["skopeo", "delete", "--tls-verify=false"] + file + ["docker://\(host)/\(name):latest"])
        }
        let gone = try delete("team/web")
        #expect(gone.status == 0, "\(gone.stderr)")
        #expect(try delete("public/a").status != 0)
        // The password went to the token endpoint and nowhere else.
        let paths = Set(
            server.requests.filter { $0.headers["authorization"]?.hasPrefix("Basic") == true }.map(\.path))
        if withTokens { #expect(paths == ["/token"]) }
    }
}
