import Glibc
import Testing
import VoltArchive
import VoltCore
import VoltCrypto
import VoltStore
import VoltSystem
import VoltTestKit

@testable import ContainerEngine

/// A clock that a test moves.
final class TestClock: WallClock, @unchecked Sendable {
    // One test moves the clock between calls, never during one.
    var time = Timestamp(milliseconds: 1_700_000_000_000)
    func now() -> Timestamp { time }
}

final class StoreFixture {
    let scratch: ScratchDirectory
    let clock = TestClock()
    let store: ImageStore

    init() throws {
        scratch = try ScratchDirectory()
        let paths = try HostPaths(tool: "container", environment: ["VOLT_ROOT": "\(scratch.path)/root"])
        store = try ImageStore(paths: paths, clock: clock)
    }

    func tree(_ name: String, _ text: String) throws -> String {
        let path = "\(scratch.path)/\(name)"
        try Files.makeDirectory("\(path)/d")
        try Files.replace("\(path)/d/file", with: text.utf8)
        return path
    }

    func add(_ path: String, name: String?, _ overrides: ImageImporter.Overrides = .init()) throws -> Image {
        try ImageImporter(store: store).importImage(from: path, name: name, overrides: overrides).image
    }

    func shell(_ script: String) throws {
        let result = try ToolRunner(scratch: scratch.path).run(["sh", "-ec", script])
        try #require(result.status == 0, "\(result.stderr)")
    }
}

@Suite(.enabled(if: runsAsRoot, "layers have owners, which need root")) struct StoreTests {
    @Test("a directory is copied, never linked, and equal content is the same image")
    func directory() throws {
        let fixture = try StoreFixture()
        let path = try fixture.tree("a", "1")
        try fixture.shell(
            "ln a/d/file a/hard; ln -s /etc/passwd a/link; mkfifo a/pipe; chmod 4711 a/hard; truncate -s 10M a/sparse; chown 7:8 a/d"
        )
        let image = try fixture.add(path, name: "a")
        var original = stat()
        var copy = stat()
        stat("\(path)/d/file", &original)
        #expect(fixture.store.knownLayerForm()?.isTrees == true)
        let view = try fixture.store.view(lowers: image.lowers)
        let file = try #require(try view.find([Array("d".utf8), Array("file".utf8)]))
        stat(try #require(file.file), &copy)
        #expect(original.st_ino != copy.st_ino && file.information.st_mode & 0o7777 == 0o4711)
        #expect(copy.st_mode & 0o7777 == 0o444 && copy.st_uid == 0)
        let hard = try #require(try view.find([Array("hard".utf8)]))
        #expect(hard.file == file.file)
        let link = try #require(try view.find([Array("link".utf8)]))
        #expect(link.information.st_mode & S_IFMT == S_IFLNK && link.target == Array("/etc/passwd".utf8))
        let sparse = try #require(try view.find([Array("sparse".utf8)]))
        stat(try #require(sparse.file), &copy)
        #expect(sparse.information.st_size == 10 << 20 && copy.st_size == 10 << 20 && copy.st_blocks == 0)
        let directory = try #require(try view.find([Array("d".utf8)])).information
        #expect(directory.st_uid == 7 && directory.st_gid == 8)
        let again = try fixture.add(path, name: "b")
        #expect(again.digest == image.digest && again.names == ["a:latest", "b:latest"])
    }

    @Test("an image is found by name, digest and short digest, and an unknown one is named with what to do")
    func resolve() throws {
        let fixture = try StoreFixture()
        let image = try fixture.add(try fixture.tree("a", "1"), name: "Team/x".lowercased() + ":1")
        for reference in [
            "team/x:1", image.digest.description, image.digest.short, "team/x:1@\(image.digest)",
        ] {
            #expect(try fixture.store.resolve(reference).digest == image.digest)
        }
        for reference in ["team/x", "x:1", "team/x:1@sha256:\(String(repeating: "0", count: 64))"] {
            #expect { try fixture.store.resolve(reference) } throws: {
                let error = $0 as? VoltError
                return error?.code == .notFound
                    && error?.message == "image '\(reference)' is not in the local store"
                    && error?.hint
                        == "pull it with 'volt container pull', or import it with 'volt container import'"
            }
        }
        #expect { try fixture.store.resolve("Bad Name") } throws: { ($0 as? VoltError)?.code == .usage }
    }

    @Test(
        "names follow the rules of registries",
        arguments: [
            ("busybox", "busybox:latest"), ("localhost:5000/a/b", "localhost:5000/a/b:latest"),
            ("a:1.0_x-y", "a:1.0_x-y"),
            ("a/b.c_d-e:T", "a/b.c_d-e:T"),
        ])
    func references(text: String, stored: String) throws {
        #expect(try ImageReference(text).stored == stored)
    }

    @Test(
        "what is no name is refused",
        arguments: ["", "A", "a//b", "/a", "a/", "a:", "a:-x", "-a", "a b", "a@x", "../x", "a:x/y", "é"])
    func badReferences(text: String) { #expect(throws: VoltError.self) { try ImageReference(text) } }

    @Test("a name is taken away, the image goes with the last one, and one in use stays")
    func remove() throws {
        let fixture = try StoreFixture()
        let path = try fixture.tree("a", "1")
        _ = try fixture.add(path, name: "a")
        let image = try fixture.add(path, name: "b")
        #expect(try fixture.store.remove("a", inUse: [image.digest: "web"]).untagged == ["a:latest"])
        #expect { try fixture.store.remove("b", inUse: [image.digest: "web"]) } throws: {
            ($0 as? VoltError)?.code == .conflict
        }
        #expect(try fixture.store.remove("b", inUse: [:]).deleted == image.digest)
        #expect(fixture.store.hasLayer(image.layers[0]))
        #expect(try fixture.store.collect(inUse: [], grace: .zero) > 0)
        #expect(!fixture.store.hasLayer(image.layers[0]))
        let contents = try fixture.store.contents()
        #expect(try contents.tags().isEmpty)
        for name in try Files.list(contents.objects) {
            #expect(try Files.list("\(contents.objects)/\(name)").isEmpty)
        }
    }

    @Test("collect keeps what is named, used or young, and removes what a crash left")
    func collect() throws {
        let fixture = try StoreFixture()
        let named = try fixture.add(try fixture.tree("a", "1"), name: "a")
        let used = try fixture.add(try fixture.tree("b", "2"), name: "x")
        let moved = try fixture.add(try fixture.tree("c", "3"), name: "x")
        try Files.makeDirectory("\(fixture.store.root)/tmp/crashed/etc")
        try fixture.store.collect(inUse: [])
        #expect(fixture.store.hasLayer(used.layers[0]))
        #expect(try Files.list("\(fixture.store.root)/tmp").isEmpty)
        fixture.clock.time = fixture.clock.time.advanced(by: .seconds(7200))
        try fixture.store.collect(inUse: [used.digest])
        #expect(fixture.store.hasLayer(used.layers[0]))
        try fixture.store.collect(inUse: [])
        #expect(
            !fixture.store.hasLayer(used.layers[0]) && fixture.store.hasLayer(named.layers[0])
                && fixture.store.hasLayer(moved.layers[0]))
        #expect(try fixture.store.images().count == 2)
    }

    @Test("a store of a newer version is refused")
    func version() throws {
        let fixture = try StoreFixture()
        _ = try fixture.add(try fixture.tree("a", "1"), name: "a")
        try Files.replace("\(fixture.store.root)/format", with: "3\n".utf8)
        let paths = try HostPaths(
            tool: "container", environment: ["VOLT_ROOT": "\(fixture.scratch.path)/root"])
        #expect(throws: VoltError.self) { try ImageStore(paths: paths, clock: SystemClock()) }
    }

    @Test("an archive without a name in it takes that of its file; standard input needs --name")
    func names() throws {
        let fixture = try StoreFixture()
        _ = try fixture.tree("a", "1")
        try fixture.shell("tar -C a -cf My-App.tar.gz .")
        #expect(
            try fixture.add("\(fixture.scratch.path)/My-App.tar.gz", name: nil).names == ["my-app:latest"])
        #expect { try fixture.add("/", name: nil) } throws: { ($0 as? VoltError)?.code == .usage }
    }
}

@Suite(.enabled(if: runsAsRoot, "layers have owners, which need root")) struct OCILayoutTests {
    /// Writes an OCI layout with two layers; the second removes a file of the first.
    private func layout(
        _ fixture: StoreFixture, architecture: String = ImageImporter.architecture, break what: String = ""
    ) throws -> String {
        let path = "\(fixture.scratch.path)/layout"
        try fixture.shell(
            """
            mkdir -p layout/blobs/sha256 l1/etc l2/etc; echo one > l1/etc/one; echo gone > l1/etc/gone; : > l2/etc/.wh.gone; echo two > l2/etc/two
            tar -C l1 -cf l1.tar .; tar -C l2 -cf l2.tar .; gzip -k l1.tar; zstd -q l2.tar
            """)
        func blob(_ bytes: [UInt8]) throws -> (digest: String, size: Int) {
            let digest = SHA256Hasher.digest(of: bytes)
            try Files.replace("\(path)/blobs/sha256/\(digest.hex)", with: bytes)
            return (digest.description, bytes.count)
        }
        let plain = try ["l1.tar", "l2.tar"].map {
            SHA256Hasher.digest(of: try Files.read("\(fixture.scratch.path)/\($0)")).description
        }
        let first = try blob(try Files.read("\(fixture.scratch.path)/l1.tar.gz"))
        let second = try blob(try Files.read("\(fixture.scratch.path)/l2.tar.zst"))
        let diffIDs = what == "diffid" ? [plain[1], plain[0]] : plain
        let config = try blob(
            Array(
                """
                {"architecture":"\(architecture)","os":"linux","rootfs":{"type":"layers","diff_ids":["\(diffIDs[0])","\(diffIDs[1])"]},
                 "config":{"Entrypoint":["/e"],"Cmd":["c"],"Env":["A=1"],"WorkingDir":"/w","User":"5","ExposedPorts":{"80/tcp":{}},"Labels":{"l":"v"},"StopSignal":"SIGQUIT"}}
                """.utf8))
        let manifest = try blob(
            Array(
                """
                {"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"\(config.digest)","size":\(config.size)},
                 "layers":[{"mediaType":"application/vnd.oci.image.layer.v1.tar+gzip","digest":"\(first.digest)","size":\(first.size)},
                           {"mediaType":"application/vnd.oci.image.layer.v1.tar+zstd","digest":"\(second.digest)","size":\(second.size)}]}
                """.utf8))
        let index = try blob(
            Array(
                """
                {"schemaVersion":2,"manifests":[{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"sha256:\(String(repeating: "1", count: 64))","size":1,"platform":{"os":"linux","architecture":"s390x"}},
                 {"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"\(manifest.digest)","size":\(manifest.size),"platform":{"os":"linux","architecture":"\(architecture)"}}]}
                """.utf8))
        try Files.replace("\(path)/oci-layout", with: "{\"imageLayoutVersion\":\"1.0.0\"}".utf8)
        try Files.replace(
            "\(path)/index.json",
            with: """
                {"schemaVersion":2,"manifests":[{"mediaType":"application/vnd.oci.image.index.v1+json","digest":"\(index.digest)","size":\(index.size),"annotations":{"org.opencontainers.image.ref.name":"team/app:2"}}]}
                """.utf8)
        switch what {
        case "layer":
            try Files.replace(
                "\(path)/blobs/sha256/\(first.digest.dropFirst(7))",
                with: try Files.read("\(fixture.scratch.path)/l1.tar"))
        case "config":
            try Files.replace("\(path)/blobs/sha256/\(config.digest.dropFirst(7))", with: Array("{}".utf8))
        case "missing": try Files.remove("\(path)/blobs/sha256/\(second.digest.dropFirst(7))")
        case "link":
            let file = "\(path)/blobs/sha256/\(config.digest.dropFirst(7))"
            try Files.move(file, "\(fixture.scratch.path)/outside")
            symlink("\(fixture.scratch.path)/outside", file)
        default: break
        }
        return path
    }

    @Test(
        "an image of several layers is imported for this platform, as a directory and as an archive",
        arguments: [false, true])
    func good(asArchive: Bool) throws {
        let fixture = try StoreFixture()
        var path = try layout(fixture)
        if asArchive {
            try fixture.shell("tar -C layout -cJf app.tar.xz .")
            path = "\(fixture.scratch.path)/app.tar.xz"
        }
        let image = try fixture.add(path, name: nil)
        #expect(image.names == ["team/app:2"] && image.layers.count == 2)
        let view = try fixture.store.view(lowers: image.lowers)
        #expect(try view.read(.init(inRoot: "/etc/one"), limit: 100) == Array("one\n".utf8))
        #expect(try view.read(.init(inRoot: "/etc/two"), limit: 100) == Array("two\n".utf8))
        #expect(try view.read(.init(inRoot: "/etc/gone"), limit: 100) == nil)
        #expect(
            image.config.entrypoint == ["/e"] && image.config.command == ["c"] && image.config.user == "5")
        #expect(image.config.environment == ["A=1"] && image.config.workingDirectory == "/w")
        #expect(image.config.exposedPorts == ["80/tcp"] && image.config.stopSignal == "SIGQUIT")
        #expect(try Files.list("\(fixture.store.root)/tmp").isEmpty)
    }

    @Test(
        "bytes that are not what their digest says are refused and leave nothing",
        arguments: [
            ("layer", ExitCode.refused), ("diffid", .refused), ("config", .refused), ("missing", .notFound),
            ("link", .refused),
        ])
    func bad(what: String, code: ExitCode) throws {
        let fixture = try StoreFixture()
        let path = try layout(fixture, break: what)
        #expect { try fixture.add(path, name: "x") } throws: { ($0 as? VoltError)?.code == code }
        #expect(try fixture.store.images().isEmpty)
        #expect(try Files.list("\(fixture.store.root)/tmp").isEmpty)
    }

    @Test("an image for another platform is refused with what there is")
    func platform() throws {
        let fixture = try StoreFixture()
        let path = try layout(fixture, architecture: "riscv64")
        #expect { try fixture.add(path, name: "x") } throws: {
            ($0 as? VoltError)?.message.hasSuffix("only for linux/riscv64, linux/s390x") == true
        }
    }
}
