import RegistryEngine
import Testing
import VoltOCI
import VoltStore
import VoltSystem
import VoltTestKit

@Suite(.timeLimit(.minutes(2)), .onEachBackend, .namingBackend) struct PullTests {
    @Test("GET of /v2/ says that the API is there")
    func base() throws {
        let subject = try Subject()
        for path in ["/v2/", "/v2"] {
            let answer = try subject.request("GET", path)
            #expect(answer.status == 200)
            #expect(answer.headers["docker-distribution-api-version"] == "registry/2.0")
        }
    }

    @Test("a manifest comes back byte by byte with its type and digest, by tag and by digest")
    func manifest() throws {
        let subject = try Subject()
        let image = try subject.image("one", in: "team/web")
        try #require(try subject.put(image, "1.0", in: "team/web").status == 201)
        let digest = OCIDigest.of(image)
        for reference in ["1.0", digest.description] {
            let answer = try subject.request("GET", "/v2/team/web/manifests/\(reference)")
            #expect(answer.status == 200 && answer.body == image)
            #expect(answer.headers["content-type"] == OCIMediaType.manifest)
            #expect(answer.headers["docker-content-digest"] == digest.description)
            let head = try subject.request("HEAD", "/v2/team/web/manifests/\(reference)")
            #expect(head.status == 200 && head.body.isEmpty)
            #expect(head.headers["content-length"] == String(image.count))
            #expect(head.headers["docker-content-digest"] == digest.description)
        }
    }

    @Test("a manifest that is not there is 404, in a repository that is there and in one that is not")
    func noManifest() throws {
        let subject = try Subject()
        try subject.tag("1", in: "a")
        let missing = OCIDigest.of([1])
        for (path, code) in [
            ("/v2/a/manifests/2", "MANIFEST_UNKNOWN"), ("/v2/a/manifests/\(missing)", "MANIFEST_UNKNOWN"),
            ("/v2/b/manifests/1", "NAME_UNKNOWN"),
        ] {
            let answer = try subject.request("GET", path)
            #expect(answer.status == 404 && answer.code == code)
            #expect(try subject.request("HEAD", path).status == 404)
        }
    }

    @Test("a blob comes back byte by byte with its digest and length")
    func blob() throws {
        let subject = try Subject()
        let bytes = (0..<3_000_000).map { UInt8(truncatingIfNeeded: $0 &* 31 >> 3) }
        let digest = try subject.push(bytes, to: "team/web")
        let answer = try subject.request("GET", "/v2/team/web/blobs/\(digest)")
        #expect(answer.status == 200 && answer.body == bytes)
        #expect(answer.headers["docker-content-digest"] == digest.description)
        let head = try subject.request("HEAD", "/v2/team/web/blobs/\(digest)")
        #expect(head.status == 200 && head.headers["content-length"] == "3000000")
        #expect(head.headers["docker-content-digest"] == digest.description)
    }

    @Test("an empty blob is a blob")
    func emptyBlob() throws {
        let subject = try Subject()
        let digest = try subject.push([], to: "a")
        let answer = try subject.request("GET", "/v2/a/blobs/\(digest)")
        #expect(answer.status == 200 && answer.body.isEmpty)
    }

    @Test("a blob of another repository, or of none, is 404")
    func noBlob() throws {
        let subject = try Subject()
        let digest = try subject.push([1, 2, 3], to: "a")
        try subject.tag("1", in: "b")
        #expect(try subject.request("GET", "/v2/b/blobs/\(digest)").code == "BLOB_UNKNOWN")
        #expect(try subject.request("HEAD", "/v2/b/blobs/\(digest)").status == 404)
        #expect(try subject.request("GET", "/v2/c/blobs/\(digest)").status == 404)
    }

    @Test(
        "parts of a blob are given as RFC 9110 has it",
        arguments: [
            ("bytes=0-3", 206, "0123", "bytes 0-3/10"), ("bytes=7-", 206, "789", "bytes 7-9/10"),
            ("bytes=-2", 206, "89", "bytes 8-9/10"), ("bytes=-20", 206, "0123456789", "bytes 0-9/10"),
            ("bytes=5-100", 206, "56789", "bytes 5-9/10"), ("bytes=10-", 416, nil, "bytes */10"),
            ("bytes=-0", 416, nil, "bytes */10"),
            ("bytes=999999999999999999999999-", 200, "0123456789", nil),
            ("bytes=3-1", 200, "0123456789", nil),
            ("bytes=0-1,3-4", 200, "0123456789", nil), ("bytes=+1-2", 200, "0123456789", nil),
            ("lines=0-1", 200, "0123456789", nil), ("bytes=../..", 200, "0123456789", nil),
        ] as [(String, Int, String?, String?)])
    func ranges(range: String, status: Int, text: String?, content: String?) throws {
        let subject = try Subject()
        let digest = try subject.push(Array("0123456789".utf8), to: "a")
        let answer = try subject.request("GET", "/v2/a/blobs/\(digest)", headers: [("Range", range)])
        #expect(answer.status == status && answer.headers["content-range"] == content)
        if let text { #expect(answer.text == text) }
    }

    @Test("HEAD has no parts")
    func headRange() throws {
        let subject = try Subject()
        let digest = try subject.push([1, 2, 3, 4], to: "a")
        let answer = try subject.request("HEAD", "/v2/a/blobs/\(digest)", headers: [("Range", "bytes=0-1")])
        #expect(answer.status == 200 && answer.headers["content-length"] == "4")
    }

    @Test("a part is only given when what the client has is the same blob")
    func ifRange() throws {
        let subject = try Subject()
        let digest = try subject.push(Array("0123456789".utf8), to: "a")
        for (tag, status) in [("\"\(digest)\"", 206), ("\"sha256:other\"", 200)] {
            let answer = try subject.request(
                "GET", "/v2/a/blobs/\(digest)", headers: [("Range", "bytes=0-1"), ("If-Range", tag)])
            #expect(answer.status == status)
        }
    }

    @Test("what the client has already is not sent again")
    func notModified() throws {
        let subject = try Subject()
        let digest = try subject.push([1, 2, 3], to: "a")
        let image = try subject.tag("1", in: "a")
        for (path, digest) in [("blobs/\(digest)", digest), ("manifests/1", image)] {
            let etag = try subject.request("HEAD", "/v2/a/\(path)").headers["etag"]
            #expect(etag == "\"\(digest)\"")
            let answer = try subject.request(
                "GET", "/v2/a/\(path)", headers: [("If-None-Match", etag ?? "")])
            #expect(answer.status == 304 && answer.body.isEmpty)
        }
    }

    @Test(
        "a blob that another tool packed is given all the same",
        .onDisk("a bucket has no packs"))
    func packedBlob() throws {
        let subject = try Subject()
        let bytes = [UInt8](repeating: 7, count: 100_000)
        let digest = try subject.push(bytes, to: "a")
        // As after a repair: the whole file is gone, and the content is in a pack.
        let path = "\(subject.store)/objects/\(digest.hex.prefix(2))/\(digest.hex.dropFirst(2))"
        let copy = "\(subject.scratch.path)/copy"
        try Files.replace(copy, with: bytes)
        try Files.remove(path)
        _ = try subject.storage.store.put(file: copy)
        #expect(try subject.request("GET", "/v2/a/blobs/\(digest)").body == bytes)
        #expect(Files.exists(path))
    }
}
