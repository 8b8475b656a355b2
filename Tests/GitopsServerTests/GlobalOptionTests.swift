import Glibc
import Testing
import VoltSystem
import VoltTestKit

@Suite(.timeLimit(.minutes(2))) struct GlobalOptionTests {
    @Test(
        "a value that an option or its variable does not have is a usage error, of tools and of volt alike",
        arguments: [
            (["--color", "red"], "VOLT_COLOR=red", "'red' is not a value of --color"),
            (["--log-level=loud"], "VOLT_LOG=loud", "'loud' is not a value of --log-level"),
        ])
    func wrongValues(options: [String], variable: String, message: String) throws {
        let host = try Host()
        for words in [
            ["volt-gitops"] + options + ["list"], ["volt"] + options + ["gitops", "list"],
            ["env", variable, "volt-gitops", "list"], ["env", variable, "volt", "gitops", "list"],
        ] {
            let result = try host.tool.run(words)
            #expect(result.status == 64, "\(words)")
            #expect(result.stderr.contains(": error: \(message)"), "\(words): \(result.stderr)")
            #expect(result.stdout == "")
        }
    }

    @Test("a configuration file is refused, since nothing reads one")
    func configuration() throws {
        let host = try Host()
        let result = try host.tool("volt", "--config", "c.yaml", "gitops", "list")
        #expect(result.status == 64)
        #expect(
            result.stderr.contains(
                "'volt-gitops' has no configuration file, so '\(host.directory)/c.yaml' would change nothing")
        )
    }

    @Test("status words get a colour when it is asked for, and a pipe gets none by itself")
    func color() throws {
        let host = try Host()
        try host.createSite()
        try #require(try host.gitops("sync", "--name", "site").status == 0)
        let plain = try host.gitops("status").stdout
        #expect(!plain.contains("\u{1B}"))
        let painted = try host.tool("volt-gitops", "--color", "always", "status").stdout
        #expect(painted.contains("\u{1B}[32msuccess\u{1B}[0m"))
        #expect(painted.replacing("\u{1B}[32m", with: "").replacing("\u{1B}[0m", with: "") == plain)
        #expect(try host.tool("volt-gitops", "--color=never", "status").stdout == plain)
        let wrong = try host.tool("volt-gitops", "--color", "always", "sync", "--name", "none").stderr
        #expect(wrong.contains("\u{1B}[31merror:\u{1B}[0m there is no pipeline 'none'"))
    }

    @Test(
        "a terminal gets colours unless NO_COLOR is set",
        .enabled(if: Files.exists("/usr/bin/script"), "needs script"))
    func terminal() throws {
        let host = try Host()
        var tool = host.tool
        tool.environment["TERM"] = "xterm"
        func run(_ variable: String) throws -> String {
            try tool("script", "-qec", "env \(variable) volt-gitops sync --name none", "/dev/null").stdout
        }
        #expect(try run("A=").contains("\u{1B}[31merror:"))
        #expect(try run("NO_COLOR=").contains("\u{1B}[31merror:"))
        #expect(try !run("NO_COLOR=1").contains("\u{1B}"))
        #expect(try !run("TERM=dumb").contains("\u{1B}"))
    }

    @Test("the level decides which lines a server logs, and debug has a tool say what it does")
    func levels() throws {
        let host = try Host()
        try host.createSite()
        let secret = "\(host.directory)/root/lib/gitops/secrets/site"
        try Files.remove(secret)
        #expect(
            try host.tool("volt-gitops", "--log-level", "debug", "list").stderr.contains(
                "debug: volt-gitops "))
        #expect(try host.gitops("list").stderr == "")
        for (level, shows) in [("warning", false), ("info", true)] {
            let log = "\(host.directory)/\(level).log"
            let output = creat(log, 0o600)
            defer { close(output) }
            let pid = try Processes.spawnDetached(
                "\(ToolRunner.products)/volt-gitops",
                ["--log-level", level, "serve", "--port", "0", "--listen", "127.0.0.1"],
                environment: host.tool.environment, descriptors: [2: output])
            defer { waitpid(pid, nil, 0) }
            let address = "\(host.directory)/root/run/gitops/serve.json"
            try host.wait("for the server") { Files.exists(address) }
            kill(pid, SIGTERM)
            try host.wait("for its end") { !Processes.isAlive(pid) }
            let text = String(decoding: try Files.read(log), as: UTF8.self)
            #expect(text.contains("error: site: the secret"), "\(text)")
            #expect(text.contains("listening on ") == shows, "\(text)")
        }
    }

    @Test("a tool says when volt speaks another version of the contract, and goes on")
    func contract() throws {
        let host = try Host()
        let same = try host.tool("env", "VOLT_EXE=/x", "VOLT_CONTRACT=1", "volt-gitops", "list")
        #expect(same.status == 0)
        #expect(same.stderr == "")
        let other = try host.tool("env", "VOLT_EXE=/x", "VOLT_CONTRACT=2", "volt-gitops", "list")
        #expect(other.status == 0)
        #expect(other.stderr.contains("warning: 'volt' speaks version 2 of the contract, and this tool 1"))
    }
}
