import Glibc
import RegistryEngine
import Testing
import VoltOCI
import VoltSystem
import VoltTestKit

/// The clients that people have, from Debian's packages, against the program as it is installed.
@Suite(
    .timeLimit(.minutes(5)),
    .enabled(
        if: ["skopeo", "umoci", "podman", "curl"].allSatisfy { Files.exists("/usr/bin/\($0)") }
            && geteuid() == 0,
        "needs root and the packages skopeo, umoci, podman and curl"))
struct PeerTests {
    /// A registry and an image layout that umoci made.
    private final class Bench {
        let scratch: ScratchDirectory
        let run: ToolRunner
        let server: ServerProcess

        init() throws {
            scratch = try ScratchDirectory()
            run = ToolRunner(scratch: scratch.path)
            server = try ServerProcess(run, store: "\(scratch.path)/store")
            try Files.makeDirectory("\(scratch.path)/rootfs/etc")
            try Files.replace("\(scratch.path)/rootfs/etc/motd", with: "hello\n".utf8)
            for words in [
                ["umoci", "init", "--layout", "img"], ["umoci", "new", "--image", "img:a"],
                ["umoci", "insert", "--image", "img:a", "rootfs", "/"],
                ["umoci", "config", "--image", "img:a", "--config.cmd", "/bin/true"],
            ] { try ok(words) }
        }

        @discardableResult
        func ok(_ words: [String]) throws -> String {
            let result = try run.run(words)
            try #require(result.status == 0, "\(words): \(result.stdout)\(result.stderr)\(server.said)")
            return result.stdout
        }

        var host: String { "localhost:\(server.port)" }
    }

    @Test("skopeo copies in and out byte by byte, inspects, lists and deletes")
    func skopeo() throws {
        let bench = try Bench()
        let place = "docker://\(bench.host)/team/web"
        try bench.ok([
            "skopeo", "copy", "--insecure-policy", "--dest-tls-verify=false", "oci:img:a", "\(place):1",
        ])
        let digest = try bench.ok([
            "skopeo", "inspect", "--tls-verify=false", "--format", "{{.Digest}}", "\(place):1",
        ])
        #expect(
            try bench.ok(["skopeo", "list-tags", "--tls-verify=false", place]).contains("\"1\""))
        try bench.ok([
            "skopeo", "copy", "--insecure-policy", "--src-tls-verify=false", "\(place):1", "oci:back:a",
        ])
        #expect(
            try Files.read("\(bench.scratch.path)/img/index.json").count > 0
                && bench.ok(["umoci", "ls", "--layout", "back"]) == "a\n")
        let blobs = try Files.list("\(bench.scratch.path)/back/blobs/sha256")
        #expect(blobs.contains(String(digest.dropFirst(7).dropLast())) && blobs.count == 3)
        // From one repository to another: blobs are mounted.
        try bench.ok([
            "skopeo", "copy", "--insecure-policy", "--src-tls-verify=false", "--dest-tls-verify=false",
            "\(place):1", "docker://\(bench.host)/other:2",
        ])
        // Compressed anew, by zstd.
        try bench.ok([
            "skopeo", "copy", "--insecure-policy", "--dest-tls-verify=false", "--dest-compress-format",
            "zstd",
            "--dest-compress", "oci:img:a", "docker://\(bench.host)/zstd:1",
        ])
        try bench.ok(["skopeo", "delete", "--tls-verify=false", "\(place):1"])
        let gone = try bench.run.run(["skopeo", "inspect", "--tls-verify=false", "\(place):1"])
        #expect(
            gone.status != 0 && gone.stderr.contains("manifest unknown") || gone.stderr.contains("no such"))
        try bench.ok(["skopeo", "inspect", "--tls-verify=false", "docker://\(bench.host)/other:2"])
    }

    @Test("podman pulls, pushes and searches nothing that is not there")
    func podman() throws {
        let bench = try Bench()
        try bench.ok([
            "skopeo", "copy", "--insecure-policy", "--dest-tls-verify=false", "oci:img:a",
            "docker://\(bench.host)/team/web:1",
        ])
        try Files.replace(
            "\(bench.scratch.path)/policy.json",
            with: #"{"default":[{"type":"insecureAcceptAnything"}]}"#.utf8)
        let podman = [
            "podman", "--root", "\(bench.scratch.path)/p", "--runroot", "\(bench.scratch.path)/r",
            "--storage-driver", "vfs",
        ]
        let policy = ["--signature-policy", "\(bench.scratch.path)/policy.json"]
        try bench.ok(podman + ["pull", "--tls-verify=false"] + policy + ["\(bench.host)/team/web:1"])
        try bench.ok(podman + ["tag", "\(bench.host)/team/web:1", "\(bench.host)/team/copy:2"])
        try bench.ok(podman + ["push", "--tls-verify=false"] + policy + ["\(bench.host)/team/copy:2"])
        let config = try bench.ok([
            "skopeo", "inspect", "--config", "--tls-verify=false", "docker://\(bench.host)/team/copy:2",
        ])
        #expect(config.contains("/bin/true"))
        let missing = try bench.run.run(
            podman + ["pull", "--tls-verify=false"] + policy + ["\(bench.host)/team/none:1"])
        #expect(missing.status != 0)
        try bench.ok(podman + ["rmi", "--all", "--force"])
    }

    @Test("what umoci makes is pushed, pulled and unpacked as it was")
    func umoci() throws {
        let bench = try Bench()
        try bench.ok([
            "skopeo", "copy", "--insecure-policy", "--dest-tls-verify=false", "oci:img:a",
            "docker://\(bench.host)/u:1",
        ])
        try bench.ok([
            "skopeo", "copy", "--insecure-policy", "--src-tls-verify=false", "docker://\(bench.host)/u:1",
            "oci:out:b",
        ])
        try bench.ok(["umoci", "unpack", "--image", "out:b", "bundle"])
        #expect(try Files.read("\(bench.scratch.path)/bundle/rootfs/etc/motd") == Array("hello\n".utf8))
    }

    @Test("curl pushes with chunks, asks for the rest of a blob, and deletes")
    func curl() throws {
        let bench = try Bench()
        let url = "http://\(bench.host)/v2/c"
        let bytes = (0..<300_000).map { UInt8(truncatingIfNeeded: $0 &* 13 >> 3) }
        try Files.replace("\(bench.scratch.path)/first", with: bytes[..<100_000])
        try Files.replace("\(bench.scratch.path)/rest", with: bytes[100_000...])
        let head = try bench.ok(["curl", "-sS", "-i", "-X", "POST", "\(url)/blobs/uploads/"])
        let place = head.split(separator: "\r\n").first { $0.lowercased().hasPrefix("location: ") }?
            .dropFirst(10)
        let upload = "http://\(bench.host)\(place ?? "")"
        try bench.ok([
            "curl", "-sS", "-f", "-X", "PATCH", "-H", "Content-Range: 0-99999", "--data-binary", "@first",
            upload,
        ])
        let digest = OCIDigest.of(bytes)
        // The body of PUT with chunks of HTTP, as a pipe gives it.
        try bench.ok([
            "curl", "-sS", "-f", "-X", "PUT", "-H", "Transfer-Encoding: chunked", "--data-binary", "@rest",
            "\(upload)?digest=\(digest)",
        ])
        try Files.replace("\(bench.scratch.path)/half", with: bytes[..<150_000])
        try bench.ok(["curl", "-sS", "-f", "-C", "-", "-o", "half", "\(url)/blobs/\(digest)"])
        #expect(try Files.read("\(bench.scratch.path)/half") == bytes)
        try bench.ok(["curl", "-sS", "-f", "-X", "DELETE", "\(url)/blobs/\(digest)"])
        #expect(try bench.run.run(["curl", "-sS", "-f", "\(url)/blobs/\(digest)"]).status == 22)
    }

    @Test("with a certificate it speaks HTTPS, and sends whole blobs there, too")
    func tls() throws {
        let bench = try Bench()
        try bench.ok([
            "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
            "-days",
            "1", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-keyout", "key.pem",
            "-out", "cert.pem",
        ])
        try Files.setMode("\(bench.scratch.path)/key.pem", 0o600)
        let server = try ServerProcess(
            bench.run, store: "\(bench.scratch.path)/other",
            ["--tls-cert", "\(bench.scratch.path)/cert.pem", "--tls-key", "\(bench.scratch.path)/key.pem"])
        let url = "https://localhost:\(server.port)/v2/t/blobs"
        let bytes = (0..<5_000_000).map { UInt8(truncatingIfNeeded: $0 &* 17 >> 3) }
        try Files.replace("\(bench.scratch.path)/blob", with: bytes)
        let digest = OCIDigest.of(bytes)
        let curl = ["curl", "-sS", "-f", "--cacert", "cert.pem"]
        try bench.ok(
            curl + [
                "-X", "POST", "-H", "Content-Type: application/octet-stream", "--data-binary", "@blob",
                "\(url)/uploads/?digest=\(digest)",
            ])
        try bench.ok(curl + ["-o", "back", "\(url)/\(digest)"])
        #expect(try Files.read("\(bench.scratch.path)/back") == bytes)
        #expect(try bench.ok(curl + ["-r", "4999990-", "\(url)/\(digest)"]).utf8.count > 0)
    }
}
