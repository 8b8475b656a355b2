import Glibc
import RegistryEngine
import Testing
import VoltOCI
import VoltStore
import VoltSystem
import VoltTestKit

@Suite(.timeLimit(.minutes(2)), .onEachBackend, .namingBackend) struct PushTests {
    private let bytes = (0..<200_000).map { UInt8(truncatingIfNeeded: $0 &* 7 >> 2) }

    @Test("POST gives the place of an upload, which is another one each time")
    func begin() throws {
        let subject = try Subject()
        let first = try subject.request("POST", "/v2/a/blobs/uploads/")
        #expect(first.status == 202 && first.headers["content-length"] == "0")
        #expect(first.headers["location"]?.hasPrefix("/v2/a/blobs/uploads/") == true)
        #expect(try subject.begin("a") != first.headers["location"])
    }

    @Test("POST and PUT push a blob, and say where it is")
    func postThenPut() throws {
        let subject = try Subject()
        let digest = OCIDigest.of(bytes)
        let place = try subject.begin("team/web")
        let answer = try subject.request("PUT", "\(place)?digest=\(digest)", body: bytes)
        #expect(answer.status == 201)
        #expect(answer.headers["location"] == "/v2/team/web/blobs/\(digest)")
        #expect(answer.headers["docker-content-digest"] == digest.description)
        #expect(try subject.request("GET", "/v2/team/web/blobs/\(digest)").body == bytes)
        #expect(try subject.request("GET", place).status == 404)
    }

    @Test("one POST pushes a blob")
    func singlePost() throws {
        let subject = try Subject()
        let digest = OCIDigest.of(bytes)
        let answer = try subject.request("POST", "/v2/a/blobs/uploads/?digest=\(digest)", body: bytes)
        #expect(answer.status == 201 && answer.headers["location"] == "/v2/a/blobs/\(digest)")
        #expect(try subject.request("GET", "/v2/a/blobs/\(digest)").body == bytes)
        let wrong = try subject.request(
            "POST", "/v2/a/blobs/uploads/?digest=\(OCIDigest.of([1]))", body: bytes)
        #expect(wrong.status == 400 && wrong.code == "DIGEST_INVALID")
    }

    @Test("chunks are taken in their order, the last one with PATCH or with PUT", arguments: [true, false])
    func chunks(lastWithPut: Bool) throws {
        let subject = try Subject()
        let digest = OCIDigest.of(bytes)
        var place = try subject.begin("a")
        var start = 0
        let ends = [70_000, 140_000, 200_000]
        for end in ends where !(lastWithPut && end == 200_000) {
            let answer = try subject.request(
                "PATCH", place, headers: [("Content-Range", "\(start)-\(end - 1)")],
                body: Array(bytes[start..<end]))
            #expect(answer.status == 202 && answer.headers["range"] == "0-\(end - 1)")
            place = try #require(answer.headers["location"])
            start = end
        }
        let answer = try subject.request(
            "PUT", "\(place)?digest=\(digest)",
            headers: lastWithPut ? [("Content-Range", "140000-199999")] : [],
            body: lastWithPut ? Array(bytes[140_000...]) : [])
        #expect(answer.status == 201)
        #expect(try subject.request("GET", "/v2/a/blobs/\(digest)").body == bytes)
    }

    @Test("one PATCH without a range is a stream")
    func stream() throws {
        let subject = try Subject()
        let place = try subject.begin("a")
        #expect(try subject.request("PATCH", place, body: bytes).headers["range"] == "0-199999")
        #expect(
            try subject.request("PUT", "\(place)?digest=\(OCIDigest.of(bytes))").status == 201)
    }

    @Test(
        "a chunk that does not follow the one before is 416 and says where to go on",
        arguments: ["0-9", "11-20", "x-y", "20-10", "-5"], ["PATCH", "PUT"])
    func outOfOrder(range: String, method: String) throws {
        let subject = try Subject()
        let place = try subject.begin("a")
        #expect(try subject.request("PATCH", place, body: Array(bytes[..<10])).status == 202)
        let query = method == "PUT" ? "?digest=\(OCIDigest.of(bytes))" : ""
        let answer = try subject.request(
            method, place + query, headers: [("Content-Range", range)], body: Array(bytes[..<10]))
        #expect(answer.status == 416 && answer.headers["range"] == "0-9")
        #expect(answer.headers["location"] == place)
        // Nothing of it was taken.
        #expect(try subject.request("GET", place).headers["range"] == "0-9")
    }

    @Test("a chunk has as many bytes as its range says")
    func chunkSize() throws {
        let subject = try Subject()
        let place = try subject.begin("a")
        for range in ["0-98", "0-100"] {
            let answer = try subject.request(
                "PATCH", place, headers: [("Content-Range", range)], body: Array(bytes[..<100]))
            #expect(answer.status == 400 && answer.code == "SIZE_INVALID")
        }
        #expect(try subject.request("GET", place).headers["range"] == "0-0")
    }

    @Test("GET of an upload says how much of it came")
    func status() throws {
        let subject = try Subject()
        let place = try subject.begin("a")
        #expect(try subject.request("GET", place).status == 204)
        #expect(try subject.request("PATCH", place, body: Array(bytes[..<1000])).status == 202)
        let answer = try subject.request("GET", place)
        #expect(answer.status == 204 && answer.headers["range"] == "0-999")
        #expect(answer.headers["location"] == place)
    }

    @Test(
        "of too many uploads the one goes that rests the longest, and where none rests a client has to wait")
    func tooManyUploads() throws {
        let subject = try Subject()
        let busy = try subject.begin("a")
        let directory = "\(subject.store)/references/registry/a/_uploads"
        func path(_ number: Int) -> String {
            let digits = String(number)
            return "\(directory)/\(String(repeating: "0", count: 32 - digits.utf8.count))\(digits)"
        }
        let now = time(nil)
        func age(_ path: String, _ seconds: Int) {
            let moment = timespec(tv_sec: now - seconds, tv_nsec: 0)
            _ = [moment, moment].withUnsafeBufferPointer { utimensat(AT_FDCWD, path, $0.baseAddress, 0) }
        }
        for number in 1...1023 {
            close(creat(path(number), 0o600))
            age(path(number), number == 7 ? 5000 : 1000)
        }
        // Whoever is at it keeps it, however old it is.
        let held = open(path(7), O_RDWR)
        defer { close(held) }
        #expect(flock(held, LOCK_EX) == 0)
        age(path(9), 4000)
        _ = try subject.begin("a")
        #expect(!Files.exists(path(9)) && Files.exists(path(7)) && Files.exists(path(8)))
        #expect(try subject.request("GET", busy).status == 204)
        for id in try Files.list(directory) { age("\(directory)/\(id)", 100) }
        let refused = try subject.request("POST", "/v2/a/blobs/uploads/")
        #expect(refused.status == 429 && refused.code == "TOOMANYREQUESTS")
        let wait = Int(refused.headers["retry-after"] ?? "") ?? 0
        #expect((150...200).contains(wait), "\(wait)")
    }

    @Test("a cancelled upload is gone")
    func cancel() throws {
        let subject = try Subject()
        let place = try subject.begin("a")
        #expect(try subject.request("PATCH", place, body: Array(bytes[..<1000])).status == 202)
        #expect(try subject.request("DELETE", place).status == 204)
        for method in ["GET", "PATCH", "DELETE"] {
            let answer = try subject.request(method, place)
            #expect(answer.status == 404)
        }
        #expect(try subject.request("DELETE", place).code == "BLOB_UPLOAD_UNKNOWN")
        #expect(try Files.list("\(subject.store)/references/registry/a/_uploads").isEmpty)
    }

    @Test("what came before the connection broke is there, and the client goes on behind it")
    func broken() throws {
        let subject = try Subject()
        let place = try subject.begin("a")
        do {
            let client = try HTTPClient(port: UInt16(subject.server.port))
            let head = "PATCH \(place) HTTP/1.1\r\nHost: a\r\nContent-Length: 200000\r\n\r\n"
            try client.send(Array(head.utf8) + bytes[..<120_000])
        }
        var came = 0
        for _ in 0..<1000 where came != 120_000 {
            let range = try subject.request("GET", place).headers["range"] ?? "0-0"
            came = (Int(range.dropFirst(2)) ?? 0) + 1
        }
        try #require(came == 120_000)
        let answer = try subject.request(
            "PUT", "\(place)?digest=\(OCIDigest.of(bytes))",
            headers: [("Content-Range", "120000-199999")], body: Array(bytes[120_000...]))
        #expect(answer.status == 201)
    }

    @Test("half an upload goes on with another server on the same store")
    func otherServer() throws {
        let first = try Subject()
        let place = try first.begin("a")
        #expect(try first.request("PATCH", place, body: Array(bytes[..<100_000])).status == 202)
        first.server.drain()
        let second = try Subject(on: first.store)
        let answer = try second.request("GET", place)
        #expect(answer.status == 204 && answer.headers["range"] == "0-99999")
        #expect(
            try second.request(
                "PUT", "\(place)?digest=\(OCIDigest.of(bytes))", body: Array(bytes[100_000...])
            ).status == 201)
        #expect(try second.request("GET", "/v2/a/blobs/\(OCIDigest.of(bytes))").body == bytes)
    }

    @Test(
        "an upload that another server on the same store has finished is gone, and its blob is not written to"
    )
    func finishedElsewhere() throws {
        let one = try Subject()
        let two = try Subject(on: one.store)
        let blob = [UInt8](repeating: 3, count: 50_000)
        let place = try two.begin("a")
        #expect(try two.request("PATCH", place, body: blob).status == 202)
        #expect(try one.request("PUT", "\(place)?digest=\(OCIDigest.of(blob))").status == 201)
        #expect(try two.request("PATCH", place, body: [1, 2, 3]).status == 404)
        #expect(try two.request("GET", "/v2/a/blobs/\(OCIDigest.of(blob))").body == blob)
    }

    @Test("a blob with another digest than was given is refused, and none of it stays")
    func wrongDigest() throws {
        let subject = try Subject()
        let place = try subject.begin("a")
        let answer = try subject.request("PUT", "\(place)?digest=\(OCIDigest.of([1]))", body: bytes)
        #expect(answer.status == 400 && answer.code == "DIGEST_INVALID")
        #expect(try subject.request("GET", "/v2/a/blobs/\(OCIDigest.of([1]))").status == 404)
        #expect(try subject.request("GET", "/v2/a/blobs/\(OCIDigest.of(bytes))").status == 404)
        for query in ["", "?digest=md5:abc", "?digest=sha256:xyz"] {
            let answer = try subject.request("PUT", try subject.begin("a") + query, body: bytes)
            #expect(answer.status == 400 && answer.code == "DIGEST_INVALID")
        }
    }

    @Test("a blob is mounted from another repository; what cannot be mounted begins an upload")
    func mount() throws {
        let subject = try Subject()
        let digest = try subject.push(bytes, to: "a")
        let answer = try subject.request("POST", "/v2/b/blobs/uploads/?mount=\(digest)&from=a")
        #expect(answer.status == 201 && answer.headers["location"] == "/v2/b/blobs/\(digest)")
        #expect(answer.headers["docker-content-digest"] == digest.description)
        #expect(try subject.request("GET", "/v2/b/blobs/\(digest)").body == bytes)
        for query in [
            "?mount=\(OCIDigest.of([1]))&from=a", "?mount=\(digest)&from=c", "?mount=\(digest)",
            "?mount=\(digest)&from=../a", "?mount=nothing&from=a",
        ] {
            #expect(try subject.request("POST", "/v2/d/blobs/uploads/\(query)").status == 202)
        }
        #expect(try subject.request("HEAD", "/v2/d/blobs/\(digest)").status == 404)
    }

    @Test("sha512 names blobs and manifests")
    func sha512() throws {
        let subject = try Subject()
        let digest = OCIDigest.of(bytes, .sha512)
        for query in ["", "?digest-algorithm=sha512"] {
            let place = try subject.begin("a", query)
            let answer = try subject.request("PUT", "\(place)?digest=\(digest)", body: bytes)
            #expect(answer.status == 201 && answer.headers["docker-content-digest"] == digest.description)
        }
        #expect(try subject.request("GET", "/v2/a/blobs/\(digest)").body == bytes)
        #expect(
            try subject.request("POST", "/v2/b/blobs/uploads/?mount=\(digest)&from=a").status == 201)
        let image = try subject.image("one", in: "a")
        let name = OCIDigest.of(image, .sha512)
        let answer = try subject.put(image, "\(name)?tag=big", in: "a")
        #expect(answer.status == 201 && answer.headers["docker-content-digest"] == name.description)
        for reference in [name.description, "big"] {
            let answer = try subject.request("GET", "/v2/a/manifests/\(reference)")
            #expect(answer.body == image && answer.headers["docker-content-digest"] == name.description)
        }
        #expect(try subject.request("DELETE", "/v2/a/manifests/\(name)").status == 202)
        #expect(try subject.request("GET", "/v2/a/manifests/\(name)").status == 404)
        #expect(try subject.request("GET", "/v2/a/manifests/big").status == 404)
        #expect(try subject.request("DELETE", "/v2/a/blobs/\(digest)").status == 202)
        #expect(try subject.request("GET", "/v2/a/blobs/\(digest)").status == 404)
        #expect(try subject.request("POST", "/v2/a/blobs/uploads/?digest-algorithm=md5").status == 400)
    }

    @Test("two requests do not write to one upload")
    func busy() throws {
        let subject = try Subject()
        let place = try subject.begin("a")
        let client = try HTTPClient(port: UInt16(subject.server.port))
        try client.send(
            Array("PATCH \(place) HTTP/1.1\r\nHost: a\r\nContent-Length: 20\r\n\r\n0123456789".utf8))
        var status = 204
        for _ in 0..<2000 where status == 204 { status = try subject.request("GET", place).status }
        #expect(status == 409)
        #expect(try subject.request("PATCH", place, body: [1]).status == 409)
        try client.send(Array("0123456789".utf8))
        #expect(try client.receive().headers["range"] == "0-19")
    }

    @Test("a larger blob than is allowed is 413, said at once or while it comes")
    func large() throws {
        let subject = try Subject { $0.largestBlob = 1000 }
        let answer = try subject.request("PATCH", try subject.begin("a"), body: bytes)
        #expect(answer.status == 413 && answer.code == "SIZE_INVALID")
        let client = try HTTPClient(port: UInt16(subject.server.port))
        let head = "PATCH \(try subject.begin("a")) HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
        try client.send(Array(head.utf8) + Array("7d0\r\n".utf8) + bytes[..<2000])
        #expect(try client.receive().status == 413)
    }
}
