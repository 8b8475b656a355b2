import Testing
import VoltCore
import VoltSystem
import VoltSystemd
import VoltTestKit

/// The commands where systemd is not PID 1; scripts/service-on-systemd runs them where it is.
@Suite(.enabled(if: Systemd.current == nil, "systemd is PID 1 here")) struct WithoutSystemdTests {
    private func runner(_ scratch: borrowing ScratchDirectory, containers: String) throws -> ToolRunner {
        var run = ToolRunner(scratch: scratch.path)
        for directory in ["bin", "share/volt/commands", "root/lib/container"] {
            try Files.makeDirectory("\(scratch.path)/\(directory)")
        }
        let script = """
            #!/bin/sh
            case $1 in
            ps) cat "\(scratch.path)/ps.json" ;;
            list) cat "\(scratch.path)/list.json" 2>/dev/null || exit 64 ;;
            *) echo "$@" >>"\(scratch.path)/calls" ;;
            esac

            """
        try Files.replace("\(scratch.path)/bin/volt-container", with: script.utf8, mode: 0o755)
        try Files.replace(
            "\(scratch.path)/share/volt/commands/container.json",
            with: """
                {"contract":1,"name":"container","version":"1","summary":"containers","kinds":["container"],
                "instances":"ps","kit":"1"}
                """.utf8)
        try Files.replace("\(scratch.path)/ps.json", with: containers.utf8)
        run.environment["VOLT_EXEC_PATH"] = "\(scratch.path)/bin"
        return run
    }

    private func container(_ name: String, workload: String?, state: String, started: String) -> String {
        """
        {"spec":{"name":"\(name)","image":"site","ports":[{"address":"0.0.0.0","hostPort":8080}]
        \(workload.map { ",\"workload\":\"\($0)\"" } ?? "")},"state":"\(state)","health":"healthy","pid":12,
        "supervisor":11,"supervisedBy":"volt","restarts":0,"startedAt":"\(started)","exitCode":0,
        "finishedAt":"2026-01-01T00:10:00.000Z","message":""}
        """
    }

    /// Installs a tool of a third party.
    private func install(
        _ name: String, metadata: String, script: String, in scratch: borrowing ScratchDirectory
    ) throws {
        try Files.replace("\(scratch.path)/bin/volt-\(name)", with: script.utf8, mode: 0o755)
        try Files.replace(
            "\(scratch.path)/share/volt/commands/\(name).json",
            with:
                "{\"contract\":1,\"name\":\"\(name)\",\"version\":\"1\",\"summary\":\"\(name)\",\(metadata)}"
                .utf8)
    }

    @Test("list shows a workload once, by the container that serves, and says that systemd is not there")
    func list() throws {
        let scratch = try ScratchDirectory()
        let lines = [
            container("web-1", workload: "web", state: "exited", started: "2026-01-01T00:05:00.000Z"),
            container("web-2", workload: "web", state: "running", started: "2026-01-01T00:04:00.000Z"),
            container("tool", workload: nil, state: "exited", started: "2026-01-01T00:00:00.000Z"),
        ]
        let run = try runner(scratch, containers: "[\(lines.joined(separator: ","))]")
        let result = try run("volt-service", "list", "-o", "json")
        #expect(result.status == 0, "\(result.stderr)")
        #expect(result.stdout.contains("\"container\" : \"web-2\""))
        #expect(!result.stdout.contains("\"container\" : \"web-1\""))
        let table = try run("volt-service", "list")
        #expect(table.stdout.contains("web   workload   running (healthy)"), "\(table.stdout)")
        #expect(table.stdout.contains("tool  container  exited"), "\(table.stdout)")
        #expect(table.stderr.contains("systemd is not PID 1"))
        let one = try run("volt-service", "status", "web")
        #expect(one.stdout.contains("kept by    volt"), "\(one.stdout)")
    }

    @Test("workloads of every kind are listed as their tools say; a kind that cannot list says so")
    func kinds() throws {
        let scratch = try ScratchDirectory()
        let web = container("web-1", workload: "web", state: "running", started: "2026-01-01T00:05:00.000Z")
        let run = try runner(scratch, containers: "[\(web)]")
        try Files.replace(
            "\(scratch.path)/list.json",
            with: """
                [{"workload":"web","state":"running","health":"unhealthy","restarts":0},
                {"workload":"gone","state":"absent","health":"none","restarts":0}]
                """.utf8)
        let list =
            #"[{"workload":"batch","state":"pending","health":"none","restarts":3,"services":"#
            + #"[{"name":"db","state":"running","health":"healthy"}]}]"#
        try install(
            "nomad", metadata: "\"kinds\":[\"nomad\"]",
            script: "#!/bin/sh\n[ \"$*\" = 'list -o json' ] || exit 64\necho '\(list)'\n", in: scratch)
        try install("mute", metadata: "\"kinds\":[\"mute\"]", script: "#!/bin/sh\nexit 64\n", in: scratch)
        try install(
            "broken", metadata: "\"kinds\":[\"broken\"]", script: "#!/bin/sh\necho oh >&2\nexit 1\n",
            in: scratch)
        let table = try run("volt-service", "list", "--all")
        #expect(table.status == 0, "\(table.stderr)")
        func row(_ name: String) -> [Substring] {
            table.stdout.split(separator: "\n").map {
                $0.split(separator: " ", omittingEmptySubsequences: true)
            }
            .first { $0.first.map(String.init) == name } ?? []
        }
        #expect(row("web").prefix(4) == ["web", "workload", "running", "(unhealthy)"], "\(table.stdout)")
        #expect(row("web").contains("0.0.0.0:8080"))
        #expect(row("gone").prefix(3) == ["gone", "workload", "absent"])
        #expect(row("batch").prefix(3) == ["batch", "workload", "pending"] && row("batch").contains("3"))
        #expect(row("batch/db").prefix(4) == ["batch/db", "part", "running", "(healthy)"])
        #expect(row("mute").prefix(4) == ["mute", "kind", "cannot", "list"])
        #expect(table.stderr.contains("what 'volt broken' runs is not shown: "), "\(table.stderr)")
        #expect(table.stderr.contains("oh"))
        let stop = try run("volt-service", "stop", "batch")
        #expect(stop.status == 64 && stop.stderr.contains("'volt-nomad' alone"), "\(stop.stderr)")
    }

    @Test("the servers of all tools that name units are shown, where they run and where they are stopped")
    func servers() throws {
        let scratch = try ScratchDirectory()
        let run = try runner(scratch, containers: "[]")
        try install(
            "acme", metadata: "\"units\":[\"acme-agent.service\"],\"kit\":\"1\"",
            script: "#!/bin/sh\nexit 64\n",
            in: scratch)
        #expect(!(try run("volt-service", "list").stdout.contains("acme-agent")), "it was never used here")
        try Files.makeDirectory("\(scratch.path)/root/lib/acme")
        #expect(try run("volt-service", "list").stdout.contains("acme-agent  service  stopped"))
        try Files.makeDirectory("\(scratch.path)/root/run/acme")
        try Files.replace(
            "\(scratch.path)/root/run/acme/serve.json", with: "{\"pid\":1,\"url\":\"http://[::1]:7\"}".utf8)
        let shown = try run("volt-service", "status", "acme-agent", "-o", "json")
        #expect(shown.stdout.contains("\"state\" : \"running\""), "\(shown.stdout)")
        #expect(shown.stdout.contains("\"listens\" : \"http://[::1]:7\""))
        #expect(shown.stdout.contains("\"tool\" : \"acme\""))
        let start = try run("volt-service", "start", "acme-agent")
        #expect(start.status == 69 && start.stderr.contains("systemd is not PID 1"), "\(start.stderr)")
    }

    @Test("a workload is stopped and restarted by its tool")
    func act() throws {
        let scratch = try ScratchDirectory()
        let line = container("web-2", workload: "web", state: "running", started: "2026-01-01T00:00:00.000Z")
        let run = try runner(scratch, containers: "[\(line)]")
        #expect(try run("volt-service", "start", "web").status == 0, "it runs already")
        #expect(try run("volt-service", "restart", "web").stdout == "web\n")
        #expect(try run("volt-service", "stop", "web-2").status == 0)
        let calls = String(decoding: try Files.read("\(scratch.path)/calls"), as: UTF8.self)
        #expect(calls == "restart web-2\nstop web-2\n")
        let edit = try run("volt-service", "edit", "web", "--set", "Nice=1")
        #expect(edit.status == 64)
        #expect(edit.stderr.contains("workload 'web' is what its manifest says"), "\(edit.stderr)")
        let wrong = try run("volt-service", "stop", "wbe")
        #expect(wrong.status == 3)
        #expect(wrong.stderr.contains("did you mean 'web'?"))
        #expect(try run("volt-service", "stop", "web", "none").status == 2, "one of two failed")
    }

    @Test(
        "what needs systemd says so with exit code 69, and what to use",
        arguments: ["start", "stop", "restart", "enable", "disable", "logs", "edit"])
    func missing(verb: String) throws {
        let scratch = try ScratchDirectory()
        let run = try runner(scratch, containers: "[]")
        let words = ["volt-service", verb, "volt-gitops"] + (verb == "edit" ? ["--port", "9191"] : [])
        for _ in 0..<2 {
            let result = try run.run(words)
            #expect(result.status == 69, "\(result.stderr)")
            #expect(result.stderr.contains("systemd is not PID 1 on this host"))
            #expect(result.stderr.contains("'volt service list' shows the workloads, which need no systemd"))
            // Then with a server that was used here, so that its name is known.
            try Files.makeDirectory("\(scratch.path)/root/lib/gitops")
        }
    }
}
