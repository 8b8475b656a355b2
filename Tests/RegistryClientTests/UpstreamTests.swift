import Glibc
import Synchronization
import Testing
import VoltCore
import VoltOCI
import VoltServer
import VoltSystem
import VoltTestKit

/// A registry that keeps repositories of others.
@Suite(
    .timeLimit(.minutes(3)),
    .enabled(
        if: ["docker-registry", "skopeo", "umoci", "htpasswd", "curl"].allSatisfy {
            Files.exists("/usr/bin/\($0)")
        },
        "needs the packages docker-registry, skopeo, umoci, apache2-utils and curl"))
struct UpstreamTests {
    /// A registry with an image, and another one that keeps repositories of it.
    private final class Pair {
        let origin: Bench
        let front: Front

        init(_ kind: Kind, _ options: [String] = []) throws {
            origin = try Bench(kind, hasLogins: true)
            let host = origin.host
            try origin.ok(
                "volt-registry", "login", "--auth-file", "auth.json", "--username", "alice",
                "--password-stdin", host, input: "secret word\n")
            try origin.image()
            try origin.ok(
                "volt-registry", "copy", "--auth-file", "auth.json", "oci:img:a", "\(host)/team/web:1")
            front = try Front(
                origin,
                ["--upstream", "kept=\(host)", "--upstream-auth-file", "\(origin.scratch.path)/auth.json"]
                    + options)
        }
    }

    /// The registry in front.
    private final class Front {
        let port: UInt16
        private let pid: Int32
        private let bench: Bench

        init(_ bench: Bench, _ options: [String], store: String? = nil) throws {
            self.bench = bench
            port = LoopbackPort.free()
            let log = creat("\(bench.scratch.path)/front.log", 0o600)
            defer { close(log) }
            pid = try Processes.spawnDetached(
                "\(ToolRunner.products)/volt-registry",
                ["serve", "--port", "\(port)", "--store", store ?? "\(bench.scratch.path)/front"]
                    + options,
                environment: bench.run.environment, descriptors: [1: log, 2: log])
            for _ in 0..<1000 {
                if (try? get("/v2/"))?.status == 200 { return }
                usleep(10_000)
            }
            Issue.record("the registry in front does not answer: \(said)")
        }

        var said: String {
            (try? Files.read("\(bench.scratch.path)/front.log")).map { String(decoding: $0, as: UTF8.self) }
                ?? ""
        }

        deinit {
            kill(pid, SIGKILL)
            waitpid(pid, nil, 0)
        }

        func get(_ path: String, _ method: String = "GET", headers: [(String, String)] = []) throws
            -> HTTPClient.Answer
        {
            try HTTPClient(port: port, timeoutSeconds: 20).request(method, path, headers: headers)
        }

        var host: String { "localhost:\(port)" }
    }

    @Test(
        "an image of another registry comes through, is kept, and is there when that one is gone",
        arguments: Kind.allCases)
    func kept(kind: Kind) throws {
        let pair = try Pair(kind)
        let (origin, front) = (pair.origin, pair.front)
        let image = "docker://\(front.host)/kept/team/web:1"
        _ = try origin.skopeo("copy", "--src-tls-verify=false", image, "oci:first:1")
        let digest = try origin.ok("volt-registry", "resolve", "oci:img:a").dropLast()
        #expect(try origin.ok("volt-registry", "resolve", "oci:first:1").dropLast() == digest)
        #expect(try front.get("/v2/kept/team/web/tags/list").text.contains("\"tags\":[\"1\"]"))
        // As containerd asks.
        let proxied = try front.get("/v2/team/web/manifests/1?ns=\(origin.host)", "HEAD")
        #expect(proxied.headers["docker-content-digest"] == String(digest))
        #expect(proxied.headers["oci-namespace"] == origin.host)
        for (path, code) in [
            ("team/web/manifests/none", "MANIFEST_UNKNOWN"), ("no/tags/list", "NAME_UNKNOWN"),
        ] {
            let answer = try front.get("/v2/kept/\(path)")
            #expect(answer.status == 404 && answer.text.contains(code), "\(answer.text)")
        }
        let refused = try front.get("/v2/kept/team/web/blobs/uploads/", "POST")
        #expect(refused.status == 405 && refused.text.contains("push it there"))
        origin.stop()
        _ = try origin.skopeo("copy", "--src-tls-verify=false", image, "oci:second:1")
        #expect(try origin.ok("volt-registry", "resolve", "oci:second:1").dropLast() == digest)
        let other = try front.get("/v2/kept/team/other/manifests/1")
        #expect(other.status == 503, "\(other.status) \(other.text)")
        #expect(front.said.contains("error: "), "\(front.said)")
        #expect(!front.said.contains("secret word"))
    }

    @Test(
        "a tag that moved there moves here, and one that is gone there is gone here", arguments: Kind.allCases
    )
    func moved(kind: Kind) throws {
        let pair = try Pair(kind, ["--upstream-fresh", "0s"])
        let (origin, front) = (pair.origin, pair.front)
        func digest(_ tag: String) throws -> String? {
            let answer = try front.get("/v2/kept/team/web/manifests/\(tag)", "HEAD")
            return answer.status == 200 ? answer.headers["docker-content-digest"] : nil
        }
        let first = try digest("1")
        try Files.replace("\(origin.scratch.path)/rootfs/etc/motd", with: "another\n".utf8)
        try origin.ok("umoci", "insert", "--image", "img:a", "rootfs", "/")
        try origin.ok(
            "volt-registry", "copy", "--auth-file", "auth.json", "oci:img:a", "\(origin.host)/team/web:1")
        let second = try digest("1")
        #expect(first != nil && second != nil && first != second)
        try origin.ok(
            "volt-registry", "manifest", "delete", "--force", "--auth-file", "auth.json",
            "\(origin.host)/team/web:1")
        #expect(try digest("1") == nil)
        // By digest it is still kept.
        #expect(try digest(try #require(second)) == second)
        origin.stop()
        #expect(try digest("1") == nil)
        let stale = try front.get("/v2/kept/team/web/manifests/\(try #require(first))")
        #expect(stale.status == 200 && stale.headers["warning"] == nil)
    }

    @Test("when the other registry cannot be reached, an answer by tag says that it is what was kept")
    func stale() throws {
        let pair = try Pair(.docker, ["--upstream-fresh", "0s"])
        #expect(try pair.front.get("/v2/kept/team/web/manifests/1").headers["warning"] == nil)
        pair.origin.stop()
        let answer = try pair.front.get("/v2/kept/team/web/manifests/1")
        #expect(answer.status == 200)
        #expect(
            answer.headers["warning"]?.hasPrefix("299 - \"\(pair.origin.host) cannot be reached") ?? false)
        let numbers = try pair.front.get("/metrics").text
        #expect(numbers.contains("outcome=\"stale\"} 1") && numbers.contains("outcome=\"fetched\"} 1"))
    }

    @Test("what nobody asked for goes, the oldest first, and comes again when it is asked for")
    func collection() throws {
        let pair = try Pair(.docker)
        let (origin, front) = (pair.origin, pair.front)
        try Files.replace("\(origin.scratch.path)/rootfs/etc/motd", with: "another\n".utf8)
        try origin.ok("umoci", "insert", "--image", "img:a", "rootfs", "/")
        try origin.ok(
            "volt-registry", "copy", "--auth-file", "auth.json", "oci:img:a", "\(origin.host)/team/web:2")
        for tag in ["1", "2"] {
            try origin.ok("volt-registry", "copy", "\(front.host)/kept/team/web:\(tag)", "oci:out:\(tag)")
        }
        let first = try origin.ok("volt-registry", "resolve", "oci:out:1").dropLast()
        let kept = "\(origin.scratch.path)/front/references/registry/kept/team/web"
        for directory in ["_manifests", "_blobs"] {
            for name in try Files.list("\(kept)/\(directory)") {
                let age = time(nil) - (name == first ? 86_400 * 3 : 86_400 * 2)
                let times = [timespec(tv_sec: age, tv_nsec: 0), timespec(tv_sec: age, tv_nsec: 0)]
                try #require(utimensat(AT_FDCWD, "\(kept)/\(directory)/\(name)", times, 0) == 0)
            }
        }
        func gc(_ words: String...) throws -> String {
            try origin.ok(["volt-registry", "gc", "--store", "front", "-o", "json"] + words)
        }
        let nothing = try gc("--dry-run", "--keep-tags", "1", "--untagged", "1s", "--upstream-keep", "4d")
        #expect(nothing.contains("\"manifests\" : [\n\n  ]"), "\(nothing)")
        #expect(try gc("--dry-run", "--upstream-size", "1G").contains("\"manifests\" : [\n\n  ]"))
        let all = try gc("--dry-run", "--upstream-size", "1")
        #expect(all.split(separator: "@").count == 3, "\(all)")
        let one = try gc("--upstream-keep", "60h")
        #expect(one.contains("kept/team/web@\(first)") && one.split(separator: "@").count == 2, "\(one)")
        #expect(one.contains("\"blobs\" : 1"), "the configuration of the older image alone: \(one)")
        try origin.ok("volt-registry", "copy", "\(front.host)/kept/team/web:1", "oci:again:1")
    }

    @Test("a blob is sent while it comes, to all who ask, and is fetched once")
    func streamed() throws {
        let bench = try Bench(.volt)
        let blob = (0..<3_000_000).map { UInt8(truncatingIfNeeded: $0 &* 7919 >> 3) }
        let origin = try SlowOrigin(blob, at: bench.scratch.path)
        let front = try Front(bench, ["--upstream", "slow=localhost:\(origin.port)"])
        let url = "http://\(front.host)/v2/slow/a/blobs/\(OCIDigest.of(blob))"
        origin.growth.reach(2_000_000)
        var clients: [Int32] = []
        for name in ["one", "two"] {
            clients.append(
                try Processes.spawnDetached(
                    "/usr/bin/curl", ["-sS", "-N", "-o", "\(bench.scratch.path)/\(name)", url],
                    environment: bench.run.environment, descriptors: [:]))
        }
        func size(_ name: String) -> Int { (try? Files.read("\(bench.scratch.path)/\(name)"))?.count ?? 0 }
        for _ in 0..<1000 where size("one") < 1_900_000 || size("two") < 1_900_000 { usleep(10_000) }
        #expect(size("one") >= 1_900_000 && size("two") >= 1_900_000)
        #expect(size("one") < blob.count)
        origin.growth.reach(UInt64(blob.count))
        for pid in clients {
            var status: Int32 = 0
            #expect(waitpid(pid, &status, 0) == pid && status == 0)
        }
        for name in ["one", "two"] { #expect(try Files.read("\(bench.scratch.path)/\(name)") == blob) }
        let part = try front.get(
            "/v2/slow/a/blobs/\(OCIDigest.of(blob))", headers: [("Range", "bytes=1000-1999")])
        #expect(part.status == 206 && part.body == Array(blob[1000..<2000]))
        #expect(origin.gets.number.withLock { $0 } == 1)
        #expect(try front.get("/v2/slow/a/blobs/\(OCIDigest.of(blob))").body == blob)
        #expect(origin.gets.number.withLock { $0 } == 1)
    }

    @Test(
        "a size that no file has, or above --max-blob, is refused before the answer, each time it is asked for",
        arguments: [UInt64(Int64.max) + 1, .max, 2_000_000])
    func sizes(size: UInt64) throws {
        let bench = try Bench(.volt)
        let origin = try HTTPServer(
            address: "127.0.0.1", port: 0,
            routes: [
                HTTPRoute(streamed: "/v2/**") { _ in
                    var response = HTTPResponse(200, headers: [])
                    response.length = size
                    return .answer(response)
                }
            ], limits: HTTPLimits(), threads: 1, tls: nil, report: { _ in })
        defer { origin.stop() }
        let limit = size == 2_000_000 ? ["--max-blob", "1M"] : []
        let front = try Front(bench, ["--upstream", "big=localhost:\(origin.port)"] + limit)
        for method in ["HEAD", "GET", "GET", "GET", "HEAD"] {
            let answer = try front.get("/v2/big/a/blobs/\(OCIDigest.of([1]))", method)
            #expect(answer.status == 502, "\(method): \(answer.text)")
        }
        #expect(try front.get("/metrics").text.contains("volt_registry_upstream_requests_total"))
    }

    @Test("bytes that are not those of the digest are never given whole, and are not kept")
    func wrong() throws {
        let bench = try Bench(.volt)
        let blob = [UInt8](repeating: 7, count: 100_000)
        let origin = try SlowOrigin(blob, at: bench.scratch.path)
        origin.growth.reach(UInt64(blob.count))
        let front = try Front(bench, ["--upstream", "slow=localhost:\(origin.port)"])
        let path = "/v2/slow/a/blobs/\(OCIDigest.of([1]))"
        for headers in [[], [("Range", "bytes=0-99")], [("Range", "bytes=0-999999")]] {
            #expect(throws: HTTPClient.Failure.self) { try front.get(path, headers: headers) }
        }
        #expect(try Files.list("\(bench.scratch.path)/front/references/registry/slow/a/_blobs").isEmpty)
        #expect(try Files.list("\(bench.scratch.path)/front/references/registry/slow/a/_uploads").isEmpty)
        #expect(front.said.contains("other bytes than blob"), "\(front.said)")
    }

    @Test(
        "a repository that was pushed here stays what it is, and nothing is made for names that are not there"
    )
    func own() throws {
        let bench = try Bench(.volt)
        try bench.image()
        // By the directory: the registry of the bench goes on with it.
        let store = "\(bench.scratch.path)/store"
        try bench.ok("volt-registry", "copy", "-q", "oci:img:a", "\(bench.host)/up/team/web:1")
        let origin = try Bench(.docker)
        let front = try Front(
            bench, ["--upstream", "up=\(origin.host)", "--upstream-fresh", "0s"], store: store)
        #expect(try front.get("/v2/up/team/web/manifests/1").status == 200)
        #expect(try front.get("/v2/up/team/web/manifests/2").status == 404)
        #expect(try front.get("/v2/up/team/web/blobs/\(OCIDigest.of([9]))").status == 404)
        #expect(try front.get("/v2/up/team/web/blobs/uploads/", "POST").status == 202)
        #expect(!Files.exists("\(store)/references/registry/up/team/web/_upstream"))
        for number in 0..<3 {
            #expect(try front.get("/v2/up/no/such\(number)/blobs/\(OCIDigest.of([9]))").status == 404)
            #expect(try front.get("/v2/up/no/such\(number)/manifests/1").status == 404)
        }
        #expect(!Files.exists("\(store)/references/registry/up/no"))
        // Of another registry the name means something else.
        #expect(try front.get("/v2/team/web/manifests/1?ns=quay.io").status == 404)
    }

    @Test(
        "what is no upstream is refused",
        arguments: ["", "=", "a=", "UP=docker.io", "localhost:5000", "a=docker.io/../b", "a=docker.io?x"])
    func rules(text: String) throws {
        let bench = try Bench(.volt)
        let result = try bench.volt("serve", "--port", "0", "--store", "front", "--upstream", text)
        #expect(result.status == 64, "\(result.status) \(result.stderr)")
    }
}

/// A registry that has one blob under every digest, and sends it as it is let.
private final class SlowOrigin: Sendable {
    let growth = HTTPGrowth()
    let gets = Count()
    private let server: HTTPServer
    var port: Int { server.port }

    init(_ blob: [UInt8], at directory: String) throws {
        let path = "\(directory)/origin"
        try Files.replace(path, with: blob)
        let (growth, gets) = (growth, gets)
        server = try HTTPServer(
            address: "127.0.0.1", port: 0,
            routes: [
                HTTPRoute(streamed: "/v2/**") { request in
                    var response = HTTPResponse(200, headers: [])
                    if request.method == "HEAD" {
                        response.length = UInt64(blob.count)
                    } else if request.path.contains("/blobs/") {
                        gets.number.withLock { $0 += 1 }
                        response.file = HTTPFile(
                            descriptor: open(path, O_RDONLY), offset: 0, count: UInt64(blob.count),
                            growth: growth)
                    }
                    return .answer(response)
                }
            ], limits: HTTPLimits(), threads: 1, tls: nil, report: { _ in })
    }

    deinit { server.stop() }

    final class Count: Sendable {
        let number = Mutex(0)
    }
}
