import Glibc
import RegistryEngine
import Testing
import VoltCore
import VoltOCI
import VoltStore
import VoltSystem
import VoltTestKit

@Suite(.timeLimit(.minutes(2))) struct CollectionTests {
    /// A day from now: everything is old, and the store keeps nothing of its own accord.
    private func collect(
        _ subject: Subject, dryRun: Bool = false, _ change: (inout RetentionRules) -> Void = { _ in }
    ) throws -> CollectionResult {
        var rules = RetentionRules()
        change(&rules)
        let now = Timestamp(milliseconds: SystemClock().now().milliseconds + 86_400_000 * 2)
        var result = try subject.storage.collect(rules, now: now, dryRun: dryRun)
        // The store looks at the clock of its file system.
        result.store = try subject.storage.store.collectGarbage(grace: .zero, dryRun: dryRun)
        return result
    }

    private func has(_ subject: Subject, _ path: String) throws -> Bool {
        try subject.request("HEAD", "/v2/\(path)").status == 200
    }

    @Test("what a manifest names stays, and what none names goes")
    func blobs() throws {
        let subject = try Subject()
        let image = try subject.tag("v1", in: "a")
        let loose = try subject.push([1, 2, 3], to: "a")
        let layer = OCIDigest.of(Array("layer v1".utf8))
        let seen = try collect(subject, dryRun: true)
        #expect(seen.blobs == 1 && seen.manifests.isEmpty)
        #expect(try has(subject, "a/blobs/\(loose)"))
        let result = try collect(subject)
        #expect(result.blobs == 1 && result.store.removed == 1)
        #expect(try !has(subject, "a/blobs/\(loose)"))
        #expect(try has(subject, "a/blobs/\(layer)") && has(subject, "a/manifests/\(image)"))
        #expect(try !subject.storage.store.has(try #require(loose.sha256)))
    }

    @Test("the bytes of a blob go when the last repository lets it go")
    func shared() throws {
        let subject = try Subject()
        try subject.tag("v1", in: "a")
        try subject.tag("v1", in: "b")
        let layer = try #require(OCIDigest.of(Array("layer v1".utf8)).sha256)
        let image = try subject.request("HEAD", "/v2/a/manifests/v1").headers["docker-content-digest"] ?? ""
        #expect(try subject.request("DELETE", "/v2/a/manifests/\(image)").status == 202)
        #expect(try collect(subject).store.removed == 0)
        #expect(try !has(subject, "a/blobs/\(layer)") && has(subject, "b/blobs/\(layer)"))
        #expect(try subject.request("DELETE", "/v2/b/manifests/\(image)").status == 202)
        #expect(try collect(subject).store.removed == 3)
        #expect(try !subject.storage.store.has(layer))
    }

    @Test("within the grace period a blob without a manifest stays, and so does one that was asked for")
    func grace() throws {
        let subject = try Subject()
        let old = try subject.push([1], to: "a")
        let asked = try subject.push([2], to: "a")
        for digest in [old, asked] {
            var times = [
                timespec(tv_sec: time(nil) - 7200, tv_nsec: 0),
                timespec(tv_sec: time(nil) - 7200, tv_nsec: 0),
            ]
            utimensat(AT_FDCWD, "\(subject.store)/references/registry/a/_blobs/\(digest)", &times, 0)
        }
        let young = try subject.push([3], to: "a")
        #expect(try has(subject, "a/blobs/\(asked)"))
        let result = try subject.storage.collect(RetentionRules(), now: SystemClock().now(), dryRun: false)
        #expect(result.blobs == 1)
        #expect(try !has(subject, "a/blobs/\(old)"))
        #expect(try has(subject, "a/blobs/\(asked)") && has(subject, "a/blobs/\(young)"))
    }

    @Test("the newest tags stay, and manifests without one go with what is about them")
    func retention() throws {
        let subject = try Subject()
        var images: [OCIDigest] = []
        for number in 0..<4 {
            images.append(try subject.tag("v\(number)", in: "a"))
            var times = [
                timespec(tv_sec: 1_000_000 + number, tv_nsec: 0),
                timespec(tv_sec: 1_000_000 + number, tv_nsec: 0),
            ]
            utimensat(AT_FDCWD, "\(subject.store)/references/registry/a/_tags/v\(number)", &times, 0)
        }
        var about: [OCIDigest] = []
        for image in [images[0], images[3]] {
            let text = "\"subject\":{\"mediaType\":\"x/y\",\"digest\":\"\(image)\",\"size\":7},"
            let manifest = try subject.image("about \(image.hex.prefix(4))", in: "a", more: text)
            about.append(OCIDigest.of(manifest))
            try #require(try subject.put(manifest, "\(OCIDigest.of(manifest))", in: "a").status == 201)
        }
        let index = Array(
            """
            {"schemaVersion":2,"mediaType":"\(OCIMediaType.index)","manifests":[\
            {"mediaType":"\(OCIMediaType.manifest)","digest":"\(images[1])","size":3}]}
            """.utf8)
        try #require(try subject.put(index, "all", in: "a", type: OCIMediaType.index).status == 201)
        let seen = try collect(subject, dryRun: true) {
            $0.keepTags = 2
            $0.untagged = .seconds(60)
        }
        let result = try collect(subject) {
            $0.keepTags = 2
            $0.untagged = .seconds(60)
        }
        #expect(seen.tags == result.tags && seen.manifests == result.manifests && seen.blobs == result.blobs)
        #expect(result.tags == ["a:v2", "a:v1", "a:v0"].sorted().reversed())
        #expect(Set(result.manifests) == Set(["a@\(images[0])", "a@\(images[2])", "a@\(about[0])"]))
        // The index is the newest, and lists the second.
        for digest in [images[1], images[3], about[1]] { #expect(try has(subject, "a/manifests/\(digest)")) }
        #expect(try subject.request("GET", "/v2/a/tags/list").text.contains("[\"all\",\"v3\"]"))
        #expect(try has(subject, "a/blobs/\(OCIDigest.of(Array("layer v1".utf8)))"))
        #expect(try !has(subject, "a/blobs/\(OCIDigest.of(Array("layer v2".utf8)))"))
    }

    /// What a manifest with these tags leaves beside it: the rules are those of a collection that keeps one name.
    static func companions(_ subject: Subject, _ collect: () throws -> CollectionResult) throws {
        let old = try subject.tag("v1", in: "a", text: "one")
        // A bucket tells times in whole seconds.
        if subject.bucket != nil { usleep(1_100_000) }
        let new = try subject.tag("v2", in: "a", text: "two")
        func tag(_ digest: OCIDigest, _ suffix: String) -> String { "sha256-\(digest.hex)\(suffix)" }
        var companions: [OCIDigest: [OCIDigest]] = [:]
        for image in [old, new] {
            for suffix in [".sig", ".att", ".sbom"] {
                companions[image, default: []].append(try subject.tag(tag(image, suffix), in: "a"))
            }
            let listed = try subject.image("listed \(image)", in: "a")
            try #require(try subject.put(listed, "\(OCIDigest.of(listed))", in: "a").status == 201)
            let list = Array(
                """
                {"schemaVersion":2,"mediaType":"\(OCIMediaType.index)","manifests":[\
                {"mediaType":"\(OCIMediaType.manifest)","digest":"\(OCIDigest.of(listed))","size":\(listed.count)}]}
                """.utf8)
            try #require(
                try subject.put(list, tag(image, ""), in: "a", type: OCIMediaType.index).status == 201)
            companions[image, default: []] += [OCIDigest.of(list), OCIDigest.of(listed)]
        }
        let result = try collect()
        let suffixes = ["", ".att", ".sbom", ".sig"]
        #expect(Set(result.tags) == Set(["a:v1"] + suffixes.map { "a:\(tag(old, $0))" }))
        #expect(
            Set(result.manifests) == Set(([old] + companions[old, default: []]).map { "a@\($0)" }))
        for digest in [new] + companions[new, default: []] {
            #expect(try subject.request("HEAD", "/v2/a/manifests/\(digest)").status == 200)
        }
        let left = try subject.request("GET", "/v2/a/tags/list").text
        for name in ["v2"] + suffixes.map({ tag(new, $0) }) { #expect(left.contains("\"\(name)\"")) }
        #expect(!left.contains(old.hex))
        // A request that deletes an image takes them along as well.
        #expect(try subject.request("DELETE", "/v2/a/manifests/\(new)").status == 202)
        #expect(try !subject.request("GET", "/v2/a/tags/list").text.contains("sha256-"))
    }

    @Test("tags that belong to an image are not counted, and stay and go with it")
    func companions() throws {
        let subject = try Subject()
        try Self.companions(subject) {
            try collect(subject) {
                $0.keepTags = 1
                $0.untagged = .seconds(60)
            }
        }
    }

    @Test("an upload that brought nothing for a day is given up, and one that is under way is not")
    func uploads() throws {
        let subject = try Subject()
        let place = try subject.begin("a")
        let client = try HTTPClient(port: UInt16(subject.server.port))
        let head =
            "PATCH \(try subject.begin("a")) HTTP/1.1\r\nHost: a\r\nContent-Length: 20\r\n\r\n0123456789"
        try client.send(Array(head.utf8))
        var count = 0
        for _ in 0..<1000 where count == 0 {
            count = try Files.list("\(subject.store)/references/registry/a/_uploads").filter { name in
                (try? Files.read("\(subject.store)/references/registry/a/_uploads/\(name)").count) == 10
            }.count
        }
        #expect(try collect(subject).uploads == 1)
        #expect(try subject.request("GET", place).status == 404)
        try client.send(Array("0123456789".utf8))
        #expect(try client.receive().status == 202)
    }

    @Test("what killed processes left goes, and what is under way stays")
    func leftovers() throws {
        let subject = try Subject()
        let image = try subject.tag("v1", in: "a")
        let root = "\(subject.store)/references/registry"
        try Files.makeDirectory("\(root)/_bare")
        let left = ["a/_new-7", "a/_blobs/\(image).1.2.tmp", "a/_manifests/\(image).1.2.tmp", "_bare/77"]
        for name in left { try Files.replace("\(root)/\(name)", with: [1]) }
        let now = SystemClock().now()
        _ = try subject.storage.collect(RetentionRules(), now: now, dryRun: false)
        #expect(left.allSatisfy { Files.exists("\(root)/\($0)") })
        _ = try collect(subject, dryRun: true)
        #expect(left.allSatisfy { Files.exists("\(root)/\($0)") })
        _ = try collect(subject)
        #expect(left.allSatisfy { !Files.exists("\(root)/\($0)") })
        #expect(try has(subject, "a/manifests/v1"))
    }

    @Test("a manifest that is pushed while blobs are collected has all of its blobs, or is refused")
    func beside() throws {
        let subject = try Subject()
        let done = Flag()
        let thread = Collector(subject.storage, done)
        var refused = 0
        for number in 0..<60 {
            let image = try subject.image("number \(number)", in: "a")
            let answer = try subject.put(image, "t\(number)", in: "a")
            if answer.status == 404 {
                refused += 1
                continue
            }
            #expect(answer.status == 201)
        }
        done.set()
        thread.join()
        for number in 0..<60 {
            let manifest = try subject.request("GET", "/v2/a/manifests/t\(number)")
            guard manifest.status == 200 else { continue }
            for blob in try OCIDocument(manifest.body).blobs {
                #expect(try has(subject, "a/blobs/\(blob.digest)"), "t\(number)")
            }
        }
        #expect(thread.rounds > 1 && refused < 60)
    }
}
