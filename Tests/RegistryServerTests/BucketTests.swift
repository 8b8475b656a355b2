import Dispatch
import Glibc
import RegistryEngine
import Synchronization
import Testing
import VoltCore
import VoltOCI
import VoltS3
import VoltStore
import VoltSystem
import VoltTestKit

/// The registry on an S3 bucket.
@Suite(
    .timeLimit(.minutes(10)),
    .enabled(if: S3Server.isThere, "needs moto, which 'scripts/setup test' installs with pip"))
struct BucketTests {
    /// Two servers on one bucket.
    private final class Pair {
        let scratch: ScratchDirectory
        let backend: Backend
        var run: ToolRunner
        var options: [String] { ["--s3", "s3://bucket/reg", "--s3-endpoint", backend.endpoint] }

        init() throws {
            scratch = try ScratchDirectory()
            backend = try Backend(in: scratch.path)
            run = ToolRunner(scratch: scratch.path)
            run.environment.merge(Backend.environment) { $1 }
        }

        func server(_ name: String, _ more: String...) throws -> ServerProcess {
            let server = try ServerProcess(run, store: "\(scratch.path)/\(name)", options + more)
            try #require(server.port > 0, "\(server.said)")
            return server
        }

        @discardableResult
        func ok(_ words: [String]) throws -> String {
            let result = try run.run(words)
            try #require(result.status == 0, "\(words) \(result.stdout)\(result.stderr)")
            return result.stdout
        }

        func gc(_ words: String...) throws -> String {
            try ok(["volt-registry", "gc", "--store", "\(scratch.path)/gc"] + options + words)
        }

        /// The names of all objects.
        func keys() throws -> [String] {
            let bucket = try S3Bucket(
                "s3://bucket/reg", endpoint: backend.endpoint, region: "us-east-1",
                account: S3Bucket.Account(environment: Backend.environment))
            return try S3Client(bucket).list("").map(\.key)
        }
    }

    @Test(
        "skopeo pushes to one server, and copies, inspects and deletes at the other; collecting leaves nothing behind",
        .enabled(
            if: ["skopeo", "umoci"].allSatisfy { Files.exists("/usr/bin/\($0)") },
            "needs the packages skopeo and umoci"))
    func peers() throws {
        let pair = try Pair()
        let (one, two) = (try pair.server("one"), try pair.server("two"))
        try Files.makeDirectory("\(pair.scratch.path)/rootfs/etc")
        try Files.replace("\(pair.scratch.path)/rootfs/etc/motd", with: "hello\n".utf8)
        try pair.ok(["umoci", "init", "--layout", "img"])
        try pair.ok(["umoci", "new", "--image", "img:a"])
        try pair.ok(["umoci", "insert", "--image", "img:a", "rootfs", "/"])
        let (first, second) = (
            "docker://localhost:\(one.port)/team/web:1", "docker://localhost:\(two.port)/team/web:1"
        )
        try pair.ok(["skopeo", "copy", "--dest-tls-verify=false", "oci:img:a", first])
        try pair.ok(["skopeo", "copy", "--src-tls-verify=false", second, "oci:out:1"])
        let digest = try pair.ok(["volt-registry", "resolve", "oci:img:a"])
        #expect(try pair.ok(["volt-registry", "resolve", "oci:out:1"]) == digest)
        #expect(try pair.ok(["skopeo", "inspect", "--tls-verify=false", second]).contains(digest.dropLast()))
        let blobs = try pair.keys().filter { $0.hasPrefix("blobs/") }.count
        // The bytes are there once.
        try pair.ok([
            "skopeo", "copy", "--src-tls-verify=false", "--dest-tls-verify=false", first,
            "docker://localhost:\(two.port)/other/web:1",
        ])
        #expect(try pair.keys().filter { $0.hasPrefix("blobs/") }.count == blobs)
        #expect(try pair.gc("--grace", "0s").contains("0 blobs of the store"))
        try pair.ok(["skopeo", "copy", "--src-tls-verify=false", second, "oci:out:2"])
        for name in ["team", "other"] {
            try pair.ok([
                "skopeo", "delete", "--tls-verify=false", "docker://localhost:\(two.port)/\(name)/web:1",
            ])
        }
        #expect(try pair.run.run(["skopeo", "inspect", "--tls-verify=false", first]).status != 0)
        #expect(try pair.gc("--grace", "1h").contains("0 blobs of the store"))
        #expect(try pair.gc("--grace", "0s").contains("\(blobs) blobs of the store"))
        let left = try pair.keys()
        #expect(left.allSatisfy { $0.hasPrefix("names/") }, "\(left)")
    }

    @Test("tags beyond the newest, and manifests without a tag, go; what they share with others stays")
    func retention() throws {
        let scratch = try ScratchDirectory()
        try Backend.$current.withValue(try Backend(in: scratch.path)) {
            let subject = try Subject()
            for tag in ["v1", "v2", "v3"] { try subject.tag(tag, in: "a") }
            let bucket = try #require(subject.bucket)
            var rules = RetentionRules()
            rules.keepTags = 1
            rules.untagged = .seconds(3600)
            let now = Timestamp(milliseconds: SystemClock().now().milliseconds + 7_200_000)
            let dry = try bucket.collect(rules, now: now, dryRun: true)
            #expect(dry.tags.count == 2 && dry.manifests.count == 2)
            let result = try bucket.collect(rules, now: now, dryRun: false)
            #expect(result.tags.count == 2 && result.manifests.count == 2 && result.blobs == 4)
            #expect(result.store.removed == 4)
            let left = try subject.request("GET", "/v2/a/tags/list").text
            #expect(left.split(separator: "\"v").count == 2, "\(left)")
            let again = try bucket.collect(rules, now: now, dryRun: false)
            #expect(
                again.tags.isEmpty && again.manifests.isEmpty && again.blobs == 0 && again.store.removed == 0)
        }
    }

    @Test("tags that belong to an image are not counted on a bucket, and stay and go with it")
    func companions() throws {
        let scratch = try ScratchDirectory()
        try Backend.$current.withValue(try Backend(in: scratch.path)) {
            let subject = try Subject()
            let bucket = try #require(subject.bucket)
            try CollectionTests.companions(subject) {
                var rules = RetentionRules()
                rules.keepTags = 1
                rules.untagged = .seconds(3600)
                let now = Timestamp(milliseconds: SystemClock().now().milliseconds + 7_200_000)
                return try bucket.collect(rules, now: now, dryRun: false)
            }
        }
    }

    @Test("a bucket that cannot be used is told at the start, with what to do")
    func mistakes() throws {
        let pair = try Pair()
        func serve(_ words: String...) throws -> ToolRunner.Result {
            try pair.run.run(
                ["volt-registry", "serve", "--port", "0", "--store", "\(pair.scratch.path)/x"] + words)
        }
        let missing = try serve("--s3", "s3://nobody", "--s3-endpoint", pair.backend.endpoint)
        #expect(missing.status == 3 && missing.stderr.contains("NoSuchBucket"), "\(missing.stderr)")
        let nowhere = try serve("--s3", "s3://bucket", "--s3-endpoint", "http://127.0.0.1:1")
        #expect(nowhere.status == 75, "\(nowhere.stderr)")
        let both = try serve("--s3", "s3://bucket", "--upstream", "docker.io")
        #expect(both.status == 64)
        let lone = try serve("--s3-region", "eu-1")
        #expect(lone.status == 64)
        pair.run.environment["AWS_ACCESS_KEY_ID"] = nil
        let nobody = try serve("--s3", "s3://bucket", "--s3-endpoint", pair.backend.endpoint)
        #expect(nobody.status == 64 && nobody.stderr.contains("AWS_ACCESS_KEY_ID"), "\(nobody.stderr)")
    }

    /// Pushes images that share a layer, and deletes some again, until it is told to stop.
    private final class Pusher: Sendable {
        /// By tag, what was acknowledged and not deleted again.
        let acknowledged = Mutex<[String: OCIDigest]>([:])
        private let isStopping = Mutex(false)
        private let ended = DispatchSemaphore(value: 0)

        init(_ port: UInt16, _ name: String) {
            DispatchQueue(label: "pusher").async { [self] in
                var number = 0
                while !isStopping.withLock({ $0 }), push(port, name, number) { number += 1 }
                ended.signal()
            }
        }

        func stop() {
            isStopping.withLock { $0 = true }
            ended.wait()
        }

        /// False when the server did not answer.
        private func push(_ port: UInt16, _ name: String, _ number: Int) -> Bool {
            do {
                let client = try HTTPClient(port: port, timeoutSeconds: 30)
                let tag = "\(name)-\(number)"
                let (config, layer) = (Array("{\"tag\":\"\(tag)\"}".utf8), Array("the layer of all".utf8))
                for blob in [config, layer] {
                    let path = "/v2/k/blobs/uploads/?digest=\(OCIDigest.of(blob))"
                    _ = try client.request("POST", path, body: blob)
                }
                let manifest = Array(
                    """
                    {"schemaVersion":2,"config":{"mediaType":"\(OCIMediaType.config)","digest":\
                    "\(OCIDigest.of(config))","size":\(config.count)},"layers":[{"mediaType":\
                    "\(OCIMediaType.layer)","digest":"\(OCIDigest.of(layer))","size":\(layer.count)}]}
                    """.utf8)
                let answer = try client.request(
                    "PUT", "/v2/k/manifests/\(tag)", headers: [("Content-Type", OCIMediaType.manifest)],
                    body: manifest)
                // Collected meanwhile: the client would push the blobs again.
                guard answer.status == 201 else { return true }
                acknowledged.withLock { $0[tag] = OCIDigest.of(manifest) }
                // Most go again, so that the shared layer is now and then nobody's.
                let gone = acknowledged.withLock { known in
                    number % 5 == 0 ? nil : known.removeValue(forKey: tag)
                }
                if let gone { _ = try client.request("DELETE", "/v2/k/manifests/\(gone)") }
                return true
            } catch { return false }
        }
    }

    @Test(
        "two servers and their collections on one bucket, killed at any time, lose nothing that was acknowledged"
    )
    func killed() throws {
        let pair = try Pair()
        let rounds = Environment.current["VOLT_SOAK_ROUNDS"].flatMap { Int($0) } ?? 3
        var acknowledged: [String: OCIDigest] = [:]
        var collections = (killed: 0, ended: 0)
        for round in 0..<rounds {
            let servers = [try pair.server("one"), try pair.server("two")]
            let pushers = servers.enumerated().map { Pusher($1.port, "r\(round)-\($0)") }
            for turn in 0..<4 {
                let children = try (0..<2).map { number in
                    try Processes.spawnDetached(
                        "\(ToolRunner.products)/volt-registry",
                        ["gc", "--store", "\(pair.scratch.path)/gc\(number)", "--grace", "0s"] + pair.options,
                        environment: pair.run.environment, descriptors: [:])
                }
                usleep(UInt32.random(in: 50_000...600_000))
                for child in children {
                    // Some of them come to their end.
                    if turn < 3 { kill(child, SIGKILL) }
                    var status: Int32 = 0
                    while waitpid(child, &status, 0) < 0, errno == EINTR {}
                    if status & 127 != 0 { collections.killed += 1 } else { collections.ended += 1 }
                }
            }
            servers[0].end(SIGKILL)
            for pusher in pushers {
                pusher.stop()
                acknowledged.merge(pusher.acknowledged.withLock { $0 }) { $1 }
            }
        }
        print(
            "\(acknowledged.count) pushes kept, \(collections.killed) collections killed, \(collections.ended) ended"
        )
        try #require(acknowledged.count > rounds && collections.killed > 0 && collections.ended > 0)
        _ = try pair.gc("--grace", "0s")
        let server = try pair.server("three")
        let client = try HTTPClient(port: server.port, timeoutSeconds: 30)
        for (tag, digest) in acknowledged {
            let manifest = try client.request("GET", "/v2/k/manifests/\(tag)")
            try #require(
                manifest.status == 200 && OCIDigest.of(manifest.body) == digest, "\(tag) \(manifest.text)")
            for blob in try OCIDocument(manifest.body).blobs {
                let answer = try client.request("GET", "/v2/k/blobs/\(blob.digest)")
                #expect(answer.status == 200 && "\(OCIDigest.of(answer.body))" == blob.digest, "\(tag)")
            }
        }
    }
}
