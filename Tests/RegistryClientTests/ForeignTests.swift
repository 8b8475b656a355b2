import Synchronization
import Testing
import VoltCore
import VoltOCI
import VoltTestKit

@testable import VoltRegistry

/// Registries that do less than the specification has, or more than it allows.
@Suite(.timeLimit(.minutes(2))) struct ForeignTests {
    private let name: OCIRepositoryName
    private let about = OCIDigest.of(Array("hello".utf8))
    private let note = OCIDigest.of(Array("note".utf8))

    init() throws { name = try OCIRepositoryName("team/web") }

    private func client(_ server: ScriptedHTTPServer, _ account: RegistryAccount = .anonymous) throws
        -> RegistryClient
    {
        var settings = RegistryEndpoint.Settings()
        settings.isPlain = true
        settings.retries = 0
        return try RegistryClient(
            RegistryEndpoint(host: "127.0.0.1:\(server.port)", account: account, settings: settings))
    }

    @Test(
        "where the list of referrers is an error or a page for people, the tag has it",
        arguments: [400, 403, 404, 405, 406, 501, 200])
    func noList(status: Int) throws {
        let (tag, note) = (OCICompanionTag.list(of: about), note)
        let index = """
            {"schemaVersion":2,"mediaType":"\(OCIMediaType.index)","manifests":[\
            {"mediaType":"\(OCIMediaType.manifest)","digest":"\(note)","size":4,"artifactType":"a/note"}]}
            """
        let server = try ScriptedHTTPServer { request in
            if request.path.contains("/referrers/") {
                return .answer(status, headers: [("Content-Type", "text/html")], body: "<html>no</html>")
            }
            return request.path.hasSuffix("/manifests/\(tag)")
                ? .answer(200, headers: [("Content-Type", OCIMediaType.index)], body: index) : .answer(404)
        }
        let client = try client(server)
        for _ in 0..<2 {
            #expect(try client.referrers(to: about, in: name).map(\.digest) == [note.description])
        }
        // What says nothing of other repositories is asked again.
        let asked = server.requests.filter { $0.path.contains("/referrers/") }.count
        #expect(asked == (status == 400 || status == 403 ? 2 : 1))
    }

    @Test("an error of the server itself is none of a registry without a list")
    func broken() throws {
        let server = try ScriptedHTTPServer { _ in .answer(500) }
        let client = try client(server)
        #expect(throws: VoltError.self) { try client.referrers(to: about, in: name) }
    }

    @Test("a login is sent before the repositories are listed, also where nobody asks for it")
    func catalog() throws {
        for challenge in ["Basic realm=\"x\"", "Bearer realm=\"http://127.0.0.1:PORT/token\",service=\"x\""] {
            let port = Atomic<Int>(0)
            let server = try ScriptedHTTPServer { request in
                if request.path.hasPrefix("/token") { return .answer(200, body: "{\"token\":\"t\"}") }
                if request.headers["authorization"] != nil {
                    return .answer(200, body: "{\"repositories\":[\"open\",\"secret\"]}")
                }
                if request.path == "/v2/" {
                    let port = port.load(ordering: .relaxed)
                    return .answer(
                        401, headers: [("WWW-Authenticate", challenge.replacing("PORT", with: "\(port)"))])
                }
                return .answer(200, body: "{\"repositories\":[\"open\"]}")
            }
            port.store(Int(server.port), ordering: .relaxed)
            let account = RegistryAccount.password(user: "alice", password: "secret")
            #expect(try client(server, account).repositories() == ["open", "secret"])
            #expect(try client(server).repositories() == ["open"])
        }
    }

    @Test("a manifest that could be two is not believed")
    func ambiguous() throws {
        for body in [
            "{\"layers\":[],\"manifests\":[]}", "\u{feff}{}", "{\"config\":null}",
            "{\"layers\":[],\"layers\":[]}",
        ] {
            let server = try ScriptedHTTPServer { _ in .answer(200, body: body) }
            let client = try client(server)
            let error = #expect(throws: VoltError.self) { try client.manifest("1", in: name) }
            #expect(error?.code == .refused && error?.message.contains("team/web:1") == true, "\(body)")
        }
    }
}
