import RegistryEngine
import Testing
import VoltCore
import VoltOCI
import VoltSystem
import VoltTestKit

@Suite(
    .timeLimit(.minutes(3)),
    .enabled(
        if: ["docker-registry", "skopeo", "umoci"].allSatisfy { Files.exists("/usr/bin/\($0)") },
        "needs the packages docker-registry, skopeo and umoci"))
struct SyncTests {
    /// A registry with `team/web` and `team/api`, and the file that is run.
    private func bench(_ kind: Kind, tags: [String] = ["1", "2"]) throws -> Bench {
        let bench = try Bench(kind)
        try bench.image()
        for tag in tags {
            try bench.ok("volt-registry", "copy", "-q", "oci:img:a", "\(bench.host)/team/web:\(tag)")
        }
        try Files.replace("\(bench.scratch.path)/rootfs/etc/motd", with: "api\n".utf8)
        try bench.ok("umoci", "insert", "--image", "img:a", "rootfs", "/")
        try bench.ok("volt-registry", "copy", "-q", "oci:img:a", "\(bench.host)/team/api:1")
        return bench
    }

    private func sync(_ bench: Bench, _ text: String, _ words: String...) throws -> ToolRunner.Result {
        try Files.replace("\(bench.scratch.path)/sync.yaml", with: "version: 1\nsync:\n\(text)".utf8)
        return try bench.run.run(["volt-registry", "sync", "-q"] + words + ["sync.yaml"])
    }

    @Test("repositories go to a disk, and from it into another registry", arguments: Kind.allCases)
    func airGap(kind: Kind) throws {
        let bench = try bench(kind)
        let out = "  - { from: \(bench.host)/team/**, to: \"oci:usb/team\" }\n"
        let said = try sync(bench, out, "--dry-run")
        #expect(said.status == 0, "\(said.stderr)")
        #expect(said.stdout.split(separator: "\n").allSatisfy { $0.hasPrefix("would copy oci:") })
        #expect(said.stdout.split(separator: "\n").count == 3)
        #expect(!Files.exists("\(bench.scratch.path)/usb"))
        let first = try sync(bench, out)
        #expect(first.status == 0 && first.stdout.split(separator: "\n").count == 3, "\(first.stderr)")
        #expect(first.stdout.split(separator: "\n").allSatisfy { $0.hasPrefix("copied oci:") })
        let again = try sync(bench, out)
        #expect(again.stdout.split(separator: "\n").allSatisfy { $0.hasPrefix("unchanged ") })
        #expect(try bench.skopeo("inspect", "--raw", "oci:usb/team/api:1").contains("layers"))
        let other = try Bench(kind == .volt ? .docker : .volt)
        try Files.replace(
            "\(bench.scratch.path)/in.yaml",
            with: "version: 1\nsync: [{ from: \"oci:usb/**\", to: \(other.host)/far }]\n".utf8)
        try bench.ok("volt-registry", "sync", "-q", "in.yaml")
        let found = try bench.ok("volt-registry", "ls", other.host).split(separator: "\n")
        #expect(Set(found) == ["far/team/web", "far/team/api"])
        let digest = try bench.ok("volt-registry", "resolve", "\(bench.host)/team/web:2")
        #expect(try bench.ok("volt-registry", "resolve", "\(other.host)/far/team/web:2") == digest)
    }

    @Test("tags are chosen by pattern and by version, and what is about them comes along")
    func choice() throws {
        let tags = ["v1.9", "v1.10", "v1.10-rc1", "v2.0", "latest", "v0.1"]
        let bench = try bench(.volt, tags: tags)
        try Files.replace("\(bench.scratch.path)/note", with: "note".utf8)
        try bench.ok(
            "volt-registry", "attach", "--artifact-type", "a/note", "\(bench.host)/team/web:v2.0", "note")
        let entry = """
              - from: \(bench.host)/team/web
                to: \(bench.host)/copy
                tags: ["v[12].*", latest]
                newest: 3
                referrers: true

            """
        let result = try sync(bench, entry, "-o", "json")
        #expect(result.status == 0, "\(result.stderr)")
        let names = Set(try bench.ok("volt-registry", "ls", "\(bench.host)/copy").split(separator: "\n"))
        #expect(names == ["v2.0", "v1.10", "v1.10-rc1"])
        #expect(try bench.ok("volt-registry", "discover", "\(bench.host)/copy:v2.0").contains("a/note"))
    }

    @Test("tags that belong to a chosen image come along, and are not counted among the newest")
    func companionTags() throws {
        let bench = try bench(.docker, tags: ["1", "2"])
        try Files.replace("\(bench.scratch.path)/note", with: "note".utf8)
        let stem = try bench.ok("volt-registry", "resolve", "\(bench.host)/team/web:2").dropLast()
            .replacing(":", with: "-")
        for tag in ["\(stem).sig", "\(stem).att"] {
            try bench.ok(
                "volt-registry", "push", "--artifact-type", "a/note", "\(bench.host)/team/web:\(tag)", "note")
        }
        for (to, choice) in [("pattern", "tags: [\"2\"]"), ("newest", "newest: 1"), ("all", "tags: []")] {
            let entry =
                "  - { from: \(bench.host)/team/web, to: \(bench.host)/\(to), \(choice), referrers: true }\n"
            let result = try sync(bench, entry)
            #expect(result.status == 0, "\(result.stderr)")
            let names = Set(try bench.ok("volt-registry", "ls", "\(bench.host)/\(to)").split(separator: "\n"))
            #expect(names.isSuperset(of: ["2", "\(stem).sig", "\(stem).att"]), "\(to): \(names)")
            #expect(names.count == (to == "all" ? 4 : 3))
        }
    }

    @Test("what fails does not keep the others from their turn")
    func partial() throws {
        let bench = try bench(.volt)
        let result = try sync(
            bench,
            """
              - { from: \(bench.host)/team/none, to: \(bench.host)/copy }
              - { from: "localhost:1/**", to: \(bench.host)/copy }
              - { from: \(bench.host)/team/api, to: \(bench.host)/copy }

            """)
        #expect(result.status == 2, "\(result.stderr)")
        #expect(result.stdout.hasPrefix("copied \(bench.host)/copy:1@sha256:"))
        #expect(result.stderr.contains("team/none'") && result.stderr.contains("'localhost:1/**'"))
    }

    @Test("what stands for no repository or no tag is told, and is 3 when there was nothing else")
    func nothing() throws {
        let bench = try bench(.volt, tags: ["1"])
        let (none, tree) = (
            "  - { from: \(bench.host)/team/web, to: \(bench.host)/copy, tags: [\"9.*\"] }\n",
            "  - { from: \(bench.host)/other/**, to: \(bench.host)/copy }\n"
        )
        let both = try sync(bench, none + tree, "-o", "json")
        #expect(both.status == 3 && both.stdout.contains("\"result\" : \"nothing\""), "\(both.stdout)")
        #expect(both.stdout.contains("no tag is there") && both.stdout.contains("no repository is there"))
        let some = try sync(bench, none + "  - { from: \(bench.host)/team/api, to: \(bench.host)/copy }\n")
        #expect(some.status == 2 && some.stdout.hasPrefix("copied "), "\(some.stdout)")
        try bench.ok("volt-registry", "untag", "\(bench.host)/team/api:1")
        let empty = try Bench(.volt)
        for place in ["\(bench.host)/team/api", empty.host] {
            let listed = try bench.volt("ls", place)
            #expect(listed.status == 3 && listed.stdout.isEmpty, "\(place): \(listed.stderr)")
        }
    }

    @Test(
        "a mistake is told with file, line and column",
        arguments: [
            ("version: 2\nsync: []\n", "1:10"), ("version: 1\nsync: []\n", "2:7"),
            ("version: 1\nsync:\n  - from: alpine\n    to: oci:a\n", "3:11"),
            ("version: 1\nsync:\n  - from: oci:a\n    to: oci:a\n", "4:9"),
            ("version: 1\nsync:\n  - from: oci:a\n    to: oci:b\n    newest: 0\n", "5:13"),
            ("version: 1\nsync:\n  - from: oci:a\n    to: oci:b\n    platform: linux\n", "5:15"),
            ("version: 1\nsync:\n  - from: oci:a\n    too: oci:b\n", "4:5"),
        ])
    func mistakes(text: String, place: String) throws {
        let scratch = try ScratchDirectory()
        try Files.replace("\(scratch.path)/sync.yaml", with: text.utf8)
        let result = try ToolRunner(scratch: scratch.path).run(["volt-registry", "sync", "sync.yaml"])
        #expect(result.status == 64 && result.stderr.contains("sync.yaml:\(place)"), "\(result.stderr)")
    }

    @Test("versions have the order of their numbers")
    func versions() throws {
        let file = try SyncFile.read(
            Array("version: 1\nsync: [{ from: \"oci:a\", to: \"oci:b\", newest: 3 }]\n".utf8),
            path: "/sync.yaml")
        let picked = file.entries[0].select(["1.2", "1.10", "latest", "1.10-rc1", "1.9.9", "v1.11", "edge-2"])
        #expect(picked == ["v1.11", "1.10", "1.10-rc1"])
    }
}
