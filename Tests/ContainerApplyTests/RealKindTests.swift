import Testing
import VoltCore
import VoltSystem
import VoltTestKit

/// Containers beside another kind of workload, a script.
@Suite(
    .serialized, .timeLimit(.minutes(3)),
    .enabled(if: runsContainers, "real containers need root, systemd-nspawn and a static busybox"))
struct RealKindTests {
    let host: RealHost

    init() throws { host = try RealHost() }

    /// Installs `volt-shelf` as a kind: it has the workload `web` as long as the file `shelf` says how it is.
    private func installShelf() throws -> ToolRunner {
        let scratch = host.scratch.path
        try Files.makeDirectory("\(scratch)/bin")
        try Files.replace(
            "\(scratch)/bin/volt-shelf",
            with: """
                #!/bin/sh
                state=$(cat '\(scratch)/shelf' 2>/dev/null || echo absent)
                status="{\\"workload\\":\\"web\\",\\"state\\":\\"$state\\",\\"health\\":\\"none\\",\\"restarts\\":0}"
                case $1 in
                status) echo "$status" ;;
                list) echo "[$status]" ;;
                *) exit 64 ;;
                esac
                """.utf8, mode: 0o755)
        try Files.makeDirectory("\(scratch)/share/volt/commands")
        try Files.replace(
            "\(scratch)/share/volt/commands/shelf.json",
            with:
                #"{"contract": 1, "name": "shelf", "version": "1", "summary": "s", "kinds": ["shelf"]}"#.utf8)
        var run = host.run
        run.environment["PATH"] = "\(ToolRunner.products):\(scratch)/bin:/usr/sbin:/usr/bin:/sbin:/bin"
        return run
    }

    @Test("a name that another kind has is refused with exit code 4, until it is handed over")
    func otherKind() throws {
        let run = try installShelf()
        let source = try host.source("1", page: "one")
        let apply = host.words(source, "1")
        let claim = "\(host.scratch.path)/root/lib/claims/web"
        try Files.replace("\(host.scratch.path)/shelf", with: "running".utf8)
        for words in [apply, apply + ["--dry-run"]] {
            let refused = try run.run(words)
            #expect(refused.status == 4, "\(refused.stdout)\(refused.stderr)")
            #expect(refused.stderr.contains("workload 'web' belongs to kind 'shelf'"), "\(refused.stderr)")
            #expect(refused.stderr.contains("--replace-kind shelf"))
        }
        #expect(try !run("volt-container", "ps", "--all").stdout.contains("web-1"))
        #expect(try run.run(apply + ["--replace-kind", "shelf"]).status == 0)
        #expect(String(decoding: try Files.read(claim), as: UTF8.self) == "volt-claim 1 container\n")
        #expect(try host.page() == "one")
        // A claim of another kind that says it has no such workload is left over.
        try Files.replace(claim, with: "volt-claim 1 shelf\n".utf8)
        #expect(try run.run(apply).status == 4)
        try Files.remove("\(host.scratch.path)/shelf")
        let taken = try run.run(apply)
        #expect(taken.status == 0 && taken.stdout.contains("\"unchanged\""), "\(taken.stdout)")
    }

    @Test("a container waits for a workload of another kind, and ends with 75 when that is in vain")
    func after() throws {
        let run = try installShelf()
        let source = try host.source("1", page: "one")
        let manifest = "\(source)/volt-manifest.yaml"
        try Files.replace(manifest, with: try Files.read(manifest) + Array("\nafter: [shop]\n".utf8))
        var words = host.words(source, "1")
        words[words.count - 3] = "1s"
        let result = try run.run(words)
        #expect(result.status == 75, "\(result.stdout)\(result.stderr)")
        #expect(result.stderr.contains("'web' waited in vain for 'shop', which is not deployed"))
    }

    @Test("a container whose definition was changed by hand is replaced, and --dry-run says so")
    func changed() throws {
        try host.deploy("1", page: "one")
        let source = try host.source("1", page: "one")
        let words = host.words(source, "1")
        #expect(try host.run.run(words + ["--dry-run"]).stdout.contains("\"unchanged\""))
        let file = "\(host.scratch.path)/root/lib/container/containers/web-1/spec.json"
        let text = String(decoding: try Files.read(file), as: UTF8.self)
        try Files.replace(
            file, with: text.replacing("\"environment\":{", with: "\"environment\":{\"A\":\"one\",").utf8)
        let plan = try host.run.run(words + ["--dry-run"])
        #expect(
            plan.stdout.contains("\"replace\"") && plan.stdout.contains("environment: A"), "\(plan.stdout)")
        #expect(try host.run.run(words).stdout.contains("\"deployed\""))
        #expect(try host.run.run(words + ["--dry-run"]).stdout.contains("\"unchanged\""))
        let list = try host.run("volt-container", "list", "-o", "json")
        #expect(
            list.stdout.contains("\"workload\" : \"web\"") && list.stdout.hasPrefix("["), "\(list.stdout)")
    }
}
