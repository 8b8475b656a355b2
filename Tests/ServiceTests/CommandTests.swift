import Testing
import VoltCore
import VoltSystem
import VoltTestKit

@testable import ServiceEngine

/// The commands where systemd is not PID 1; scripts/on-systemd runs them where it is.
@Suite(.enabled(if: Systemd.current == nil, "systemd is PID 1 here")) struct WithoutSystemdTests {
    private func runner(_ scratch: borrowing ScratchDirectory, containers: String) throws -> ToolRunner {
        var run = ToolRunner(scratch: scratch.path)
        try Files.makeDirectory("\(scratch.path)/bin")
        try Files.makeDirectory("\(scratch.path)/root/lib/container")
        let script = """
            #!/bin/sh
            if [ "$1" = ps ]; then cat "\(scratch.path)/ps.json"; else echo "$@" >>"\(scratch.path)/calls"; fi

            """
        try Files.replace("\(scratch.path)/bin/volt-container", with: script.utf8, mode: 0o755)
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
            #expect(result.stderr.contains("volt container ps"))
            // Then with a server that was used here, so that its name is known.
            try Files.makeDirectory("\(scratch.path)/root/lib/gitops")
        }
    }
}
