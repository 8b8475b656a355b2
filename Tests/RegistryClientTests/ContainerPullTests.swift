import Glibc
import Testing
import VoltOCI
import VoltSystem
import VoltTestKit

@Suite(
    .timeLimit(.minutes(5)),
    .enabled(
        if: geteuid() == 0
            && ["docker-registry", "skopeo", "umoci", "htpasswd"].allSatisfy {
                Files.exists("/usr/bin/\($0)")
            },
        "needs root and the packages docker-registry, skopeo, umoci and apache2-utils"))
struct ContainerPullTests {
    /// Pulls, and gives what was fetched.
    private func pull(_ bench: Bench, _ name: String) throws -> String {
        let result = try bench.run.run(["volt-container", "pull", "-o", "json", name])
        try #require(result.status == 0, "\(result.stderr)")
        return result.stdout
    }

    @Test(
        "an image is pulled whatever its layers are compressed with, and its files are those of umoci",
        arguments: Kind.allCases, ["gzip", "zstd", "plain"])
    func compressions(kind: Kind, form: String) throws {
        let bench = try Bench(kind)
        try bench.image()
        try bench.ok(
            "umoci", "config", "--image", "img:a", "--config.cmd", "/bin/hello", "--config.env", "A=b")
        switch form {
        case "gzip": try bench.ok("volt-registry", "copy", "oci:img:a", "\(bench.host)/web:1")
        case "zstd":
            _ = try bench.skopeo(
                "copy", "--insecure-policy", "--dest-tls-verify=false", "--dest-compress",
                "--dest-compress-format",
                "zstd", "oci:img:a", "docker://\(bench.host)/web:1")
        default:
            _ = try bench.skopeo(
                "copy", "--insecure-policy", "--dest-decompress", "oci:img:a", "dir:plain")
            _ = try bench.skopeo(
                "copy", "--insecure-policy", "--dest-tls-verify=false", "dir:plain",
                "docker://\(bench.host)/web:1")
        }
        let first = try pull(bench, "\(bench.host)/web:1")
        #expect(
            first.contains("\"fetchedLayers\" : 1") && first.contains("\"unchanged\" : false"), "\(first)")
        let shown = try bench.ok("volt-container", "images", "-o", "json")
        #expect(shown.contains("\(bench.host)/web:1"))
        let again = try pull(bench, "\(bench.host)/web:1")
        #expect(again.contains("\"fetchedLayers\" : 0") && again.contains("\"unchanged\" : true"), "\(again)")
    }

    @Test("of a new version only the new layer is fetched")
    func newLayer() throws {
        let bench = try Bench(.volt)
        try bench.image()
        try bench.ok("volt-registry", "copy", "oci:img:a", "\(bench.host)/web:1")
        _ = try pull(bench, "\(bench.host)/web:1")
        try Files.replace("\(bench.scratch.path)/rootfs/etc/issue", with: "more\n".utf8)
        try bench.ok("umoci", "insert", "--image", "img:a", "rootfs/etc/issue", "/etc/issue")
        try bench.ok("volt-registry", "copy", "oci:img:a", "\(bench.host)/web:1")
        let second = try pull(bench, "\(bench.host)/web:1")
        #expect(
            second.contains("\"fetchedLayers\" : 1") && second.contains("\"layers\"") == false, "\(second)")
        // Another name of the same image needs nothing but its manifest.
        try bench.ok("volt-registry", "tag", "\(bench.host)/web:1", "2")
        #expect(try pull(bench, "\(bench.host)/web:2").contains("\"fetchedLayers\" : 0"))
        // A name that was taken away is given again.
        try bench.ok("volt-container", "rmi", "\(bench.host)/web:1")
        #expect(try pull(bench, "\(bench.host)/web:1").contains("\"unchanged\" : false"))
        #expect(try bench.ok("volt-container", "images", "-o", "json").contains("\(bench.host)/web:1"))
    }

    @Test(
        "a pull prints the digest that the registry has, and by it the image is found, and pulled again when it is gone"
    )
    func digests() throws {
        let bench = try Bench(.volt)
        try bench.image()
        try bench.ok("volt-registry", "copy", "oci:img:a", "\(bench.host)/web:1")
        let digest = try bench.ok("volt-registry", "resolve", "\(bench.host)/web:1")
        #expect(try bench.ok("volt-container", "pull", "-q", "\(bench.host)/web:1") == digest)
        let shown = try bench.skopeo(
            "inspect", "--tls-verify=false", "--format", "{{.Digest}}", "docker://\(bench.host)/web:1")
        #expect(shown == digest)
        let plain = String(digest.dropLast())
        let pinned = "\(bench.host)/web:1@\(plain)"
        for name in [plain, pinned] {
            try bench.ok("volt-container", "create", "--name", "c\(name.utf8.count)", name, "/bin/x")
            try bench.ok("volt-container", "rm", "c\(name.utf8.count)")
            try bench.ok("volt-container", "rmi", name)
            #expect(try pull(bench, pinned).contains("\"unchanged\" : false"))
        }
    }

    @Test("what is kept of an image for a push goes with its last name")
    func documents() throws {
        let bench = try Bench(.volt)
        try bench.image()
        try bench.ok("volt-registry", "copy", "oci:img:a", "\(bench.host)/web:1")
        for tag in ["1", "2"] {
            if tag == "2" { try bench.ok("volt-registry", "tag", "\(bench.host)/web:1", tag) }
            _ = try pull(bench, "\(bench.host)/web:\(tag)")
        }
        let images = "\(bench.scratch.path)/root/lib/container/images"
        #expect(try Files.list("\(images)/documents").count == 2)
        try bench.ok("volt-container", "rmi", "\(bench.host)/web:1")
        #expect(try Files.list("\(images)/documents").count == 2)
        try bench.ok("volt-container", "rmi", "\(bench.host)/web:2")
        #expect(try Files.list("\(images)/documents").isEmpty)
        #expect(try Files.read("\(images)/pulled.json") == Array("{}".utf8))
    }

    @Test("the login of Docker's configuration is used, and what goes wrong is said with what to do")
    func logins() throws {
        let bench = try Bench(.docker, hasLogins: true)
        try bench.image()
        let refused = try bench.run.run(["volt-container", "pull", "\(bench.host)/web:1"])
        #expect(
            refused.status == 5 && refused.stderr.contains("volt registry login \(bench.host)"),
            "\(refused.stderr)")
        try bench.ok(
            "volt-registry", "login", "--username", "alice", "--password-stdin", bench.host,
            input: "secret word")
        try bench.ok("volt-registry", "copy", "oci:img:a", "\(bench.host)/web:1")
        _ = try pull(bench, "\(bench.host)/web:1")
        let missing = try bench.run.run(["volt-container", "pull", "\(bench.host)/web:none"])
        #expect(
            missing.status == 3 && missing.stderr.contains("volt registry ls \(bench.host)/web"),
            "\(missing.stderr)")
        try Files.replace("\(bench.scratch.path)/note", with: "x".utf8)
        try bench.ok("volt-registry", "push", "\(bench.host)/art:1", "note")
        let artifact = try bench.run.run(["volt-container", "pull", "\(bench.host)/art:1"])
        #expect(artifact.status == 1 && artifact.stderr.contains("volt registry pull"), "\(artifact.stderr)")
    }

    @Test(
        "an image that a command, a Voltfile or a manifest names is pulled when it is missing",
        .enabled(
            if: Files.exists("/usr/bin/systemd-nspawn") && Files.exists("/bin/busybox"),
            "needs systemd-nspawn and a static busybox"))
    func missing() throws {
        let bench = try Bench(.volt)
        try Files.makeDirectory("\(bench.scratch.path)/rootfs/bin")
        try bench.ok("cp", "/bin/busybox", "rootfs/bin/busybox")
        symlink("busybox", "\(bench.scratch.path)/rootfs/bin/sh")
        try bench.image()
        try bench.ok(
            "umoci", "config", "--image", "img:a", "--config.cmd", "/bin/busybox", "--config.cmd", "id")
        for name in ["one", "two", "three"] {
            try bench.ok("volt-registry", "copy", "oci:img:a", "\(bench.host)/\(name):1")
        }
        let run = try bench.run.run(["volt-container", "run", "--rm", "\(bench.host)/one:1"])
        #expect(run.status == 0 && run.stdout.hasPrefix("uid=0"), "\(run.stdout)\(run.stderr)")
        #expect(run.stderr.contains("pulling '\(bench.host)/one:1'"))
        try Files.makeDirectory("\(bench.scratch.path)/context")
        try Files.replace(
            "\(bench.scratch.path)/context/Voltfile", with: "FROM \(bench.host)/two:1\nENV A=b\n".utf8)
        try bench.ok("volt-container", "build", "--tag", "built", "context")
        // What was deployed before is pulled by its digest when it is gone.
        let three = "\(bench.host)/three:1"
        let digest = try bench.ok("volt-container", "pull", "-q", three).dropLast()
        let earlier = try #require(
            try pull(bench, three).split(separator: "\"digest\" : \"").last?.prefix { $0 != "\"" })
        for name in try bench.ok("volt-container", "images", "-o", "json").split(separator: "\"")
        where name.hasPrefix("\(bench.host)/") || name == "built:latest" {
            try bench.ok("volt-container", "rmi", String(name))
        }
        let pinned = "\(three)@\(digest)"
        try Files.replace(
            "\(bench.scratch.path)/context/volt-manifest.yaml",
            with: """
                apiVersion: volt/v1
                kind: container
                spec:
                  image: \(pinned)
                  command: ["/bin/busybox", "sleep", "1000"]
                  health: { exec: ["/bin/busybox", "true"], interval: 1s }
                """.utf8)
        let applied = try bench.run.run([
            "volt-container", "apply", "--workload", "pulled", "--manifest",
            "\(bench.scratch.path)/context/volt-manifest.yaml", "--source", "\(bench.scratch.path)/context",
            "--revision", "r1", "--timeout", "60s", "-o", "json", "--image", "\(pinned)=\(earlier)",
        ])
        defer { _ = try? bench.run.run(["volt-container", "remove", "--workload", "pulled"]) }
        #expect(applied.status == 0, "\(applied.stdout)\(applied.stderr)")
        #expect(applied.stdout.contains("pulling '\(pinned)'"))
        // A name without a host is of the local store alone.
        let local = try bench.run.run(["volt-container", "run", "--rm", "nothing"])
        #expect(local.status == 125 && local.stderr.contains("volt container pull"), "\(local.stderr)")
    }
}
