import Glibc
import Testing
import VoltCore
import VoltSystem
import VoltTestKit
import VoltWorkload

@testable import VoltWorkloadTool

/// The client of kinds, against kinds in shell.
@Suite(.timeLimit(.minutes(2))) final class WorkloadToolTests {
    private let scratch: ScratchDirectory
    private let web: Name

    init() throws {
        scratch = try ScratchDirectory()
        web = try Name("web", of: "workload")
    }

    /// A kind whose tool is these lines of shell.
    private func kind(_ lines: String) throws -> WorkloadTool {
        let path = "\(scratch.path)/volt-probe"
        try Files.replace(path, with: "#!/bin/sh\n\(lines)\n".utf8, mode: 0o755)
        let environment = ["PATH": "/usr/bin:/bin", "SCRATCH": scratch.path]
        return WorkloadTool(kind: "probe", command: ToolCommand(path: path, environment: environment))
    }

    private var request: ApplyRequest {
        ApplyRequest(workload: web, manifest: "/m.yaml", source: "/s", revision: "abc")
    }

    private func error(_ body: () throws(VoltError) -> Void) -> VoltError? {
        do throws(VoltError) {
            try body()
            return nil
        } catch { return error }
    }

    // MARK: Status

    @Test("the status of a workload is read, and its name and the form are asked for")
    func status() throws {
        let tool = try kind(
            #"""
            echo "$*" >"$SCRATCH/words"
            echo 'a line for people' >&2
            printf '{"workload":"web","state":"running",\n"health":"healthy","restarts":2,"new":[1]}'
            """#)
        let status = try tool.status(of: web)
        #expect(status.restarts == 2 && status.workload == "web")
        let words = String(decoding: try Files.read("\(scratch.path)/words"), as: UTF8.self)
        #expect(words == "status --workload web -o json\n")
        // A tool that knows of neither health nor restarts leaves them out.
        let short = try kind(#"echo '{"workload":"web","state":"absent"}'"#).status(of: web)
        #expect(short == WorkloadStatus(workload: "web"))
    }

    @Test("the object on stderr says why a status is not to be had, else the last line that is not a hint")
    func statusFailure() throws {
        let object = #"{"code":5,"error":"web is not yours","hint":"ask root"}"#
        let refused = try kind("echo 'noise' >&2; echo '\(object)' >&2; exit 5")
        #expect(
            error { () throws(VoltError) in _ = try refused.status(of: web) }
                == VoltError(
                    .refused, "'volt-probe status' ended with 5: web is not yours", hint: "ask root"))
        let plain = try kind("echo 'probe: error: no'>&2; echo 'probe: hint: do it' >&2; exit 3")
        #expect(
            error { () throws(VoltError) in _ = try plain.status(of: web) }
                == VoltError(.notFound, "'volt-probe status' ended with 3: probe: error: no"))
        let killed = try kind("kill -9 $$")
        #expect(
            error { () throws(VoltError) in _ = try killed.status(of: web) }?.message
                == "'volt-probe status' was ended by signal 9")
    }

    @Test("JSON of something else, none at all and too much of it are errors")
    func wrongStatus() throws {
        for lines in ["echo hello", "true", "echo '[]'", #"echo '{"state":1}'"#] {
            let tool = try kind(lines)
            #expect(
                error { () throws(VoltError) in _ = try tool.status(of: web) }?.message
                    == "'volt-probe status' printed something that is not the status of a workload",
                "\(lines)"
            )
        }
        let long = try kind("head -c 1100000 /dev/zero | tr '\\0' ' '; echo '{}'")
        #expect(
            error { () throws(VoltError) in _ = try long.status(of: web) }?.message
                == "'volt-probe status' printed too much to be the status of a workload")
    }

    @Test("a program that takes too long is killed with what it started")
    func slow() throws {
        let tool = try kind("sleep 60 & echo $! >\"$SCRATCH/pid\"; wait")
        let start = ContinuousClock.now
        let answer = try tool.command.ask(["status"], limit: .milliseconds(500))
        #expect(answer.outcome == .timedOut && answer.reason == "it took too long")
        #expect(ContinuousClock.now - start < .seconds(20))
        let text = String(decoding: try Files.read("\(scratch.path)/pid"), as: UTF8.self)
        let pid = try #require(Int32(text.filter(\.isNumber)))
        let end = ContinuousClock.now + .seconds(10)
        while Processes.isAlive(pid), ContinuousClock.now < end { usleep(10_000) }
        #expect(!Processes.isAlive(pid))
    }

    // MARK: List and remove

    @Test("a list has all workloads, also on a line of more than 64 KiB, and a kind that exits 64 has none")
    func list() throws {
        let one = #"{"workload":"a","state":"dreaming","health":"none","restarts":0}"#
        let tool = try kind(
            "printf '[\(one)'; i=0; while [ $i -lt 1500 ]; do printf ',\(one)'; i=$((i+1)); done; echo ']'")
        #expect(try tool.list()?.count == 1501)
        #expect(try kind("exit 64").list() == nil)
        let broken = try kind("echo '{}'")
        #expect(
            error { () throws(VoltError) in _ = try broken.list() }?.message
                == "'volt-probe list' printed something that is not a list of workloads")
    }

    @Test("a removal says whether there was a workload, and why it failed")
    func remove() throws {
        let tool = try kind(#"echo "$*" >"$SCRATCH/words""#)
        #expect(try tool.remove(web, volumes: true))
        let words = String(decoding: try Files.read("\(scratch.path)/words"), as: UTF8.self)
        #expect(words == "remove --workload web --volumes\n")
        #expect(try !kind("exit 3").remove(web))
        let busy = try kind("echo 'volt probe: error: it is busy' >&2; exit 75")
        #expect(
            error { () throws(VoltError) in _ = try busy.remove(web) }
                == VoltError(.tryAgain, "workload 'web' was not removed: volt probe: error: it is busy"))
    }

    // MARK: Plan

    @Test("a plan has a line a service, and a tool without --dry-run has none")
    func plan() throws {
        let line = #"{"event":"plan","service":"web","change":"create","reasons":["it is new"]}"#
        let tool = try kind("echo \"$*\" >\"$SCRATCH/words\"; echo '\(line)'")
        var request = self.request
        request.images = ["b": "sha256:2", "a": "sha256:1"]
        #expect(
            try tool.plan(request) == [
                ServicePlan(service: "web", change: .create, reasons: ["it is new"])
            ])
        let words = String(decoding: try Files.read("\(scratch.path)/words"), as: UTF8.self)
        #expect(
            words
                == "apply --dry-run --workload web --manifest /m.yaml --source /s --revision abc -o json --image a=sha256:1 --image b=sha256:2\n"
        )
        #expect(try kind("exit 64").plan(request) == nil)
        let gone = try kind(#"echo '{"error":"no image","hint":"push it"}' >&2; exit 3"#)
        #expect(
            error { () throws(VoltError) in _ = try gone.plan(request) }
                == VoltError(.notFound, "no image", hint: "push it"))
    }

    // MARK: Kinds

    @Test("all kinds that are installed and registered are known, without running any")
    func kinds() throws {
        for folder in ["bin", "share/volt/commands"] {
            try Files.makeDirectory("\(scratch.path)/\(folder)", mode: 0o755)
        }
        for name in ["zeta", "alpha", "stray", "container", "alpha--helper"] {
            try Files.replace(
                "\(scratch.path)/bin/volt-\(name)", with: "#!/bin/sh\ntouch '\(scratch.path)/ran'\n".utf8,
                mode: 0o755)
        }
        for name in ["zeta", "alpha"] {
            try Files.replace(
                "\(scratch.path)/share/volt/commands/\(name).json",
                with:
                    #"{"contract": 1, "name": "\#(name)", "version": "1", "summary": "s", "kinds": ["\#(name)"]}"#
                    .utf8, mode: 0o644)
        }
        let kinds = WorkloadKinds(
            environment: ["PATH": "\(scratch.path)/bin", "VOLT_ROOT": "\(scratch.path)/root"],
            selfPath: "\(scratch.path)/bin/volt-gitops")
        #expect(kinds.all().map(\.kind) == ["alpha", "zeta"])
        // One of Volt's own counts once it keeps something here.
        try Files.makeDirectory("\(scratch.path)/root/lib/container")
        #expect(kinds.all().map(\.kind) == ["alpha", "container", "zeta"])
        #expect(
            error { () throws(VoltError) in _ = try kinds.find("nomad", hint: "install it") }
                == VoltError(.missing, "'volt-nomad' is not installed", hint: "install it"))
        #expect(!Files.exists("\(scratch.path)/ran"))
    }
}
