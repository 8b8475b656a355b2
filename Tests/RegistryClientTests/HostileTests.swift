import Glibc
import Synchronization
import Testing
import VoltCore
import VoltOCI
import VoltSystem
import VoltTestKit

@testable import VoltRegistry

/// Registries that are broken, or want something of the client.
@Suite(.timeLimit(.minutes(2))) struct HostileTests {
    private let name: OCIRepositoryName
    private let digest = OCIDigest.of(Array("hello".utf8))

    init() throws { name = try OCIRepositoryName("team/web") }

    private func client(_ server: ScriptedHTTPServer, _ account: RegistryAccount = .anonymous) throws
        -> RegistryClient
    {
        var settings = RegistryEndpoint.Settings()
        settings.isPlain = true
        settings.retries = 2
        return try RegistryClient(
            RegistryEndpoint(host: "127.0.0.1:\(server.port)", account: account, settings: settings))
    }

    private func code(_ body: () throws -> Void) -> ExitCode? {
        do { try body() } catch { return (error as? VoltError)?.code }
        return nil
    }

    @Test("bytes that are not those of the digest are refused")
    func digests() throws {
        let server = try ScriptedHTTPServer { _ in .answer(200, body: "other") }
        let client = try client(server)
        let blob = code { try client.blob(digest, size: 5, in: name) { _ in } }
        #expect(blob == .refused)
        let other = try ScriptedHTTPServer { _ in .answer(200, body: "{}") }
        let second = try self.client(other)
        let manifest = code { _ = try second.manifest(digest.description, in: name) }
        #expect(manifest == .refused)
    }

    @Test("an answer that is cut is told with what was asked for, and may be tried again")
    func cut() throws {
        let server = try ScriptedHTTPServer { _ in
            .raw(Array("HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n{".utf8))
        }
        let client = try client(server)
        do {
            _ = try client.manifest("1.4", in: name)
            Issue.record("an error was expected")
        } catch {
            #expect(error.code == .tryAgain && error.message.contains("127.0.0.1:\(server.port)"))
            #expect(error.message.hasSuffix("(asked for 'team/web/manifests/1.4')"), "\(error.message)")
        }
    }

    @Test(
        "a page that answers to everything with 200 keeps no manifest, nor does a registry that names another digest"
    )
    func unkept() throws {
        for (status, headers, expected) in [
            (200, [("Content-Type", "text/html")], ExitCode.failed), (201, [], nil),
            (200, [("Location", "/v2/x")], nil), (201, [("Docker-Content-Digest", "\(digest)")], .refused),
        ] as [(Int, [(String, String)], ExitCode?)] {
            let server = try ScriptedHTTPServer { _ in .answer(status, headers: headers) }
            let client = try client(server)
            let bytes = Array("{}".utf8)
            #expect(
                code { try client.put(bytes, mediaType: OCIMediaType.manifest, as: "1", in: name) }
                    == expected)
        }
    }

    @Test("a body without end is given up at the size of the blob")
    func endless() throws {
        let server = try ScriptedHTTPServer { _ in .endless(head: "HTTP/1.1 200 OK\r\n\r\n") }
        let client = try client(server)
        let found = code { try client.blob(digest, size: 5, in: name) { _ in } }
        #expect(found == .refused)
    }

    @Test("what a registry warns of is told once")
    func warnings() throws {
        let server = try ScriptedHTTPServer { _ in
            .answer(
                200,
                headers: [
                    ("Warning", "299 - \"going away\u{1B}[2J\""), ("Warning", "110 - \"stale\""),
                ], body: "{\"tags\":[\"a\"]}")
        }
        let told = Told()
        var settings = RegistryEndpoint.Settings()
        settings.isPlain = true
        settings.warn = { text in told.texts.withLock { $0.append(text) } }
        let host = "127.0.0.1:\(server.port)"
        let client = try RegistryClient(RegistryEndpoint(host: host, account: .anonymous, settings: settings))
        for _ in 0..<2 { #expect(try client.tags(of: name) == ["a"]) }
        #expect(told.texts.withLock { $0 } == ["'\(host)' warns: going away?[2J"])
    }

    private final class Told: Sendable {
        let texts = Mutex<[String]>([])
    }

    @Test("nothing that a registry says steers the terminal")
    func controls() throws {
        let server = try ScriptedHTTPServer { request in
            request.path.contains("/tags/")
                ? .answer(200, body: "{\"tags\":[\"good\",\"\\u001b[2Jbad\"]}")
                : .answer(400, body: "{\"errors\":[{\"code\":\"X\",\"message\":\"\\u001b[2J\\nY\"}]}")
        }
        let client = try client(server)
        #expect(try client.tags(of: name) == ["good"])
        do {
            _ = try client.manifest("1", in: name)
            Issue.record("an error was expected")
        } catch {
            #expect(error.message.hasSuffix("X: ?[2J?Y"), "\(error.message)")
        }
    }

    @Test("a request is sent again when the server is busy, and given up in the end")
    func retries() throws {
        let count = Atomic<Int>(0)
        let server = try ScriptedHTTPServer { _ in
            count.add(1, ordering: .relaxed).newValue < 3
                ? .answer(503) : .answer(200, body: "{\"tags\":[\"b\",\"a\"]}")
        }
        #expect(try client(server).tags(of: name) == ["b", "a"])
        let busy = try ScriptedHTTPServer { _ in .answer(429) }
        let client = try client(busy)
        let found = code { _ = try client.tags(of: name) }
        #expect(found == .tryAgain && busy.requests.count == 3)
    }

    @Test("a blob whose connection breaks goes on where it broke, also when the server knows no ranges")
    func resume() throws {
        for knowsRanges in [true, false] {
            let count = Atomic<Int>(0)
            let server = try ScriptedHTTPServer { request in
                if count.add(1, ordering: .relaxed).newValue == 1 {
                    return .raw(Array("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhe".utf8))
                }
                return request.headers["range"] == "bytes=2-" && knowsRanges
                    ? .answer(206, body: "llo") : .answer(200, body: "hello")
            }
            let bytes = Mutex<[UInt8]>([])
            try client(server).blob(digest, size: 5, in: name) { part in bytes.withLock { $0 += part } }
            #expect(bytes.withLock { $0 } == Array("hello".utf8))
        }
    }

    @Test("an upload whose connection breaks goes on where the registry has it")
    func uploads() throws {
        let scratch = try ScratchDirectory()
        try Files.replace("\(scratch.path)/blob", with: "hello".utf8)
        let file = open("\(scratch.path)/blob", O_RDONLY)
        defer { close(file) }
        let server = try ScriptedHTTPServer { request in
            let place = [("Location", "/up?state=\(request.method)")]
            switch (request.method, request.body.count) {
            case ("HEAD", _): return .answer(404)
            case ("PUT", 5): return .raw([])
            case ("GET", _): return .answer(204, headers: place + [("Range", "0-1")])
            case ("PUT", _): return .answer(201)
            default: return .answer(202, headers: place)
            }
        }
        try client(server).push(digest, from: file, size: 5, to: name)
        let last = try #require(server.requests.last)
        #expect(last.text == "llo" && last.headers["content-range"] == "2-4")
        #expect(last.query.contains("state=GET&digest=sha256%3A"))
    }

    @Test("an upload is not sent to another server than the one that was logged in to")
    func uploadElsewhere() throws {
        let other = try ScriptedHTTPServer { _ in .answer(201) }
        let place = other.origin
        let server = try ScriptedHTTPServer { _ in .answer(202, headers: [("Location", "\(place)/up")]) }
        let client = try client(server)
        #expect(code { try client.push(digest, from: 0, size: 5, to: name) } == .failed)
        #expect(other.requests.isEmpty)
    }

    @Test("a password is sent only when it is asked for, and not to where a redirect leads")
    func redirects() throws {
        let other = try ScriptedHTTPServer { _ in .answer(200, body: "hello") }
        let place = other.origin
        let server = try ScriptedHTTPServer { request in
            request.headers["authorization"] == nil
                ? .answer(401, headers: [("WWW-Authenticate", "Basic realm=\"x\"")])
                : .answer(307, headers: [("Location", "\(place)/blob")])
        }
        try client(server, .password(user: "a", password: "b")).blob(digest, size: 5, in: name) { _ in }
        #expect(server.requests.count == 2 && other.requests.count == 1)
        #expect(other.requests.allSatisfy { $0.headers["authorization"] == nil })
    }

    @Test("a token is fetched once for what it is for, with the password going to the token server alone")
    func tokens() throws {
        let issuer = try ScriptedHTTPServer { _ in .answer(200, body: "{\"token\":\"t0ken\"}") }
        let realm = issuer.origin
        let server = try ScriptedHTTPServer { request in
            request.headers["authorization"] == "Bearer t0ken"
                ? .answer(200, body: "{\"tags\":[]}")
                : .answer(
                    401,
                    headers: [
                        (
                            "WWW-Authenticate",
                            "Bearer realm=\"\(realm)/token\",service=\"s\",scope=\"repository:team/web:pull\""
                        )
                    ])
        }
        let client = try client(server, .password(user: "a", password: "b"))
        _ = try client.tags(of: name)
        _ = try client.tags(of: name)
        #expect(issuer.requests.count == 1)
        #expect(issuer.requests.first?.query.contains("scope=repository%3Ateam%2Fweb%3Apull") == true)
        #expect(issuer.requests.first?.headers["authorization"] == "Basic YTpi")
        #expect(server.requests.allSatisfy { $0.headers["authorization"] != "Basic YTpi" })
    }

    @Test("a list that goes on at another server, or for ever, is refused")
    func links() throws {
        for link in ["http://127.0.0.2:1/x", "/v2/team/web/tags/list?last=a"] {
            let server = try ScriptedHTTPServer { _ in
                .answer(200, headers: [("Link", "<\(link)>; rel=\"next\"")], body: "{\"tags\":[]}")
            }
            let client = try client(server)
            #expect(code { _ = try client.tags(of: name) } == .refused)
        }
    }

    @Test(
        "an answer that is no JSON of its form is an error, however deep it is",
        arguments: ["", "x", "[[", "{\"tags\":3}", String(repeating: "[", count: 100_000)])
    func json(body: String) throws {
        let server = try ScriptedHTTPServer { _ in .answer(200, body: body) }
        let client = try client(server)
        #expect(code { _ = try client.tags(of: name) } == .failed)
    }

    @Test(
        "the files of an artifact stay below its directory, and pass no link in it",
        arguments: ["", "/etc/passwd", "..", "a/../b", "a//b", "./a", "a/", "../x", "link/x", "a\u{0}b"])
    func titles(title: String) throws {
        let scratch = try ScratchDirectory()
        let out = "\(scratch.path)/out"
        try Files.makeDirectory(out)
        symlink("..", "\(out)/link")
        let text = title.replacing("\u{0}", with: "\\u0000")
        let manifest = Array(
            """
            {"schemaVersion":2,"config":{"mediaType":"\(OCIMediaType.empty)","digest":"\(digest)","size":2},"layers":[\
            {"mediaType":"a/b","digest":"\(digest)","size":5,"annotations":{"org.opencontainers.image.title":"\(text)"}}]}
            """.utf8)
        let server = try ScriptedHTTPServer { request in
            request.path.contains("/blobs/")
                ? .answer(200, body: "hello") : .answer(200, body: String(decoding: manifest, as: UTF8.self))
        }
        let place = RepositoryPlace(try client(server), name)
        let fetched = try place.manifest("1")
        let found = code { _ = try Artifact.pull(fetched, from: place, into: out, overwrites: true) }
        #expect(found == .refused)
        #expect(try Files.list(out) == ["link"] && Files.list(scratch.path) == ["out"])
    }

    @Test("what a pull has left that was killed goes with the next one, and what another one writes stays")
    func leftovers() throws {
        let scratch = try ScratchDirectory()
        for name in [".volt-7-8", ".volt-7-9", ".volt-notes", ".volt-7-x"] {
            try Files.replace("\(scratch.path)/\(name)", with: "half".utf8)
        }
        let busy = open("\(scratch.path)/.volt-7-9", O_RDWR)
        defer { close(busy) }
        #expect(flock(busy, LOCK_EX) == 0)
        let empty = Array("{\"schemaVersion\":2,\"layers\":[]}".utf8)
        let manifest = try FetchedManifest(digest: .of(empty), mediaType: OCIMediaType.manifest, bytes: empty)
        let server = try ScriptedHTTPServer { _ in .answer(404) }
        let place = RepositoryPlace(try client(server), name)
        _ = try Artifact.pull(manifest, from: place, into: scratch.path, overwrites: false)
        #expect(try Files.list(scratch.path) == [".volt-7-9", ".volt-7-x", ".volt-notes"])
    }
}
