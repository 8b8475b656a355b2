import Dispatch
import Glibc
import RegistryEngine
import Synchronization
import Testing
import VoltOCI
import VoltStore
import VoltSystem
import VoltTestKit

@Suite(.timeLimit(.minutes(10))) struct KillTests {
    /// Pushes images until the server is gone, and keeps the tags that were acknowledged.
    private final class Pusher: Sendable {
        let acknowledged = Mutex<[String: OCIDigest]>([:])
        private let isOver = Mutex(false)

        init(_ port: UInt16, _ name: String) {
            DispatchQueue(label: "pusher").async { [self] in
                var number = 0
                while push(port, "\(name)-\(number)") { number += 1 }
                isOver.withLock { $0 = true }
            }
        }

        func join() { while !isOver.withLock({ $0 }) { usleep(1000) } }

        /// False when the server did not answer.
        private func push(_ port: UInt16, _ tag: String) -> Bool {
            do {
                let client = try HTTPClient(port: port, timeoutSeconds: 20)
                let size = Int.random(in: 10...200_000)
                let layer = [UInt8](unsafeUninitializedCapacity: size) { buffer, count in
                    for index in 0..<size {
                        buffer[index] = UInt8(truncatingIfNeeded: index &* 31 &+ tag.hashValue)
                    }
                    count = size
                }
                let config = Array("{\"tag\":\"\(tag)\"}".utf8)
                for blob in [layer, config] {
                    let digest = OCIDigest.of(blob)
                    let place = try client.request("POST", "/v2/k/blobs/uploads/").headers["location"] ?? ""
                    // In two parts, so that half of one is there now and then.
                    _ = try client.request("PATCH", place, body: Array(blob.prefix(blob.count / 2)))
                    _ = try client.request(
                        "PUT", "\(place)?digest=\(digest)", body: Array(blob.dropFirst(blob.count / 2)))
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
                if answer.status == 201 { acknowledged.withLock { $0[tag] = OCIDigest.of(manifest) } }
                return true
            } catch { return false }
        }
    }

    @Test("kill -9 of the server and of collections, at any time, loses nothing that was acknowledged")
    func killed() throws {
        let scratch = try ScratchDirectory()
        let run = ToolRunner(scratch: scratch.path)
        let store = "\(scratch.path)/store"
        let rounds = Environment.current["VOLT_SOAK_ROUNDS"].flatMap { Int($0) } ?? 6
        var acknowledged: [String: OCIDigest] = [:]
        var killedCollections = 0
        for round in 0..<rounds {
            let server = try ServerProcess(run, store: store)
            try #require(server.port > 0, "\(server.said)")
            let pushers = (0..<3).map { Pusher(server.port, "r\(round)-\($0)") }
            let collection = try Processes.spawnDetached(
                "\(ToolRunner.products)/volt-registry", ["gc", "--store", store, "--grace", "1s"],
                environment: run.environment, descriptors: [:])
            usleep(UInt32.random(in: 5_000...60_000))
            kill(collection, SIGKILL)
            usleep(UInt32.random(in: 20_000...250_000))
            server.end(SIGKILL)
            var status: Int32 = 0
            while waitpid(collection, &status, 0) < 0, errno == EINTR {}
            if status & 127 != 0 { killedCollections += 1 }
            for pusher in pushers {
                pusher.join()
                acknowledged.merge(pusher.acknowledged.withLock { $0 }) { $1 }
            }
        }
        print(
            "\(acknowledged.count) pushes acknowledged, \(killedCollections) of \(rounds) collections killed")
        try #require(acknowledged.count > rounds)
        // Leftovers go, and nothing else.
        let gc = try run("volt-registry", "gc", "--store", store, "--grace", "0s", "--uploads", "0s")
        #expect(gc.status == 0, "\(gc.stderr)")
        let server = try ServerProcess(run, store: store)
        let client = try HTTPClient(port: server.port, timeoutSeconds: 20)
        for (tag, digest) in acknowledged {
            let manifest = try client.request("GET", "/v2/k/manifests/\(tag)")
            try #require(manifest.status == 200 && OCIDigest.of(manifest.body) == digest, "\(tag)")
            for blob in try OCIDocument(manifest.body).blobs {
                let answer = try client.request("GET", "/v2/k/blobs/\(blob.digest)")
                #expect(answer.status == 200 && "\(OCIDigest.of(answer.body))" == blob.digest, "\(tag)")
            }
        }
        var options = VerifyOptions()
        options.readsData = true
        #expect(try ContentStore.open(store).verify(options).isSound)
        #expect(try Files.list("\(store)/references/registry/k/_uploads").isEmpty)
    }

    @Test(
        "on a full disk a push fails with 507, what was there stays, and pushes work when there is room again"
    )
    func fullDisk() throws {
        try #require(geteuid() == 0)
        let scratch = try ScratchDirectory()
        let run = ToolRunner(scratch: scratch.path)
        let disk = "\(scratch.path)/disk"
        try Files.makeDirectory(disk)
        try #require(try run("mount", "-t", "tmpfs", "-o", "size=12m", "tmpfs", disk).status == 0)
        defer { umount2(disk, Int32(MNT_DETACH)) }
        let server = try ServerProcess(run, store: "\(disk)/store")
        func push(_ blob: [UInt8]) throws -> HTTPClient.Answer {
            let client = try HTTPClient(port: server.port, timeoutSeconds: 20)
            return try client.request("POST", "/v2/a/blobs/uploads/?digest=\(OCIDigest.of(blob))", body: blob)
        }
        let small = [UInt8](repeating: 1, count: 1 << 20)
        #expect(try push(small).status == 201)
        try Files.replace("\(disk)/filler", with: [UInt8](repeating: 7, count: 6 << 20))
        let answer = try push([UInt8](repeating: 2, count: 8 << 20))
        #expect(answer.status == 507, "\(answer.text)")
        let client = try HTTPClient(port: server.port, timeoutSeconds: 20)
        #expect(try client.request("GET", "/v2/a/blobs/\(OCIDigest.of(small))").body == small)
        try Files.remove("\(disk)/filler")
        #expect(try push([UInt8](repeating: 2, count: 8 << 20)).status == 201)
    }
}
