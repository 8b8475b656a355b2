import Testing
import VoltCore
import VoltSystem
import VoltTestKit

@testable import GitopsEngine

@Suite(.timeLimit(.minutes(1))) struct ExportTests {
    private func write(_ host: Host, _ text: String) throws -> String {
        let file = "\(host.directory)/pipelines.yaml"
        try Files.replace(file, with: text.utf8)
        return file
    }

    @Test("what is exported is imported as it is, on this host and on a new one")
    func roundTrip() throws {
        let host = try Host()
        try host.createSite("--path", "deploy/site", "--timeout", "90s", "--username", "true")
        #expect(
            try host.gitops(
                "create", "--name", "docs", "--repo", "https://git.example.invalid/docs.git", "--provider",
                "gitlab",
                "--branch", "release/1.0", "--workload", "docs", "--insecure-no-secret"
            ).status == 0)
        let exported = try host.gitops("export").stdout
        #expect(
            exported == """
                # Written by 'volt gitops export'. Secrets stay on the host: secretFile says where.
                apiVersion: volt/v1
                kind: pipelines
                pipelines:
                  - name: docs
                    repo: https://git.example.invalid/docs.git
                    provider: gitlab
                    branch: release/1.0
                    workload: docs
                    insecureNoSecret: true
                  - name: site
                    repo: \(host.repository)
                    provider: github
                    branch: main
                    workload: web
                    path: deploy/site
                    secretFile: \(host.directory)/root/lib/gitops/secrets/site
                    allowFile: true
                    pollInterval: 86400
                    timeout: 90
                    username: "true"

                """)
        #expect(!exported.contains("Secret to Everybody"))
        let file = try write(host, exported)
        let again = try host.gitops("import", file)
        #expect(again.status == 0, "\(again.stderr)")
        #expect(again.stderr.contains("nothing to change"))

        let other = try Host()
        let moved = exported.replacing(
            "\(host.directory)/root/lib/gitops/secrets/site", with: "secret")
        let copy = try write(other, moved)
        #expect(try other.gitops("import", copy).status == 0)
        let list = { (host: Host) in
            try host.gitops("list", "-o", "json").stdout.split(separator: "\n").filter {
                !$0.contains("createdAt")
            }
        }
        #expect(try list(host) == list(other))
        let secret = "\(other.directory)/root/lib/gitops/secrets/site"
        #expect(try Files.read(secret) == host.secret)
    }

    @Test("what is followed, when it is deployed and who is told survive a way out and back")
    func settings() throws {
        let host = try Host()
        try host.createSite(
            "--paths", "www/**", "--fast-forward-only", "--submodules", "--lfs", "--window",
            "deny 0 9 * * 1-5 8h Europe/Berlin",
            "--notify", "ntfy+https://ntfy.example.invalid/topic")
        let file = try write(host, try host.gitops("export").stdout)
        let again = try host.gitops("import", file)
        #expect(again.stderr.contains("nothing to change"), "\(again.stdout)\(again.stderr)")
        let text = String(decoding: try Files.read(file), as: UTF8.self)
        for (right, wrong, hint) in [
            ("fastForwardOnly: true", "fastForwardOny: true", "did you mean 'fastForwardOnly'?"),
            ("effect: deny", "effect: denied", ""), ("- www/**", "- ../www", ""),
        ] {
            #expect(text.contains(right), "\(text)")
            let result = try host.gitops("import", try write(host, text.replacing(right, with: wrong)))
            #expect(result.status != 0, "\(wrong)")
            #expect(result.stderr.contains("pipelines.yaml:"), "\(result.stderr)")
            #expect(result.stderr.contains(hint), "\(result.stderr)")
        }
    }

    @Test("a file without drift means what create does, and a pipeline that has none is exported as off")
    func drift() throws {
        let host = try Host()
        try host.createSite()
        let plain = try host.gitops("export").stdout
        #expect(!plain.contains("control"), "what create does is not written: \(plain)")
        func shown() throws -> [String] {
            try host.gitops("control", "--name", "site").stdout.split(separator: "\n").filter {
                $0.hasPrefix("drift")
            }.map { $0.split(separator: " ").suffix($0.contains("interval") ? 2 : 1).joined(separator: " ") }
        }
        let created = try shown()
        #expect(created.first == "report")
        #expect(try host.gitops("delete", "--name", "site").status == 0)
        let secret = "secretFile: \(host.directory)/secret"
        let lines = plain.split(separator: "\n").map { $0.contains("secretFile:") ? "    \(secret)" : $0 }
        let file = try write(host, lines.joined(separator: "\n") + "\n")
        #expect(try host.gitops("import", file).status == 0)
        #expect(try shown() == created)
        // Also beside other settings.
        let more = try write(
            host, lines.joined(separator: "\n") + "\n    control: {requiresApproval: true}\n")
        #expect(try host.gitops("import", more).stdout.contains("requiresApproval"))
        #expect(try shown() == created)

        // As an earlier Volt left it.
        let journal = try Journal(state: "\(host.directory)/root/lib/gitops")
        var old = try journal.pipeline("site")
        old.control = nil
        try journal.replace(old)
        let exported = try host.gitops("export").stdout
        #expect(exported.contains("    control:\n      drift: \"off\"\n"), "\(exported)")
        #expect(try host.gitops("import", try write(host, exported)).stderr.contains("nothing to change"))
        #expect(try journal.pipeline("site").control == nil)
        #expect(try shown().first == "off")
        _ = try host.gitops("delete", "--name", "site")
        let there = try write(
            host,
            exported.replacing("\(host.directory)/root/lib/gitops/secrets/site", with: "secret").replacing(
                "\"off\"", with: "off"))
        #expect(try host.gitops("import", there).status == 0)
        #expect(try shown().first == "off")
        // What is written without drift is another thing than what runs.
        let changed = try host.gitops("import", try write(host, lines.joined(separator: "\n") + "\n"))
        #expect(changed.stdout.contains("control"), "\(changed.stdout)\(changed.stderr)")
        #expect(try shown() == created)
    }

    @Test(
        "an import says what it changes, a dry run changes nothing, and --prune deletes what is not in the file"
    )
    func changes() throws {
        let host = try Host()
        try host.createSite()
        let exported = try host.gitops("export", "--name", "site").stdout
        let changed = exported.replacing("branch: main", with: "branch: next").replacing(
            "name: site", with: "name: other"
        ).replacing("workload: web", with: "workload: other")
        let both =
            exported.replacing("branch: main", with: "branch: stable")
            + changed.split(separator: "\n").drop { !$0.contains("- name") }.joined(separator: "\n")
        let file = try write(host, both)
        let dry = try host.gitops("import", file, "--dry-run")
        #expect(
            dry.stdout == """
                PIPELINE  ACTION  KEY     OLD   NEW
                other     create
                site      update  branch  main  stable

                """, "\(dry.stdout)\(dry.stderr)")
        #expect(try host.gitops("export").stdout == exported)
        #expect(try host.gitops("import", file).status == 0)
        #expect(try host.gitops("list").stdout.contains("stable"))
        let only = try write(host, exported)
        let pruned = try host.gitops("import", only, "--prune", "-o", "json")
        #expect(pruned.stdout.contains("\"action\" : \"delete\""), "\(pruned.stdout)\(pruned.stderr)")
        #expect(try host.gitops("export").stdout == exported)
        let empty = try host.gitops(
            "import", try write(host, "apiVersion: volt/v1\nkind: pipelines\npipelines: []\n"), "--prune")
        #expect(empty.status == 5, "an empty file does not delete everything")
    }

    @Test(
        "relative paths of every file in a document are seen from its directory, and a file that is not there is named"
    )
    func files() throws {
        let host = try Host()
        let text = """
            apiVersion: volt/v1
            kind: pipelines
            pipelines:
              - name: site
                repo: https://git.example.invalid/site.git
                provider: github
                workload: site
                secretFile: secret
                track: { tag: v1.*, signers: [allowed] }
                notify:
                  onlyFailures: true
                  secretFile: signing
                  targets: [{ id: a, kind: webhook, shown: https://a.example.invalid, addressFile: address }]

            """
        let file = try write(host, text)
        for (name, setting) in [
            ("signing", "notify.secretFile"), ("address", "notify.targets.addressFile"),
            ("allowed", "track.signers"),
        ] {
            let result = try host.gitops("import", file)
            #expect(result.status == 3, "\(result.stderr)")
            #expect(
                result.stderr.contains(
                    "pipelines.yaml:4:5: '\(host.directory)/\(name)', which '\(setting)' names, does not exist"
                ),
                "\(result.stderr)")
            try Files.replace(
                "\(host.directory)/\(name)", with: "https://a.example.invalid\n".utf8, mode: 0o600)
        }
        let imported = try host.gitops("import", file)
        #expect(imported.status == 0, "\(imported.stderr)")
        #expect(
            try host.gitops("list").stdout.contains("  tag v1.*  "), "tags are shown, with no branch named")
        let exported = try host.gitops("export").stdout
        for name in ["signing", "address", "allowed"] {
            #expect(exported.contains(" \(host.directory)/\(name)\n"), "\(exported)")
        }
        #expect(try host.gitops("import", file).stderr.contains("nothing to change"))
    }

    @Test("a mistake in the file is shown at its place, and nothing of the file is imported")
    func mistakes() throws {
        let host = try Host()
        let good = """
            apiVersion: volt/v1
            kind: pipelines
            pipelines:
              - name: one
                repo: https://git.example.invalid/one.git
                provider: github
                branch: main
                workload: one
                secretFile: secret
              - name: two
                repo: https://git.example.invalid/two.git
                provider: github
                branch: main
                workload: two
                secretFile: secret

            """
        for (wrong, right, place, hint) in [
            ("brunch: main", "branch: main", "7:5: unknown key 'brunch'", "did you mean 'branch'?"),
            (
                "secretfiel: secret", "secretFile: secret", "9:5: unknown key 'secretfiel'",
                "did you mean 'secretFile'?"
            ),
            ("createdAt: 2020-01-01T00:00:00Z", "branch: main", "7:5: unknown key 'createdAt'", ""),
            ("provider: githup", "provider: github", "6:15: ", ""),
            ("workload: One", "workload: one", "8:15: 'One' is not a name", ""),
            ("branch: a..b", "branch: main", "4:5: 'a..b' is not the name of a branch", ""),
            ("name: one", "name: two", "10:5: pipeline 'one' stands on line 4 already", ""),
            ("workload: one", "workload: two", "4:5: workload 'one' belongs to pipeline 'two' already", ""),
            (
                "repo: https://user:password@git.example.invalid/one.git",
                "repo: https://git.example.invalid/one.git",
                "4:5: ", ""
            ),
            ("insecureNoSecret: false", "secretFile: secret", "4:5: pipeline 'one' has no secret", ""),
            (
                "kind: pipeline", "kind: pipelines",
                "2:7: kind 'pipeline' is not one this tool reads (pipelines)", ""
            ),
            ("secretFile: none", "secretFile: secret", "4:5: ", ""),
        ] {
            let at = try #require(good.firstRange(of: right))
            let file = try write(host, good.replacingCharacters(in: at, with: wrong))
            let result = try host.gitops("import", file)
            #expect(result.status != 0, "\(wrong)")
            #expect(result.stderr.contains("pipelines.yaml:\(place)"), "\(wrong): \(result.stderr)")
            #expect(result.stderr.contains(hint), "\(wrong): \(result.stderr)")
            #expect(!result.stderr.contains("password@"))
            #expect(try host.gitops("list").stdout.split(separator: "\n").count == 1, "\(wrong)")
        }
        #expect(try host.gitops("import", try write(host, good)).status == 0)
    }
}

extension String {
    fileprivate func replacingCharacters(in range: Range<String.Index>, with text: String) -> String {
        String(self[..<range.lowerBound]) + text + String(self[range.upperBound...])
    }
}
