import Testing
import VoltCore
import VoltSystem
import VoltTestKit

/// What a machine must have for the tests that run containers.
private let isCapable =
    HostPaths.runsAsRoot && Files.exists("/usr/bin/systemd-nspawn") && Files.exists("/usr/bin/mmdebstrap")

/// The root of the repository.
private let root = Files.parent(of: Files.parent(of: Files.parent(of: #filePath)))

@Suite(.serialized) struct HostTests {
    @Test(
        "make demo goes from two pushes to two served pages and leaves nothing behind",
        .enabled(if: isCapable, "needs root and systemd-nspawn"), .timeLimit(.minutes(3)))
    func demo() throws {
        let scratch = try ScratchDirectory()
        var run = ToolRunner(scratch: scratch.path)
        run.environment["TMPDIR"] = scratch.path
        run.environment["VOLT_DEMO_BUILD"] = Files.lastComponent(of: ToolRunner.products)
        let result = try run("\(root)/scripts/demo")
        #expect(result.status == 0, "\(result.stdout)\n\(result.stderr)")
        #expect(result.stdout.contains("<h1>Served by commit one</h1>"))
        #expect(result.stdout.contains("<h1>Served by commit two</h1>"))
        #expect(try Files.list(scratch.path).filter { $0.hasPrefix("volt-demo") }.isEmpty)
    }

    @Test(
        "on a host with systemd a deploy goes through the installed service, whose restart leaves the container running",
        .enabled(if: isCapable, "needs root, systemd-nspawn and mmdebstrap"), .timeLimit(.minutes(5)))
    func systemd() throws {
        let scratch = try ScratchDirectory()
        var run = ToolRunner(scratch: scratch.path)
        // The toolchain's runtime is found through swift on PATH.
        run.environment["PATH"] = Environment.current["PATH"]
        let result = try run("\(root)/scripts/test-on-systemd", ToolRunner.products)
        #expect(result.status == 0, "\(result.stdout)\n\(result.stderr)")
        #expect(
            result.stdout.split(separator: "\n").filter { $0.hasPrefix("ok: ") }.count == 9,
            "\(result.stdout)")
    }

    @Test("a volt-gitops installed alone creates, lists and serves")
    func alone() throws {
        let scratch = try ScratchDirectory()
        for directory in ["bin", "libexec/volt"] {
            try Files.makeDirectory("\(scratch.path)/prefix/\(directory)")
        }
        var run = ToolRunner(scratch: scratch.path)
        for (program, directory) in [("volt-gitops", "bin"), ("volt-gitops--worker", "libexec/volt")] {
            let copy = try run(
                "cp", "\(ToolRunner.products)/\(program)", "\(scratch.path)/prefix/\(directory)/\(program)")
            #expect(copy.status == 0)
        }
        run.environment["PATH"] = "\(scratch.path)/prefix/bin:/usr/bin:/bin"
        try Files.replace("\(scratch.path)/secret", with: "a secret\n".utf8, mode: 0o600)
        let created = try run(
            "volt-gitops", "create", "--name", "site", "--repo", "https://git.example.invalid/team/site.git",
            "--provider", "github", "--branch", "main", "--workload", "web", "--secret-file", "secret")
        #expect(created.status == 0, "\(created.stderr)")
        #expect(
            try run("volt-gitops", "list").stdout.contains("site  https://git.example.invalid/team/site.git"))
        #expect(try run("volt", "--version").status == 127, "volt is not on this PATH")
        let log = "\(scratch.path)/serve.log"
        let serve = try run(
            "sh", "-c",
            """
            volt-gitops serve --port 0 --listen 127.0.0.1 2> \(log) & server=$!
            for i in $(seq 100); do grep -q listening \(log) && break; sleep 0.05; done
            kill $server; wait $server
            """)
        #expect(serve.status == 0, "\(serve.stderr)")
        #expect(
            String(decoding: try Files.read(log), as: UTF8.self).contains("listening on http://127.0.0.1:"))
    }

    @Test(
        "create of a Subversion pipeline shows the URL that trunk means",
        .enabled(if: Files.exists("/usr/bin/svnserve"), "needs the package subversion"))
    func subversion() throws {
        let scratch = try ScratchDirectory()
        let run = ToolRunner(scratch: scratch.path)
        let port = try run("volt-demo", "free-port").stdout.filter(\.isNumber)
        let script = """
            svnadmin create repo && svn mkdir -q -m trunk file://$PWD/repo/trunk
            svnserve --daemon --foreground --listen-host 127.0.0.1 --listen-port \(port) -r $PWD/repo & server=$!
            for i in $(seq 100); do svn info svn://127.0.0.1:\(port)/trunk >/dev/null 2>&1 && break; sleep 0.05; done
            volt gitops create --name docs --repo svn://127.0.0.1:\(port)/trunk --provider svn --branch trunk --workload docs
            status=$?
            volt gitops list
            volt gitops delete --name docs
            kill $server
            exit $status
            """
        let result = try run("sh", "-c", script)
        #expect(result.status == 0, "\(result.stderr)")
        #expect(
            result.stderr.contains("of 'svn://127.0.0.1:\(port)/trunk' to workload 'docs'"),
            "\(result.stderr)")
        #expect(
            result.stdout.contains("docs  svn://127.0.0.1:\(port)/trunk  trunk   svn"), "\(result.stdout)")
    }
}
