import Glibc
import Testing
import VoltOCI
import VoltSystem
import VoltTestKit

@Suite(
    .timeLimit(.minutes(5)),
    .enabled(
        if: ["docker-registry", "skopeo", "umoci", "htpasswd"].allSatisfy { Files.exists("/usr/bin/\($0)") },
        "needs the packages docker-registry, skopeo, umoci and apache2-utils"))
struct ClientTests {
    @Test(
        "an image is copied in, out and within, byte by byte, and nothing is moved twice",
        arguments: Kind.allCases)
    func copy(kind: Kind) throws {
        let bench = try Bench(kind)
        try bench.image()
        let first = try bench.volt("copy", "-o", "json", "oci:img:a", "\(bench.host)/team/web:1")
        #expect(first.status == 0 && first.stdout.contains("\"blobs\" : 2"), "\(first.stdout)\(first.stderr)")
        let again = try bench.volt("copy", "-o", "json", "oci:img:a", "\(bench.host)/team/web:1")
        #expect(again.stdout.contains("\"blobs\" : 0") && again.stdout.contains("\"kept\" : 0"))
        // Within a registry blobs are mounted.
        let within = try bench.volt("copy", "-o", "json", "\(bench.host)/team/web:1", "\(bench.host)/other:2")
        #expect(within.stdout.contains("\"kept\" : 2"), "\(within.stdout)\(within.stderr)")
        let digest = try bench.ok("volt-registry", "resolve", "\(bench.host)/other:2")
        #expect(
            try bench.skopeo(
                "inspect", "--tls-verify=false", "--format", "{{.Digest}}", "docker://\(bench.host)/other:2")
                == digest)
        try bench.ok("volt-registry", "copy", "\(bench.host)/other:2", "oci:back:b")
        try bench.ok("umoci", "unpack", "--rootless", "--image", "back:b", "bundle")
        #expect(try Files.read("\(bench.scratch.path)/bundle/rootfs/etc/motd") == Array("hello\n".utf8))
        #expect(try bench.ok("volt-registry", "ls", bench.host) == "other\nteam/web\n")
        #expect(try bench.ok("volt-registry", "ls", "\(bench.host)/team/web") == "1\n")
        let missing = try bench.volt("copy", "\(bench.host)/team/web:none", "oci:back:c")
        #expect(missing.status == 3 && missing.stderr.contains("team/web:none"), "\(missing.stderr)")
    }

    @Test("one platform of an index is copied, or all", arguments: Kind.allCases)
    func platforms(kind: Kind) throws {
        let bench = try Bench(kind)
        try bench.image()
        // An index of two, whose images are the same but for what they say of themselves.
        var entries: [String] = []
        for architecture in ["amd64", "arm64"] {
            try bench.ok(
                "umoci", "config", "--image", "img:a", "--tag", architecture, "--architecture", architecture)
            try bench.ok(
                "volt-registry", "copy", "oci:img:\(architecture)", "\(bench.host)/multi:\(architecture)")
            let digest = try bench.ok("volt-registry", "resolve", "\(bench.host)/multi:\(architecture)")
                .dropLast()
            let bytes = try bench.ok(
                "volt-registry", "manifest", "fetch", "\(bench.host)/multi:\(architecture)"
            ).utf8.count
            entries.append(
                "{\"mediaType\":\"\(OCIMediaType.manifest)\",\"digest\":\"\(digest)\",\"size\":\(bytes),\"platform\":{\"os\":\"linux\",\"architecture\":\"\(architecture)\"}}"
            )
        }
        let index =
            "{\"schemaVersion\":2,\"mediaType\":\"\(OCIMediaType.index)\",\"manifests\":[\(entries.joined(separator: ","))]}"
        let pushed = try bench.volt("manifest", "push", "\(bench.host)/multi:all", "-", input: index)
        #expect(pushed.stdout == "\(OCIDigest.of(index.utf8))\n", "\(pushed.stderr)")
        try bench.ok("volt-registry", "copy", "\(bench.host)/multi:all", "\(bench.host)/copy:all")
        #expect(try bench.ok("volt-registry", "manifest", "fetch", "\(bench.host)/copy:all") == index)
        #expect(
            try bench.skopeo(
                "inspect", "--config", "--override-arch", "arm64", "--tls-verify=false",
                "docker://\(bench.host)/copy:all"
            ).contains("arm64"))
        try bench.ok(
            "volt-registry", "copy", "--platform", "linux/arm64", "\(bench.host)/multi:all", "oci:one:x")
        #expect(try Files.list("\(bench.scratch.path)/one/blobs/sha256").count == 3)
        let none = try bench.volt(
            "copy", "--platform", "linux/riscv64", "\(bench.host)/multi:all", "oci:two:x")
        #expect(none.status == 3 && none.stderr.contains("linux/amd64, linux/arm64"))
    }

    @Test("files are pushed as an artifact and come back under their names", arguments: Kind.allCases)
    func artifacts(kind: Kind) throws {
        let bench = try Bench(kind)
        try Files.makeDirectory("\(bench.scratch.path)/docs")
        try Files.replace("\(bench.scratch.path)/docs/a.txt", with: "text\n".utf8)
        try Files.replace("\(bench.scratch.path)/report.json", with: "{}\n".utf8)
        let digest = try bench.ok(
            "volt-registry", "push", "--artifact-type", "application/vnd.example.report", "-a",
            "made.by=test",
            "\(bench.host)/art:1", "docs/a.txt", "report.json:application/json")
        let manifest = try OCIDocument(
            Array(try bench.ok("volt-registry", "manifest", "fetch", "\(bench.host)/art:1").utf8))
        #expect(
            manifest.artifactType == "application/vnd.example.report"
                && manifest.annotations == ["made.by": "test"])
        #expect(manifest.layers.map(\.mediaType) == ["application/octet-stream", "application/json"])
        #expect(manifest.config?.mediaType == OCIMediaType.empty)
        let raw = try bench.skopeo("inspect", "--raw", "--tls-verify=false", "docker://\(bench.host)/art:1")
        #expect("\(OCIDigest.of(raw.utf8))\n" == digest)
        #expect(
            try bench.ok("volt-registry", "pull", "--output", "out", "\(bench.host)/art:1")
                == "docs/a.txt\nreport.json\n")
        #expect(try Files.read("\(bench.scratch.path)/out/docs/a.txt") == Array("text\n".utf8))
        let again = try bench.volt("pull", "--output", "out", "\(bench.host)/art:1")
        #expect(again.status == 4 && again.stderr.contains("--force"))
        try bench.ok("volt-registry", "pull", "--force", "--output", "out", "\(bench.host)/art:1")
        let outside = try bench.volt("push", "\(bench.host)/art:2", "/etc/hostname")
        #expect(outside.status == 64)
    }

    @Test("directories are pushed and come back as they were, with texts of a file", arguments: Kind.allCases)
    func directories(kind: Kind) throws {
        let bench = try Bench(kind)
        let path = bench.scratch.path
        try Files.makeDirectory("\(path)/site/css/empty")
        try Files.replace("\(path)/site/index.html", with: "<p>".utf8)
        try Files.replace("\(path)/site/css/run.sh", with: "#!/bin/sh\n".utf8, mode: 0o755)
        symlink("../index.html", "\(path)/site/css/link")
        try Files.replace("\(path)/note.txt", with: "note".utf8)
        try Files.replace(
            "\(path)/texts.json",
            with: "{\"$manifest\": {\"a\": \"b\"}, \"site\": {\"is\": \"a site\"}}".utf8)
        func push() throws -> String {
            try bench.ok(
                "volt-registry", "push", "--annotation-file", "texts.json", "\(bench.host)/site:1", "site/",
                "note.txt:text/plain")
        }
        let digest = try push()
        chown("\(path)/site/index.html", 1234, 1234)
        #expect(try push() == digest)
        let raw = try bench.skopeo("inspect", "--tls-verify=false", "--raw", "docker://\(bench.host)/site:1")
        for text in [
            "\"io.deis.oras.content.unpack\":\"true\"", "\"is\":\"a site\"", "\"a\":\"b\"",
            "\"org.opencontainers.image.title\":\"site\"",
        ] { #expect(raw.contains(text), "\(raw)") }
        try bench.ok("volt-registry", "pull", "--output", "out", "\(bench.host)/site:1")
        let same = try bench.run("diff", "-r", "--no-dereference", "site", "out/site")
        #expect(same.status == 0, "\(same.stdout)")
        #expect(try bench.ok("stat", "-c", "%a", "out/site/css/run.sh") == "755\n")
        // As ORAS has it: what is in the archive begins with the name of the directory.
        try bench.ok("volt-registry", "copy", "\(bench.host)/site:1", "oci:layout:1")
        let layer = try #require(try OCIDocument(Array(raw.utf8)).layers.first)
        let names = try bench.ok("tar", "-tzf", "layout/blobs/sha256/\(layer.digest.dropFirst(7))")
        #expect(names.hasPrefix("site/\nsite/css/\n"), "\(names)")
        let unknown = try bench.volt(
            "push", "--annotation-file", "texts.json", "\(bench.host)/site:2", "note.txt")
        #expect(unknown.status == 64 && unknown.stderr.contains("'site', which is not pushed"))
        mkfifo("\(path)/site/pipe", 0o600)
        let pipe = try bench.volt("push", "\(bench.host)/site:3", "site")
        #expect(pipe.status == 5 && pipe.stderr.contains("site/pipe"), "\(pipe.stderr)")
    }

    @Test("what is about an image is attached, shown as a tree, and copied with it", arguments: Kind.allCases)
    func referrers(kind: Kind) throws {
        let bench = try Bench(kind)
        try bench.image()
        try bench.ok("volt-registry", "copy", "oci:img:a", "\(bench.host)/web:1")
        try Files.replace("\(bench.scratch.path)/sbom.json", with: "{\"packages\":[]}".utf8)
        let sbom = try bench.ok(
            "volt-registry", "attach", "--artifact-type", "application/spdx+json", "\(bench.host)/web:1",
            "sbom.json"
        ).dropLast()
        let signature = try bench.ok(
            "volt-registry", "attach", "--artifact-type", "application/x.signature",
            "\(bench.host)/web@\(sbom)",
            "sbom.json"
        ).dropLast()
        func tree(_ place: String) throws -> [Substring] {
            try bench.ok("volt-registry", "discover", place).split(separator: "\n").dropFirst().map { $0 }
        }
        let wanted: [Substring] = [
            "└── application/spdx+json  \(sbom)"[...], "    └── application/x.signature  \(signature)"[...],
        ]
        #expect(try tree("\(bench.host)/web:1") == wanted)
        try bench.ok("volt-registry", "copy", "--referrers", "\(bench.host)/web:1", "oci:out:1")
        #expect(try tree("oci:out:1") == wanted)
        try bench.ok("volt-registry", "copy", "-r", "oci:out:1", "\(bench.host)/again:1")
        #expect(try tree("\(bench.host)/again:1") == wanted)
        let json = try bench.ok("volt-registry", "discover", "-o", "json", "\(bench.host)/again:1")
        #expect(json.contains("\"artifactType\" : \"application/x.signature\""))
        // What is deleted is not listed any more, also where the client keeps the list.
        try bench.ok("volt-registry", "manifest", "delete", "--force", "\(bench.host)/web@\(sbom)")
        #expect(try tree("\(bench.host)/web:1").isEmpty)
    }

    @Test("a tag that is no list of referrers, but has the name of one, is left alone")
    func foreignList() throws {
        let bench = try Bench(.docker)
        try bench.image()
        try bench.ok("volt-registry", "copy", "oci:img:a", "\(bench.host)/web:1")
        let digest = try bench.ok("volt-registry", "resolve", "\(bench.host)/web:1").dropLast()
        let tag = digest.split(separator: ":").joined(separator: "-")
        try bench.ok("volt-registry", "tag", "\(bench.host)/web:1", tag)
        try Files.replace("\(bench.scratch.path)/note", with: "note".utf8)
        let refused = try bench.volt("attach", "--artifact-type", "a/note", "\(bench.host)/web:1", "note")
        #expect(
            refused.status == 4 && refused.stderr.contains("give what it names another tag"),
            "\(refused.stderr)")
        #expect(try bench.ok("volt-registry", "resolve", "\(bench.host)/web:\(tag)").dropLast() == digest)
    }

    @Test(
        "tags that belong to an image are copied, shown, backed up, restored and deleted with it",
        arguments: Kind.allCases)
    func companionTags(kind: Kind) throws {
        let bench = try Bench(kind)
        try bench.image()
        try bench.ok("volt-registry", "copy", "oci:img:a", "\(bench.host)/web:1")
        try Files.replace("\(bench.scratch.path)/note", with: "note".utf8)
        func stem(_ reference: String) throws -> String {
            String(try bench.ok("volt-registry", "resolve", reference).dropLast()).replacing(":", with: "-")
        }
        let image = try stem("\(bench.host)/web:1")
        var wanted: Set<String> = ["1"]
        func push(_ tag: String) throws {
            wanted.insert(tag)
            try bench.ok(
                "volt-registry", "push", "--artifact-type", "a/\(tag.suffix(3))", "\(bench.host)/web:\(tag)",
                "note")
        }
        for suffix in ["sig", "att", "sbom"] { try push("\(image).\(suffix)") }
        // A signature of the attestation.
        try push("\(try stem("\(bench.host)/web:\(image).att")).sig")
        func tags(_ place: String) throws -> Set<String> {
            Set(try bench.ok("volt-registry", "ls", place).split(separator: "\n").map(String.init))
        }
        try bench.ok("volt-registry", "copy", "--referrers", "\(bench.host)/web:1", "oci:out:1")
        #expect(try tags("oci:out") == wanted)
        try bench.ok("volt-registry", "copy", "--referrers", "oci:out:1", "\(bench.host)/again:1")
        #expect(try tags("\(bench.host)/again") == wanted)
        let shown = try bench.ok("volt-registry", "discover", "\(bench.host)/again:1")
        for tag in wanted where tag != "1" { #expect(shown.contains(tag), "\(shown)") }
        try bench.ok("volt-registry", "backup", "\(bench.host)/web", "oci:kept")
        try bench.ok("volt-registry", "restore", "oci:kept", "\(bench.host)/restored")
        #expect(try tags("\(bench.host)/restored") == wanted)
        // The list of what is about an image may stand in a tag, and have what does not say so itself.
        let list = try Self.list(of: "\(bench.host)/web:1", image, bench)
        for place in ["oci:listed", "\(bench.host)/listed"] {
            #expect(try tags(place).contains(image))
            #expect(try bench.ok("volt-registry", "discover", "\(place):1").contains(list), "\(place)")
        }
        try bench.ok("volt-registry", "manifest", "delete", "--force", "\(bench.host)/again:1")
        let left = try bench.volt("ls", "\(bench.host)/again")
        #expect(!left.stdout.contains("sha256-"), "\(left.stdout)")
    }

    /// Makes a layout whose list of what is about an image is in a tag, restores it, and gives the digest in the list.
    private static func list(of image: String, _ tag: String, _ bench: Bench) throws -> String {
        try bench.ok("volt-registry", "copy", image, "oci:listed:1")
        let digest = try bench.ok(
            "volt-registry", "push", "--artifact-type", "a/listed", "oci:listed:note", "note"
        )
        .dropLast()
        let size = try bench.ok("volt-registry", "manifest", "fetch", "oci:listed:note").utf8.count
        let index = """
            {"schemaVersion":2,"mediaType":"\(OCIMediaType.index)","manifests":[\
            {"mediaType":"\(OCIMediaType.manifest)","digest":"\(digest)","size":\(size),"artifactType":"a/listed"}]}
            """
        try Files.replace("\(bench.scratch.path)/list.json", with: index.utf8)
        try bench.ok("volt-registry", "manifest", "push", "oci:listed:\(tag)", "list.json")
        try bench.ok("volt-registry", "restore", "oci:listed", "\(bench.host)/listed")
        return String(digest)
    }

    @Test("a repository is backed up with all tags and restored", arguments: Kind.allCases)
    func backup(kind: Kind) throws {
        let bench = try Bench(kind)
        try bench.image()
        try bench.ok("volt-registry", "copy", "oci:img:a", "\(bench.host)/web:1")
        try bench.ok("volt-registry", "tag", "\(bench.host)/web:1", "2", "latest")
        try Files.replace("\(bench.scratch.path)/note", with: "note".utf8)
        try bench.ok("volt-registry", "attach", "--artifact-type", "a/note", "\(bench.host)/web:1", "note")
        try bench.ok("volt-registry", "backup", "\(bench.host)/web", "oci:kept")
        // A second one moves nothing, and adds nothing.
        let before = try Files.read("\(bench.scratch.path)/kept/index.json")
        try bench.ok("volt-registry", "backup", "\(bench.host)/web", "oci:kept")
        #expect(try Files.read("\(bench.scratch.path)/kept/index.json").count == before.count)
        try bench.ok("volt-registry", "restore", "oci:kept", "\(bench.host)/restored")
        let tags = Set(try bench.ok("volt-registry", "ls", "\(bench.host)/restored").split(separator: "\n"))
        #expect(tags.isSuperset(of: ["1", "2", "latest"]))
        #expect(try bench.ok("volt-registry", "discover", "\(bench.host)/restored:2").contains("a/note"))
        #expect(
            try bench.skopeo("list-tags", "--tls-verify=false", "docker://\(bench.host)/restored").contains(
                "latest"))
    }

    @Test("tags, manifests and blobs are taken away", arguments: Kind.allCases)
    func removal(kind: Kind) throws {
        let bench = try Bench(kind)
        try bench.image()
        try bench.ok("volt-registry", "copy", "oci:img:a", "\(bench.host)/web:1")
        try bench.ok("volt-registry", "tag", "\(bench.host)/web:1", "2")
        let untagged = try bench.volt("untag", "\(bench.host)/web:2")
        if kind == .volt {
            #expect(untagged.status == 0)
            #expect(try bench.ok("volt-registry", "ls", "\(bench.host)/web") == "1\n")
        } else {
            // Debian's registry cannot.
            #expect(untagged.status == 1 && untagged.stderr.contains("manifest delete"), "\(untagged.stderr)")
        }
        #expect(try bench.volt("manifest", "delete", "\(bench.host)/web:1").status == 64)
        try bench.ok("volt-registry", "manifest", "delete", "--force", "\(bench.host)/web:1")
        #expect(try bench.volt("resolve", "\(bench.host)/web:1").status == 3)
        try Files.replace("\(bench.scratch.path)/blob", with: "bytes".utf8)
        let digest = try bench.ok("volt-registry", "blob", "push", "\(bench.host)/web", "blob").dropLast()
        try bench.ok("volt-registry", "blob", "fetch", "--output", "back", "\(bench.host)/web@\(digest)")
        #expect(try Files.read("\(bench.scratch.path)/back") == Array("bytes".utf8))
        try bench.ok("volt-registry", "blob", "delete", "--force", "\(bench.host)/web@\(digest)")
        #expect(try bench.volt("blob", "fetch", "--output", "-", "\(bench.host)/web@\(digest)").status == 3)
    }

    @Test("a login is tried, kept where Docker keeps it, used, and forgotten", arguments: Kind.allCases)
    func login(kind: Kind) throws {
        let bench = try Bench(kind, hasLogins: true)
        try bench.image()
        let file = "\(bench.scratch.path)/home/.docker/config.json"
        let anonymous = try bench.volt("copy", "oci:img:a", "\(bench.host)/web:1")
        #expect(
            anonymous.status == 5 && anonymous.stderr.contains("volt registry login \(bench.host)"),
            "\(anonymous.stderr)")
        let wrong = try bench.volt(
            "login", "--username", "alice", "--password-stdin", bench.host, input: "wrong word\n")
        #expect(
            wrong.status == 5 && !wrong.stderr.contains("wrong word") && !Files.exists(file),
            "\(wrong.stderr)")
        try Files.makeDirectory("\(bench.scratch.path)/home/.docker")
        try Files.replace(
            file,
            with: "{\"psFormat\":\"x\",\"auths\":{\"other.example\":{\"auth\":\"YTpi\"}},\"n\":1.50}".utf8)
        try bench.ok(
            "volt-registry", "login", "--username", "alice", "--password-stdin", bench.host,
            input: "secret word\n")
        let kept = String(decoding: try Files.read(file), as: UTF8.self)
        #expect(kept.contains("psFormat") && kept.contains("other.example") && kept.contains("1.50"))
        var information = stat()
        #expect(stat(file, &information) == 0 && information.st_mode & 0o777 == 0o600)
        try bench.ok("volt-registry", "copy", "oci:img:a", "\(bench.host)/web:1")
        try bench.ok("volt-registry", "copy", "\(bench.host)/web:1", "\(bench.host)/other/name:1")
        // What skopeo reads, too.
        #expect(
            try bench.skopeo(
                "list-tags", "--authfile", file, "--tls-verify=false", "docker://\(bench.host)/web"
            )
            .contains("\"1\""))
        try bench.ok("volt-registry", "logout", bench.host)
        #expect(try bench.volt("ls", "\(bench.host)/web").status == 5)
        #expect(try bench.volt("logout", bench.host).status == 3)
        // And the other way round.
        try bench.ok(
            "skopeo", "login", "--authfile", file, "--tls-verify=false", "--username", "alice",
            "--password-stdin",
            bench.host, input: "secret word")
        #expect(try bench.ok("volt-registry", "ls", "\(bench.host)/web") == "1\n")
    }
}
