import Testing
import VoltOCI
import VoltSystem
import VoltTestKit

/// Registries, and what stands in their place, that answer with something else than they must.
@Suite(.serialized, .timeLimit(.minutes(2))) struct BrokenAnswerTests {
    private static let page = "<!DOCTYPE html><html><body>Please log in</body></html>"
    private static let digest = OCIDigest.of(Array("hello".utf8)).description

    /// A manifest whose parts are at the registry, or are not what it says.
    private static func manifest(config: String = digest, layer: String = digest) -> String {
        """
        {"schemaVersion":2,"mediaType":"\(OCIMediaType.manifest)",\
        "config":{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"\(config)","size":5},\
        "layers":[{"mediaType":"application/vnd.oci.image.layer.v1.tar","digest":"\(layer)","size":5,\
        "annotations":{"org.opencontainers.image.title":"file"}}]}
        """
    }

    private struct Answers: Sendable, CustomTestStringConvertible {
        let testDescription: String
        /// What the error says.
        let words: String
        let codes: Set<Int32>
        let answer: @Sendable (ServedRequest) -> ScriptedHTTPServer.Reply

        init(
            _ name: String, _ words: String, _ codes: Set<Int32> = [1],
            answer: @escaping @Sendable (ServedRequest) -> ScriptedHTTPServer.Reply
        ) {
            testDescription = name
            self.words = words
            self.codes = codes
            self.answer = answer
        }
    }

    private static func manifests(_ body: String, _ type: String = OCIMediaType.manifest)
        -> @Sendable (
            ServedRequest
        ) -> ScriptedHTTPServer.Reply
    {
        { request in
            if request.path.contains("/blobs/") { return .answer(200, body: "other") }
            if request.path.contains("/referrers/") { return .answer(404) }
            return .answer(200, headers: [("Content-Type", type)], body: body)
        }
    }

    private static let broken: [Answers] = [
        Answers("a page of HTML", "it comes as 'text/html'") { _ in
            .answer(200, headers: [("Content-Type", "text/html")], body: page)
        },
        Answers(
            "JSON that ends in its middle", "cannot be", answer: manifests(#"{"schemaVersion":2,"config":{"#)),
        Answers(
            "JSON of something else", "not a manifest",
            answer: manifests(#"{"error":"no"}"#, "application/json")
        ),
        Answers(
            "a wrong content type", "and it calls itself", [5],
            answer: manifests(manifest(), OCIMediaType.index)),
        Answers(
            "no digest where one must be", "is not a digest",
            answer: manifests(manifest(config: "../../x", layer: "../../x"))),
        Answers("other bytes", "sends other bytes than blob", [5], answer: manifests(manifest())),
    ]

    private func run(_ server: ScriptedHTTPServer, _ words: [String]) throws -> ToolRunner.Result {
        let scratch = try ScratchDirectory()
        let runner = ToolRunner(scratch: scratch.path)
        let host = "127.0.0.1:\(server.port)"
        try Files.replace("\(scratch.path)/file", with: "hello".utf8)
        try Files.replace(
            "\(scratch.path)/sync.yaml",
            with: "version: 1\nsync:\n  - from: \(host)/team/web\n    to: oci:out\n    tags: [\"1\"]\n".utf8)
        if words.contains("key.pub") { _ = try runner("volt-registry", "key", "create", "--output", "key") }
        return try runner.run(words.map { $0.replacing("HOST", with: host) } + ["--plain-http"])
    }

    private static func registry(_ words: String) -> [String] {
        ["volt-registry"] + words.split(separator: " ").map(String.init)
    }

    @Test(
        "a broken manifest is an error of the registry that names it and what is wrong, for every verb",
        arguments: broken)
    private func manifests(answers: Answers) throws {
        let server = try ScriptedHTTPServer(answers.answer)
        var verbs = [
            ["volt-registry", "manifest", "fetch", "HOST/team/web:1"],
            ["volt-registry", "pull", "--output", "out", "HOST/team/web:1"],
            ["volt-registry", "copy", "--quiet", "HOST/team/web:1", "oci:out:1"],
            ["volt-registry", "discover", "HOST/team/web:1"],
            ["volt-container", "pull", "HOST/team/web:1"],
        ]
        // The verbs share one client; what takes no part in a verb does not fail it.
        if answers.testDescription != "a page of HTML" { verbs = [verbs[1], verbs[2], verbs[4]] }
        for verb in verbs {
            let made = try run(server, verb)
            #expect(answers.codes.contains(made.status), "\(verb): \(made.status) \(made.stderr)")
            #expect(made.stderr.contains("127.0.0.1:\(server.port)"), "\(verb): \(made.stderr)")
            #expect(made.stderr.contains("team/web"), "\(verb): \(made.stderr)")
            #expect(made.stderr.contains(answers.words), "\(verb): \(made.stderr)")
            #expect(!made.stdout.contains("html"))
        }
    }

    @Test("a page in the place of a list, an upload, a file of sync or a signature is told with its registry")
    func others() throws {
        let server = try ScriptedHTTPServer { _ in
            .answer(200, headers: [("Content-Type", "text/html")], body: Self.page)
        }
        for (words, code) in [
            ("ls HOST/team/web", 1), ("ls HOST", 1), ("resolve HOST/team/web:1", 1),
            ("verify --key key.pub HOST/team/web:1", 1), ("tag HOST/team/web:1 2", 1),
            ("push HOST/team/web:1 file", 1), ("attach --artifact-type a/b HOST/team/web:1 file", 1),
            ("sync sync.yaml", 2), ("backup HOST/team/web oci:out", 1),
        ] {
            let made = try run(server, Self.registry(words))
            let said = made.stderr + made.stdout
            #expect(made.status == Int32(code) || made.status == 1, "\(words): \(made.status) \(said)")
            #expect(said.contains("127.0.0.1:\(server.port)"), "\(words): \(said)")
            #expect(said.contains("cannot"), "\(words): \(said)")
        }
    }
}
