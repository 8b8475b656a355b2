import Testing
import VoltCore
import VoltSystem
import VoltTestKit

@Suite(.serialized, .timeLimit(.minutes(2))) struct CommandTests {
    private func create(_ host: Host, _ more: String..., name: String = "a", provider: String = "github")
        throws
        -> ToolRunner.Result
    {
        try host.tool.run(
            [
                "volt-gitops", "create", "--name", name, "--repo",
                "https://git.example.invalid/team/\(name).git",
                "--provider", provider, "--branch", "main", "--workload", name,
            ] + more)
    }

    @Test("the hosted providers are created, listed and deleted as the documentation says")
    func lifecycle() throws {
        let host = try Host()
        for provider in ["github", "gitlab", "bitbucket"] {
            let made = try create(host, "--secret", "s3cret-\(provider)", name: provider, provider: provider)
            #expect(made.status == 0, "\(made.stderr)")
            #expect(made.stdout.isEmpty)
            #expect(made.stderr.contains("/hooks/\(provider)"))
        }
        let list = try host.gitops("list")
        #expect(
            list.stdout == """
                NAME       REPO                                            BRANCH  PROVIDER   WORKLOAD   POLL
                bitbucket  https://git.example.invalid/team/bitbucket.git  main    bitbucket  bitbucket  60s
                github     https://git.example.invalid/team/github.git     main    github     github     60s
                gitlab     https://git.example.invalid/team/gitlab.git     main    gitlab     gitlab     60s

                """)
        #expect(try host.gitops("list", "--quiet").stdout == "bitbucket\ngithub\ngitlab\n")
        let json = try host.gitops("list", "-o", "json").stdout
        #expect(json.contains(#""provider" : "bitbucket""#))
        #expect(try host.gitops("list", "-q", "--json").stdout == json)
        let status = try host.gitops("status")
        #expect(status.stderr == "webhook server: not running; start it with 'volt gitops serve'\n")
        let header = status.stdout.split(separator: "\n").first ?? ""
        #expect(
            header.split(separator: "  ").map { $0.trimming } == [
                "NAME", "REPO", "BRANCH", "PROVIDER", "LAST DEPLOY", "STATUS",
            ])
        for text in [list.stdout, json, status.stdout] { #expect(!text.contains("s3cret")) }
        #expect(
            try host.gitops("logs", "--name", "gitlab", "--limit", "50").stdout
                == "TIMESTAMP  COMMIT  BRANCH  STATUS  DURATION  NOTES\n")
        let deleted = try host.gitops("delete", "--name", "gitlab")
        #expect(deleted.status == 0)
        #expect(deleted.stderr == "deleted pipeline 'gitlab'; workload 'gitlab' keeps running\n")
        #expect(try host.gitops("delete", "--name", "gitlab").status == 3)
        #expect(try !host.gitops("list").stdout.contains("gitlab"))
    }

    @Test("secrets are files of mode 0600 in a directory of mode 0700")
    func secretFiles() throws {
        let host = try Host()
        #expect(try create(host, "--secret-file", "\(host.directory)/secret").status == 0)
        let modes = try host.tool.run(
            [
                "stat", "-c", "%a", "\(host.directory)/root/lib/gitops",
                "\(host.directory)/root/lib/gitops/secrets/a",
            ])
        #expect(modes.stdout == "700\n600\n")
        #expect(try Files.read("\(host.directory)/root/lib/gitops/secrets/a") == host.secret)
        let piped = try host.tool.run(
            [
                "volt-gitops", "create", "--name", "b", "--repo", "https://git.example.invalid/b.git",
                "--provider",
                "gitlab", "--branch", "main", "--workload", "b", "--secret-stdin",
            ], input: "from stdin\n")
        #expect(piped.status == 0)
        #expect(try Files.read("\(host.directory)/root/lib/gitops/secrets/b") == Array("from stdin".utf8))
    }

    @Test(
        "a pipeline that cannot work is refused with its exit code, and nothing is left",
        arguments: [
            ([], 5), (["--secret", ""], 64), (["--secret", "x", "--secret-stdin"], 64),
            (["--secret", "x", "--poll-interval", "0"], 64), (["--secret", "x", "--path", "../up"], 64),
            (["--secret", "x", "--timeout", "soon"], 64), (["--secret", "x", "--branch", "-x"], 64),
            (["--secret", "x", "--name", "A_b"], 64), (["--secret", "x", "--workload", ""], 64),
            (["--secret", "x", "--provider", "cvs"], 64),
            (["--secret", "x", "--repo", "git://git.example/a"], 5),
            (["--secret", "x", "--repo", "http://git.example/a"], 5),
            (["--secret", "x", "--repo", "/srv/a"], 5),
            (["--secret", "x", "--repo", "https://user:pw@git.example/a"], 5),
            (["--secret-file", "/none"], 3), (["--secret", "x", "--ssh-key", "/none"], 3),
        ] as [([String], Int32)])
    func refused(more: [String], status: Int32) throws {
        let host = try Host()
        let defaults = [
            "--name": "a", "--repo": "https://git.example.invalid/a.git", "--provider": "github",
            "--branch": "main",
            "--workload": "a",
        ]
        let rest = defaults.filter { !more.contains($0.key) }.flatMap { [$0.key, $0.value] }
        let result = try host.tool.run(["volt-gitops", "create"] + rest + more)
        #expect(result.status == status, "\(result.stderr)")
        #expect(result.stderr.hasPrefix("volt-gitops: error: "))
        #expect(!result.stderr.contains("pw"))
        #expect(try host.gitops("list", "-o", "json").stdout == "[\n\n]\n")
    }

    @Test("a name that is taken is a conflict")
    func taken() throws {
        let host = try Host()
        #expect(try create(host, "--secret", "x").status == 0)
        let again = try create(host, "--secret", "x")
        #expect(again.status == 4)
        #expect(again.stderr.contains("pipeline 'a' exists already"))
    }

    @Test("install-service writes a unit that runs this program")
    func service() throws {
        let host = try Host()
        let made = try host.gitops("install-service", "--destination", "\(host.directory)/units")
        #expect(made.status == 0)
        #expect(
            made.stderr.contains(
                "systemctl enable volt-gitops.service && systemctl restart volt-gitops.service"))
        let unit = String(
            decoding: try Files.read("\(host.directory)/units/volt-gitops.service"), as: UTF8.self)
        #expect(unit.contains("ExecStart=\(ToolRunner.products)/volt-gitops serve\n"))
        #expect(unit.contains("Type=notify\n"))
    }

    @Test("install-service keeps a port that was edited, and writes nothing of the host for another root")
    func servicePort() throws {
        let host = try Host()
        let directory = "\(host.directory)/root/etc/systemd/system"
        let made = try host.gitops("install-service", "--port", "9191")
        #expect(
            made.status == 0 && made.stderr.contains("wrote \(directory)/volt-gitops.service"),
            "\(made.stderr)")
        #expect(made.stderr.contains("systemctl link \(directory)/volt-gitops.service"))
        func text(_ unit: String) throws -> String {
            String(decoding: try Files.read("\(directory)/\(unit)"), as: UTF8.self)
        }
        #expect(try host.gitops("install-service", "--socket").status == 0)
        #expect(try text("volt-gitops.socket").contains("\nListenStream=9191\n"))
        // As 'volt service edit --port 9292' does.
        try Files.makeDirectory("\(directory)/volt-gitops.socket.d")
        try Files.replace(
            "\(directory)/volt-gitops.socket.d/override.conf",
            with: "[Socket]\nListenStream=\nListenStream=9292\n".utf8)
        #expect(try host.gitops("install-service").status == 0)
        #expect(try text("volt-gitops.socket").contains("\nListenStream=9292\n"))
        #expect(try host.gitops("install-service", "--no-socket").status == 0)
        #expect(try text("volt-gitops.service").contains("VOLT_GITOPS_PORT=9292\n"))
    }
}

extension Substring {
    fileprivate var trimming: String {
        String(self.drop { $0 == " " }.reversed().drop { $0 == " " }.reversed())
    }
}
