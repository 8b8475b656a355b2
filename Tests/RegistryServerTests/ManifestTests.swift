import Testing
import VoltOCI
import VoltStore
import VoltSystem
import VoltTestKit

@testable import RegistryEngine

@Suite(.timeLimit(.minutes(2)), .onEachBackend, .namingBackend) struct ManifestTests {
    @Test("PUT of a manifest says where it is, and keeps fields that nobody knows")
    func put() throws {
        let subject = try Subject()
        let image = try subject.image("one", in: "a")
        let digest = OCIDigest.of(image)
        for reference in ["v1", digest.description] {
            let answer = try subject.put(image, reference, in: "a")
            #expect(answer.status == 201 && answer.headers["location"] == "/v2/a/manifests/\(digest)")
            #expect(answer.headers["docker-content-digest"] == digest.description)
        }
        #expect(try subject.request("GET", "/v2/a/manifests/v1").body == image)
    }

    @Test("a tag names what it was given last")
    func retag() throws {
        let subject = try Subject()
        try subject.tag("v1", in: "a", text: "one")
        let second = try subject.tag("v1", in: "a", text: "two")
        let answer = try subject.request("HEAD", "/v2/a/manifests/v1")
        #expect(answer.headers["docker-content-digest"] == second.description)
    }

    @Test("a manifest that names a blob which is not there is refused and names it")
    func missingBlob() throws {
        let subject = try Subject()
        let image = try subject.image("one", in: "a")
        let answer = try subject.put(image, "v1", in: "b")
        #expect(answer.status == 404 && answer.code == "MANIFEST_BLOB_UNKNOWN")
        #expect(answer.text.contains(OCIDigest.of(Array("layer one".utf8)).description))
        #expect(try subject.request("GET", "/v2/b/manifests/v1").status == 404)
    }

    @Test("a layer that can be had elsewhere need not be here")
    func foreignLayer() throws {
        let subject = try Subject()
        try subject.push(Array("{}".utf8), to: "a")
        let manifest = Array(
            """
            {"schemaVersion":2,"config":\(subject.descriptor(OCIMediaType.config, Array("{}".utf8))),"layers":[\
            {"mediaType":"application/vnd.oci.image.layer.nondistributable.v1.tar","digest":\
            "\(OCIDigest.of([9]))","size":1,"urls":["https://layers.example/9"]}]}
            """.utf8)
        #expect(try subject.put(manifest, "v1", in: "a").status == 201)
    }

    @Test("an index may name manifests that are not there")
    func sparseIndex() throws {
        let subject = try Subject()
        let index = Array(
            """
            {"schemaVersion":2,"mediaType":"\(OCIMediaType.index)","manifests":[\
            \(subject.descriptor(OCIMediaType.manifest, [1]))]}
            """.utf8)
        #expect(try subject.put(index, "v1", in: "a", type: OCIMediaType.index).status == 201)
        let answer = try subject.request("GET", "/v2/a/manifests/v1")
        #expect(answer.body == index && answer.headers["content-type"] == OCIMediaType.index)
    }

    @Test("a manifest of a type that nobody knows is kept with it")
    func unknownType() throws {
        let subject = try Subject()
        let manifest = Array("{\"anything\": {\"goes\": true}}".utf8)
        let type = "application/vnd.example.thing+json"
        #expect(try subject.put(manifest, "v1", in: "a", type: type).status == 201)
        let answer = try subject.request("GET", "/v2/a/manifests/v1")
        #expect(answer.body == manifest && answer.headers["content-type"] == type)
    }

    @Test(
        "what is no manifest is refused with MANIFEST_INVALID",
        arguments: [
            ("not json", OCIMediaType.manifest), ("[]", OCIMediaType.manifest), ("", OCIMediaType.manifest),
            ("{\"layers\":3}", OCIMediaType.manifest), ("{\"schemaVersion\":1}", OCIMediaType.manifest),
            ("{\"mediaType\":\"\(OCIMediaType.index)\",\"manifests\":[]}", OCIMediaType.manifest),
            ("{}", "text/html\u{1}x"), ("{}", "nothing"),
            (String(repeating: "[", count: 100_000), OCIMediaType.manifest),
        ])
    func invalid(text: String, type: String) throws {
        let subject = try Subject()
        let answer = try subject.put(Array(text.utf8), "v1", in: "a", type: type)
        // A control character does not pass the parser of HTTP.
        #expect(answer.status == 400)
        if !type.contains("\u{1}") { #expect(answer.code == "MANIFEST_INVALID") }
        #expect(try subject.request("GET", "/v2/a/manifests/v1").status == 404)
    }

    @Test("a manifest with another digest than the reference is refused")
    func wrongDigest() throws {
        let subject = try Subject()
        let image = try subject.image("one", in: "a")
        let answer = try subject.put(image, OCIDigest.of([1]).description, in: "a")
        #expect(answer.status == 400 && answer.code == "DIGEST_INVALID")
    }

    @Test("4 MiB are a manifest, and more are 413")
    func size() throws {
        let subject = try Subject()
        func manifest(_ count: Int) -> [UInt8] {
            let frame = Array("{\"annotations\":{\"a\":\"\"}}".utf8)
            return frame.dropLast(3) + [UInt8](repeating: 97, count: count - frame.count) + frame.suffix(3)
        }
        #expect(try subject.put(manifest(4 << 20), "v1", in: "a").status == 201)
        #expect(try subject.request("GET", "/v2/a/manifests/v1").body.count == 4 << 20)
        let answer = try subject.put(manifest((4 << 20) + 1), "v2", in: "a")
        #expect(answer.status == 413 && answer.code == "MANIFEST_INVALID")
    }

    @Test("several tags are given in one request, and named in the answer")
    func tags() throws {
        let subject = try Subject()
        let image = try subject.image("one", in: "a")
        let digest = OCIDigest.of(image)
        let client = try HTTPClient(port: UInt16(subject.server.port))
        let head =
            "PUT /v2/a/manifests/\(digest)?tag=1&tag=1.2&tag=latest HTTP/1.1\r\nHost: a\r\n"
            + "Content-Type: \(OCIMediaType.manifest)\r\nContent-Length: \(image.count)\r\n\r\n"
        try client.send(Array(head.utf8) + image)
        #expect(try client.receive().status == 201)
        for tag in ["1", "1.2", "latest"] {
            #expect(
                try subject.request("HEAD", "/v2/a/manifests/\(tag)").headers["docker-content-digest"]
                    == digest.description)
        }
        #expect(try subject.put(image, "\(digest)?tag=-no", in: "a").status == 400)
        let many = (0..<101).map { "tag=t\($0)" }.joined(separator: "&")
        #expect(try subject.put(image, "\(digest)?\(many)", in: "a").status == 414)
    }

    // MARK: Referrers

    private func artifact(_ subject: Subject, about digest: OCIDigest, type: String, in name: String = "a")
        throws
        -> [UInt8]
    {
        try subject.push(Array("{}".utf8), to: name)
        return Array(
            """
            {"schemaVersion":2,"mediaType":"\(OCIMediaType.manifest)","artifactType":"\(type)",\
            "config":\(subject.descriptor(OCIMediaType.empty, Array("{}".utf8))),"layers":[],\
            "subject":{"mediaType":"\(OCIMediaType.manifest)","digest":"\(digest)","size":7},\
            "annotations":{"made.by":"test"}}
            """.utf8)
    }

    @Test("a manifest about another one is answered with OCI-Subject, also when that one is not there")
    func subject() throws {
        let subject = try Subject()
        for digest in [try subject.tag("v1", in: "a"), OCIDigest.of([1])] {
            let artifact = try artifact(subject, about: digest, type: "application/x")
            let answer = try subject.put(artifact, OCIDigest.of(artifact).description, in: "a")
            #expect(answer.status == 201 && answer.headers["oci-subject"] == digest.description)
        }
    }

    @Test("referrers are listed as an index with their types and annotations, and filtered")
    func referrers() throws {
        let subject = try Subject()
        let image = try subject.tag("v1", in: "a")
        var artifacts: [OCIDigest] = []
        for type in ["application/x+json", "application/y"] {
            let artifact = try artifact(subject, about: image, type: type)
            artifacts.append(OCIDigest.of(artifact))
            try #require(try subject.put(artifact, OCIDigest.of(artifact).description, in: "a").status == 201)
        }
        let all = try subject.request("GET", "/v2/a/referrers/\(image)")
        #expect(all.status == 200 && all.headers["content-type"] == OCIMediaType.index)
        #expect(all.headers["oci-filters-applied"] == nil)
        let index = try OCIDocument(all.body)
        #expect(index.mediaType == OCIMediaType.index)
        #expect(Set(index.manifests.map(\.digest)) == Set(artifacts.map(\.description)))
        for descriptor in index.manifests {
            #expect(descriptor.mediaType == OCIMediaType.manifest && descriptor.size > 100)
            #expect(descriptor.annotations == ["made.by": "test"])
        }
        for type in ["application/x+json", "application%2Fx%2Bjson"] {
            let some = try subject.request("GET", "/v2/a/referrers/\(image)?artifactType=\(type)")
            #expect(some.headers["oci-filters-applied"] == "artifactType")
            #expect(try OCIDocument(some.body).manifests.map(\.digest) == [artifacts[0].description])
            #expect(try OCIDocument(some.body).manifests.map(\.artifactType) == ["application/x+json"])
        }
        // Gone with the manifest.
        #expect(try subject.request("DELETE", "/v2/a/manifests/\(artifacts[0])").status == 202)
        let left = try subject.request("GET", "/v2/a/referrers/\(image)")
        #expect(try OCIDocument(left.body).manifests.map(\.digest) == [artifacts[1].description])
    }

    @Test("an image without an artifact type is listed by the type of its configuration")
    func configType() throws {
        let subject = try Subject()
        let image = try subject.tag("v1", in: "a")
        let more =
            "\"subject\":{\"mediaType\":\"\(OCIMediaType.manifest)\",\"digest\":\"\(image)\",\"size\":7},"
        let other = try subject.image("two", in: "a", more: more)
        try #require(try subject.put(other, "v2", in: "a").status == 201)
        let answer = try subject.request("GET", "/v2/a/referrers/\(image)")
        #expect(try OCIDocument(answer.body).manifests.map(\.artifactType) == [OCIMediaType.config])
    }

    @Test("an index without an artifact type is listed without one")
    func indexWithoutType() throws {
        let subject = try Subject()
        let image = try subject.tag("v1", in: "a")
        let about = "{\"mediaType\":\"\(OCIMediaType.manifest)\",\"digest\":\"\(image)\",\"size\":7}"
        let index = Array(
            "{\"schemaVersion\":2,\"mediaType\":\"\(OCIMediaType.index)\",\"manifests\":[],\"subject\":\(about)}"
                .utf8)
        try #require(try subject.put(index, "v2", in: "a", type: OCIMediaType.index).status == 201)
        let answer = try subject.request("GET", "/v2/a/referrers/\(image)")
        #expect(!answer.text.contains("artifactType"))
        #expect(try OCIDocument(answer.body).manifests.map(\.mediaType) == [OCIMediaType.index])
    }

    @Test("parameters of the Content-Type of a manifest do not count")
    func typeParameters() throws {
        let subject = try Subject()
        let image = try subject.image("one", in: "a")
        let type = OCIMediaType.manifest
        try #require(try subject.put(image, "v1", in: "a", type: "\(type); charset=utf-8").status == 201)
        #expect(try subject.request("HEAD", "/v2/a/manifests/v1").headers["content-type"] == type)
    }

    @Test("of what nothing is about the list is empty, and of what is no digest there is none")
    func noReferrers() throws {
        let subject = try Subject()
        for repository in ["a", "never/seen"] {
            let answer = try subject.request("GET", "/v2/\(repository)/referrers/\(OCIDigest.of([1]))")
            #expect(answer.status == 200)
            #expect(try OCIDocument(answer.body).manifests.isEmpty)
        }
        let answer = try subject.request("GET", "/v2/a/referrers/sha256:short")
        #expect(answer.status == 400 && answer.code == "DIGEST_INVALID")
    }

    @Test("a large one does not hide what else is about a manifest")
    func largeReferrer() throws {
        let subject = try Subject()
        let image = try subject.tag("v1", in: "a")
        let about = "{\"mediaType\":\"\(OCIMediaType.manifest)\",\"digest\":\"\(image)\",\"size\":7}"
        var pushed: Set<String> = []
        for size in [10, 3_400_000, 20] {
            let text = String(repeating: "x", count: size)
            let manifest = Array(
                "{\"schemaVersion\":2,\"artifactType\":\"a/b\",\"subject\":\(about),\"annotations\":{\"t\":\"\(text)\"}}"
                    .utf8)
            let digest = OCIDigest.of(manifest).description
            try #require(try subject.put(manifest, digest, in: "a").status == 201)
            pushed.insert(digest)
        }
        let answer = try subject.request("GET", "/v2/a/referrers/\(image)")
        #expect(Set(try OCIDocument(answer.body).manifests.map(\.digest)) == pushed)
    }

    @Test("a long list of referrers comes in pages")
    func pages() throws {
        let subject = try Subject()
        let image = try subject.tag("v1", in: "a")
        try subject.push(Array("{}".utf8), to: "a")
        var made: Set<String> = []
        for number in 0..<5 {
            let text = String(repeating: "x", count: 1_000_000)
            let artifact = Array(
                """
                {"schemaVersion":2,"config":\(subject.descriptor(OCIMediaType.empty, Array("{}".utf8))),"layers":[],\
                "subject":{"mediaType":"\(OCIMediaType.manifest)","digest":"\(image)","size":7},\
                "annotations":{"text":"\(text)","number":"\(number)"}}
                """.utf8)
            made.insert(OCIDigest.of(artifact).description)
            try #require(try subject.put(artifact, OCIDigest.of(artifact).description, in: "a").status == 201)
        }
        var path: String? = "/v2/a/referrers/\(image)"
        var seen: [String] = []
        while let next = path {
            let answer = try subject.request("GET", next)
            #expect(answer.body.count <= 4 << 20)
            seen += try OCIDocument(answer.body).manifests.map(\.digest)
            path = answer.headers["link"].map { String($0.dropFirst().prefix { $0 != ">" }) }
        }
        #expect(seen.count == 5 && Set(seen) == made)
    }

    @Test(
        "a manifest that two programs could read as two things is refused, and one that is there already is served"
    )
    func ambiguous() throws {
        let subject = try Subject()
        let plain = String(decoding: try subject.image("one", in: "a"), as: UTF8.self)
        let bad = plain.replacing("\"layers\":[", with: "\"manifests\":[],\"layers\":[")
        let twice = plain.replacing("\"layers\":", with: "\"layers\":[],\"layers\":")
        var wide: [UInt8] = [0xff, 0xfe]
        for unit in plain.utf16 { wide += [UInt8(unit & 0xff), UInt8(unit >> 8)] }
        let mark: [UInt8] = [0xef, 0xbb, 0xbf]
        let cases: [([UInt8], String)] = [
            (Array(bad.utf8), "'manifests'"), (mark + Array(plain.utf8), "byte order mark"), (wide, "UTF-16"),
            (Array(twice.utf8), "twice"),
            (Array("{\"schemaVersion\":2,\"config\":null,\"layers\":[]}".utf8), "null"),
        ]
        for (bytes, word) in cases {
            let answer = try subject.put(bytes, "1", in: "a")
            #expect(answer.status == 400 && answer.code == "MANIFEST_INVALID", "\(word): \(answer.text)")
            #expect(answer.text.contains(word), "\(answer.text)")
        }
        // As an earlier version took it.
        let digest = OCIDigest.of(bad.utf8)
        let repositories: any Repositories = subject.bucket ?? subject.storage
        _ = try repositories.put(
            Array(bad.utf8), try OCIDocument(Array(bad.utf8)), mediaType: OCIMediaType.manifest,
            digest: digest, tags: [try OCITagName("old")], in: try OCIRepositoryName("a"), needsBlobs: true)
        let old = try subject.request("GET", "/v2/a/manifests/old")
        #expect(old.status == 200 && old.text == bad)
        #expect(try subject.request("DELETE", "/v2/a/manifests/\(digest)").status == 202)
    }
}
