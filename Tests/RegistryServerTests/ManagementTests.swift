import Dispatch
import RegistryEngine
import Testing
import VoltOCI
import VoltStore
import VoltSystem
import VoltTestKit

@Suite(.timeLimit(.minutes(2)), .onEachBackend, .namingBackend) struct ManagementTests {
    private func list(_ subject: Subject, _ query: String = "") throws -> (tags: String, link: String?) {
        let answer = try subject.request("GET", "/v2/a/tags/list\(query)")
        #expect(answer.status == 200 && answer.headers["content-type"] == "application/json")
        return (answer.text, answer.headers["link"])
    }

    @Test("tags are listed in order, as many as are asked for, after the last one")
    func tags() throws {
        let subject = try Subject()
        for tag in ["v2", "B", "a", "v10", "_x"] { try subject.tag(tag, in: "a") }
        #expect(try list(subject).tags == "{\"name\":\"a\",\"tags\":[\"B\",\"_x\",\"a\",\"v10\",\"v2\"]}")
        let page = try list(subject, "?n=2")
        #expect(page.tags.hasSuffix("[\"B\",\"_x\"]}"))
        #expect(page.link == "</v2/a/tags/list?n=2&last=_x>; rel=\"next\"")
        let rest = try list(subject, "?n=2&last=_x")
        #expect(rest.tags.hasSuffix("[\"a\",\"v10\"]}"))
        let end = try list(subject, "?n=2&last=v10")
        #expect(end.tags.hasSuffix("[\"v2\"]}") && end.link == nil)
        // What is named need not be there.
        #expect(try list(subject, "?last=c").tags.hasSuffix("[\"v10\",\"v2\"]}"))
        #expect(try list(subject, "?last=zzz").tags.hasSuffix("[]}"))
        #expect(try list(subject, "?n=5").link == nil)
    }

    @Test("n=0 is an empty list without a next one, and n is a number")
    func zero() throws {
        let subject = try Subject()
        try subject.tag("v1", in: "a")
        let answer = try list(subject, "?n=0")
        #expect(answer.tags.hasSuffix("[]}") && answer.link == nil)
        for n in ["-1", "x", "99999999999999999999999"] {
            #expect(try subject.request("GET", "/v2/a/tags/list?n=\(n)").status == 400)
        }
    }

    @Test("a repository without tags has an empty list, and one that is not there is 404")
    func noTags() throws {
        let subject = try Subject()
        let image = try subject.image("one", in: "a")
        try #require(try subject.put(image, OCIDigest.of(image).description, in: "a").status == 201)
        #expect(try list(subject).tags.hasSuffix("[]}"))
        let answer = try subject.request("GET", "/v2/b/tags/list")
        #expect(answer.status == 404 && answer.code == "NAME_UNKNOWN")
    }

    @Test("repositories are listed page by page")
    func catalog() throws {
        let subject = try Subject()
        for name in ["team/web", "team", "base/os/debian"] { try subject.tag("v1", in: name) }
        _ = try subject.begin("only/an/upload")
        let all = try subject.request("GET", "/v2/_catalog")
        #expect(all.text == "{\"repositories\":[\"base/os/debian\",\"team\",\"team/web\"]}")
        let page = try subject.request("GET", "/v2/_catalog?n=2")
        #expect(page.headers["link"] == "</v2/_catalog?n=2&last=team>; rel=\"next\"")
        #expect(
            try subject.request("GET", "/v2/_catalog?n=2&last=team").text
                == "{\"repositories\":[\"team/web\"]}")
    }

    @Test("a deleted tag is gone, and its manifest stays")
    func deleteTag() throws {
        let subject = try Subject()
        let digest = try subject.tag("v1", in: "a")
        #expect(try subject.request("DELETE", "/v2/a/manifests/v1").status == 202)
        #expect(try subject.request("GET", "/v2/a/manifests/v1").status == 404)
        #expect(try subject.request("GET", "/v2/a/manifests/\(digest)").status == 200)
        #expect(try subject.request("DELETE", "/v2/a/manifests/v1").status == 404)
    }

    @Test("a deleted manifest is gone with its tags, and no other one")
    func deleteManifest() throws {
        let subject = try Subject()
        let digest = try subject.tag("v1", in: "a")
        let other = try subject.tag("v2", in: "a")
        #expect(try subject.request("DELETE", "/v2/a/manifests/\(digest)").status == 202)
        #expect(try subject.request("GET", "/v2/a/manifests/\(digest)").status == 404)
        #expect(try list(subject).tags.hasSuffix("[\"v2\"]}"))
        #expect(try subject.request("GET", "/v2/a/manifests/\(other)").status == 200)
        let again = try subject.request("DELETE", "/v2/a/manifests/\(digest)")
        #expect(again.status == 404 && again.code == "MANIFEST_UNKNOWN")
        #expect(try subject.request("DELETE", "/v2/never/manifests/\(digest)").status == 404)
    }

    @Test("a manifest that is deleted by one digest is gone with the tags of the other")
    func deleteAlias() throws {
        let subject = try Subject()
        let image = try subject.image("one", in: "a")
        let digest = OCIDigest.of(image, .sha512)
        #expect(try subject.put(image, "\(digest)?tag=v1", in: "a").status == 201)
        #expect(try subject.request("DELETE", "/v2/a/manifests/\(OCIDigest.of(image))").status == 202)
        #expect(try subject.request("GET", "/v2/a/tags/list").text.contains("\"tags\":[]"))
        #expect(try subject.request("GET", "/v2/a/manifests/\(digest)").status == 404)
    }

    @Test("what is pushed while manifests are deleted is there afterwards, or was deleted")
    func deleteBeside() throws {
        let subject = try Subject()
        let image = try subject.image("one", in: "a")
        for _ in 0..<30 {
            try #require(try subject.put(image, "v1", in: "a").status == 201)
            let ended = DispatchSemaphore(value: 0)
            let port = UInt16(subject.server.port)
            DispatchQueue.global().async {
                _ = try? HTTPClient(port: port).request("DELETE", "/v2/a/manifests/\(OCIDigest.of(image))")
                ended.signal()
            }
            _ = try subject.put(image, "v2", in: "a")
            ended.wait()
            let tags = try subject.request("GET", "/v2/a/tags/list").text
            for tag in ["v1", "v2"] where tags.contains(tag) {
                #expect(try subject.request("HEAD", "/v2/a/manifests/\(tag)").status == 200, "\(tags)")
            }
        }
    }

    @Test("a deleted blob is gone from its repository, and from no other one")
    func deleteBlob() throws {
        let subject = try Subject()
        let digest = try subject.push([1, 2, 3], to: "a")
        try subject.push([1, 2, 3], to: "b")
        #expect(try subject.request("DELETE", "/v2/a/blobs/\(digest)").status == 202)
        #expect(try subject.request("GET", "/v2/a/blobs/\(digest)").status == 404)
        #expect(try subject.request("GET", "/v2/b/blobs/\(digest)").status == 200)
        let again = try subject.request("DELETE", "/v2/a/blobs/\(digest)")
        #expect(again.status == 404 && again.code == "BLOB_UNKNOWN")
    }

    @Test("a read-only registry changes nothing")
    func readOnly() throws {
        let writable = try Subject()
        let digest = try writable.tag("v1", in: "a")
        let subject = try Subject(on: writable.store) { $0.isReadOnly = true }
        #expect(try subject.request("GET", "/v2/a/manifests/v1").status == 200)
        for (method, path) in [
            ("POST", "/v2/a/blobs/uploads/"), ("PUT", "/v2/a/manifests/v2"),
            ("DELETE", "/v2/a/manifests/\(digest)"), ("DELETE", "/v2/a/manifests/v1"),
        ] {
            let answer = try subject.request(method, path, body: method == "PUT" ? [1] : [])
            #expect(answer.status == 405 && answer.code == "UNSUPPORTED")
        }
    }

    @Test("a repository has no more than its quota, and has room again when something is deleted")
    func quota() throws {
        let subject = try Subject { $0.quota = 1000 }
        let first = try subject.push([UInt8](repeating: 1, count: 600), to: "a")
        let second = [UInt8](repeating: 2, count: 600)
        func push(_ name: String) throws -> HTTPClient.Answer {
            try subject.request(
                "POST", "/v2/\(name)/blobs/uploads/?digest=\(OCIDigest.of(second))", body: second)
        }
        let refused = try push("a")
        #expect(refused.status == 403 && refused.code == "DENIED")
        // What is there already takes no room, and another repository has its own.
        #expect(try subject.push([UInt8](repeating: 1, count: 600), to: "a") == first)
        #expect(try push("b").status == 201)
        let mount = "/v2/a/blobs/uploads/?mount=\(OCIDigest.of(second))&from=b"
        #expect(try subject.request("POST", mount).status == 403)
        #expect(try subject.request("DELETE", "/v2/a/blobs/\(first)").status == 202)
        #expect(try subject.request("POST", mount).status == 201)
    }

    @Test(
        "names, tags and digests that are none are refused with the specification's code",
        arguments: [
            ("/v2/A/tags/list", 400, "NAME_INVALID"), ("/v2/a//b/tags/list", 400, "NAME_INVALID"),
            ("/v2/../../etc/tags/list", 400, "NAME_INVALID"), ("/v2/a/../b/tags/list", 400, "NAME_INVALID"),
            ("/v2/a/_uploads/manifests/v1", 400, "NAME_INVALID"), ("/v2/a%2Fb/tags/list", 404, "UNSUPPORTED"),
            ("/v2/%2e%2e/tags/list", 400, "NAME_INVALID"), ("/v2/a%00/tags/list", 400, "NAME_INVALID"),
            ("/v2/a/manifests/.hidden", 404, "MANIFEST_UNKNOWN"),
            ("/v2/a/manifests/sha256:../../x", 404, "UNSUPPORTED"),
            ("/v2/a/manifests/sha256:ABC", 400, "DIGEST_INVALID"),
            ("/v2/a/blobs/sha256:abc", 400, "DIGEST_INVALID"), ("/v2/a/blobs/md5:abc", 400, "DIGEST_INVALID"),
            ("/v2/a/blobs/uploads/../../../x", 404, "UNSUPPORTED"),
            ("/v2/a/blobs/uploads/not-an-id", 404, "BLOB_UPLOAD_UNKNOWN"),
            ("/v2/a/nothing/here", 404, "UNSUPPORTED"), ("/v2/a", 404, "UNSUPPORTED"),
        ])
    func invalidNames(path: String, status: Int, code: String) throws {
        let subject = try Subject()
        let answer = try subject.request("GET", path)
        #expect(answer.status == status && answer.code == code, "\(answer.status) \(answer.text)")
    }

    /// Distribution specification 1.1.1, table "Endpoints": of end-3 (GET and HEAD) a failure is 404, of end-9 (DELETE) 404,
    /// 400 or 405. Its conformance suite asks for `.INVALID_MANIFEST_NAME` as the manifest that does not exist. What it
    /// says of a PUT of an invalid manifest is 400, and a tag of no such form is one.
    @Test("what cannot be a tag names no manifest, and none can be pushed as it")
    func invalidTags() throws {
        let subject = try Subject()
        try subject.tag("1", in: "a")
        let path = "/v2/a/manifests/.INVALID_MANIFEST_NAME"
        for method in ["GET", "HEAD", "DELETE"] {
            #expect(try subject.request(method, path).status == 404, "\(method)")
        }
        #expect(try subject.request("GET", path).code == "MANIFEST_UNKNOWN")
        let image = try subject.image("1", in: "a")
        let pushed = try subject.put(image, ".INVALID_MANIFEST_NAME", in: "a")
        #expect(pushed.status == 400 && pushed.code == "MANIFEST_INVALID")
        let name = try subject.put(image, "1", in: "A")
        #expect(name.status == 400 && name.code == "NAME_INVALID")
    }

    @Test("errors are JSON of the specification's form")
    func errors() throws {
        let subject = try Subject()
        let answer = try subject.request("GET", "/v2/a/tags/list")
        #expect(answer.headers["content-type"] == "application/json")
        #expect(
            answer.text
                == "{\"errors\":[{\"code\":\"NAME_UNKNOWN\",\"detail\":{\"name\":\"a\"},\"message\":\"the registry has no such repository\"}]}"
        )
        #expect(try subject.request("PATCH", "/v2/a/tags/list").status == 405)
    }
}
