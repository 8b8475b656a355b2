import Glibc
import Synchronization
import Testing
import VoltCore
import VoltOCI
import VoltSystem
import VoltTestKit

/// Layers that are unpacked while they come, from registries that are slow, break, or lie.
@Suite(.timeLimit(.minutes(3)), .enabled(if: geteuid() == 0, "needs root, for the owners of files"))
struct ContainerStreamTests {
    /// A registry with one image of one layer, not compressed, whose blob is answered as the test says.
    private final class Registry {
        let scratch: ScratchDirectory
        let run: ToolRunner
        let layer: [UInt8]
        let server: ScriptedHTTPServer
        var name: String { "127.0.0.1:\(server.port)/web:1" }
        var images: String { "\(scratch.path)/root/lib/container/images" }

        init(
            _ answer:
                @escaping @Sendable (ServedRequest, [UInt8], _ images: String) -> ScriptedHTTPServer.Reply
        )
            throws
        {
            scratch = try ScratchDirectory()
            let path = scratch.path
            run = ToolRunner(scratch: path)
            let result = try run.run([
                "sh", "-c",
                "mkdir t && echo first > t/a && head -c 3000000 /dev/urandom > t/z && tar --sort=name -C t -cf l.tar .",
            ])
            try #require(result.status == 0, "\(result.stderr)")
            let layer = try Files.read("\(path)/l.tar")
            self.layer = layer
            let digest = OCIDigest.of(layer)
            let config = Array(
                "{\"architecture\":\"\(OCILayout.hostArchitecture)\",\"os\":\"linux\",\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[\"\(digest)\"]}}"
                    .utf8)
            let manifest = Array(
                "{\"schemaVersion\":2,\"mediaType\":\"\(OCIMediaType.manifest)\",\"config\":{\"mediaType\":\"\(OCIMediaType.config)\",\"digest\":\"\(OCIDigest.of(config))\",\"size\":\(config.count)},\"layers\":[{\"mediaType\":\"\(OCIMediaType.layer)\",\"digest\":\"\(digest)\",\"size\":\(layer.count)}]}"
                    .utf8)
            let images = "\(path)/root/lib/container/images"
            server = try ScriptedHTTPServer { request in
                if request.path.contains("/manifests/") {
                    return .answer(
                        200,
                        headers: [
                            ("Content-Type", OCIMediaType.manifest),
                            ("Docker-Content-Digest", "\(OCIDigest.of(manifest))"),
                        ], body: request.method == "HEAD" ? "" : String(decoding: manifest, as: UTF8.self))
                }
                if request.path.hasSuffix("\(OCIDigest.of(config))") {
                    return .answer(200, body: String(decoding: config, as: UTF8.self))
                }
                if request.path.hasSuffix("\(digest)") { return answer(request, layer, images) }
                return .answer(200)
            }
        }

        func pull() throws -> ToolRunner.Result {
            try run.run(["volt-container", "pull", "--plain-http", "-o", "json", name])
        }

        /// What is being unpacked.
        var unfinished: [String] { (try? Files.list("\(images)/tmp")) ?? [] }
    }

    private static func head(_ count: Int) -> [UInt8] {
        Array("HTTP/1.1 200 OK\r\nContent-Length: \(count)\r\nConnection: close\r\n\r\n".utf8)
    }

    /// Whether a file appears below the temporary directories before ten seconds are over.
    private static func appears(_ name: String, _ images: String) -> Bool {
        for _ in 0..<1000 {
            let directories = (try? Files.list("\(images)/tmp")) ?? []
            if directories.contains(where: { Files.exists("\(images)/tmp/\($0)/\(name)") }) { return true }
            usleep(10_000)
        }
        return false
    }

    @Test("a layer is unpacked while it comes, and has no name before its last byte came")
    func streams() throws {
        let sawFile = Atomic<Bool>(false)
        let sawLayer = Atomic<Bool>(false)
        let registry = try Registry { _, layer, images in
            let middle = layer.count / 2
            return .parts(
                ContainerStreamTests.head(layer.count) + layer[..<middle],
                {
                    sawFile.store(ContainerStreamTests.appears("a", images), ordering: .relaxed)
                    let layers = (try? Files.list("\(images)/layers")) ?? []
                    sawLayer.store(!layers.isEmpty, ordering: .relaxed)
                }, Array(layer[middle...]))
        }
        let result = try registry.pull()
        #expect(result.status == 0, "\(result.stderr)")
        let (file, name) = (sawFile.load(ordering: .relaxed), sawLayer.load(ordering: .relaxed))
        #expect(file, "the first file was not there while the rest was on its way")
        #expect(!name)
        #expect(registry.unfinished.isEmpty)
        #expect(try Files.list("\(registry.images)/layers") == ["\(OCIDigest.of(registry.layer).hex).json"])
    }

    @Test("a connection that breaks in the middle of a layer goes on where it broke")
    func resumes() throws {
        let count = Atomic<Int>(0)
        let registry = try Registry { request, layer, _ in
            let middle = layer.count / 2
            if count.add(1, ordering: .relaxed).newValue == 1 {
                return .raw(ContainerStreamTests.head(layer.count) + layer[..<middle])
            }
            guard let range = request.headers["range"], let from = Int(range.dropFirst(6).dropLast()) else {
                return .answer(400)
            }
            let rest = layer.count - from
            return .raw(
                Array("HTTP/1.1 206 Partial\r\nContent-Length: \(rest)\r\nConnection: close\r\n\r\n".utf8)
                    + layer[from...])
        }
        let result = try registry.pull()
        #expect(result.status == 0, "\(result.stderr)")
        let ranges = registry.server.requests.compactMap { $0.headers["range"] }
        #expect(ranges.count == 1 && ranges.first != "bytes=0-", "\(ranges)")
    }

    @Test("a layer with a wrong byte, at its end too, leaves nothing behind")
    func wrong() throws {
        for isShort in [false, true] {
            let registry = try Registry { _, layer, _ in
                var bytes = layer
                // In the bytes of the last file, where the archive still is one.
                bytes[bytes.count - 20_000] ^= 1
                return .raw(ContainerStreamTests.head(bytes.count) + (isShort ? bytes[..<5000] : bytes[...]))
            }
            let result = try registry.pull()
            #expect(
                isShort ? [1, 75].contains(result.status) : result.status == 5,
                "\(result.status) \(result.stderr)")
            #expect(registry.unfinished.isEmpty)
            #expect(try Files.list("\(registry.images)/layers").isEmpty)
            #expect(!Files.exists("\(registry.images)/names.json"))
        }
    }

    @Test("a pull that is killed in the middle of a layer leaves a temporary directory, which is swept")
    func killed() throws {
        let registry = try Registry { _, layer, _ in
            .parts(
                ContainerStreamTests.head(layer.count) + layer[..<(layer.count / 2)],
                { usleep(60_000_000) }, [])
        }
        let pid = try Processes.spawnDetached(
            "\(ToolRunner.products)/volt-container", ["pull", "--plain-http", registry.name],
            environment: registry.run.environment, descriptors: [:])
        #expect(ContainerStreamTests.appears("a", registry.images))
        kill(pid, SIGKILL)
        waitpid(pid, nil, 0)
        #expect(!registry.unfinished.isEmpty)
        #expect(try Files.list("\(registry.images)/layers").isEmpty)
        // Whatever sweeps: taking an image away is enough.
        try Files.makeDirectory("\(registry.scratch.path)/other")
        #expect(try registry.run.run(["volt-container", "import", "other", "--name", "other"]).status == 0)
        #expect(try registry.run.run(["volt-container", "rmi", "other"]).status == 0)
        #expect(registry.unfinished.isEmpty)
    }
}
