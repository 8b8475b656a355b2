import Glibc
import Testing
import VoltSystem
import VoltTestKit

@Suite(.enabled(if: runsContainers, "needs root, systemd-nspawn and busybox-static"))
struct BackgroundTests {
    let host: RuntimeHost

    init() throws { host = try RuntimeHost() }

    private func serve(_ name: String, _ port: UInt16, _ words: [String] = []) throws -> ToolRunner.Result {
        try host.run.run(
            ["volt-container", "run", "-d", "--name", name, "-p", "\(port):80"] + words + [
                "busybox", "httpd", "-f", "-p", "80", "-h", "/www",
            ])
    }

    @Test("a container outlives its command, answers over IPv4 and IPv6, and leaves nothing behind")
    func lifecycle() throws {
        let port = LoopbackPort.free()
        #expect(try serve("web", port).stdout == "web\n")
        #expect(try host.page(port) == "hello\n")
        #expect(try host.run("busybox", "wget", "-qO-", "http://[::1]:\(port)/").stdout == "hello\n")
        #expect(try host.volt("run", "-d", "--name", "web", "busybox", "true").status == 125)
        #expect(try host.volt("rm", "web").status == 4)
        #expect(try host.volt("stop", "web").status == 0)
        #expect(try host.state("web").state == "exited")
        #expect(throws: HTTPClient.Failure.self) { try host.page(port) }
        #expect(try host.volt("start", "web").status == 0)
        #expect(try host.page(port) == "hello\n")
        #expect(try host.volt("rm", "-f", "web").status == 0)
        #expect(try host.leftovers() == [])
    }

    @Test("a port that is taken is refused with the name of its holder, and the container does not stay")
    func takenPort() throws {
        let port = LoopbackPort.free()
        let first = try serve("one", port)
        try #require(first.status == 0, "\(first.stderr)")
        let second = try serve("two", port)
        #expect(second.status != 0)
        #expect(second.stderr.contains("container 'one'"))
        #expect(try host.states().filter { $0.state == "running" }.map(\.spec.name) == ["one"])
    }

    @Test(
        "a supervisor that was killed takes its payload along; the next command starts it again if it must run"
    )
    func killedSupervisor() throws {
        let port = LoopbackPort.free()
        try #require(try serve("web", port, ["--restart", "always"]).status == 0)
        try #require(try host.volt("run", "-d", "--name", "once", "busybox", "sleep", "1000").status == 0)
        let before = try host.state("web")
        for name in ["web", "once"] { kill(try #require(try host.state(name).supervisor), SIGKILL) }
        let after = try host.wait(for: "web") {
            $0.state == "running" && $0.pid != before.pid && $0.pid != nil
        }
        #expect(after.restarts == 1)
        #expect(!Processes.isAlive(try #require(before.pid)))
        #expect(try host.page(port) == "hello\n")
        let once = try host.state("once")
        #expect(once.state == "exited")
        #expect(once.exitCode == 137)
    }

    @Test("a port process that was killed is started again by the next command")
    func killedPortProcess() throws {
        let port = LoopbackPort.free()
        try #require(try serve("web", port).status == 0)
        let process = try #require(
            try Files.list("/proc").compactMap { Int32($0) }.first { pid in
                let line = (try? Files.read("/proc/\(pid)/cmdline", limit: 1 << 16)) ?? []
                let text = String(decoding: line, as: UTF8.self)
                return text.contains("volt-container--port") && text.contains(host.scratch.path)
            })
        kill(process, SIGKILL)
        #expect(throws: HTTPClient.Failure.self) { try host.page(port) }
        _ = try host.volt("ps")
        #expect(try host.page(port) == "hello\n")
    }

    @Test("exec is confined as the payload is, and hands on its exit code")
    func execute() throws {
        try #require(
            try host.volt("run", "-d", "--name", "c", "--user", "app", "busybox", "sleep", "1000").status == 0
        )
        let show = "grep -E '^(Cap|NoNewPrivs|Seccomp|Uid|Gid|Groups)' /proc/%s/status"
        let own = try host.volt("exec", "c", "sh", "-c", show.replacing("%s", with: "self"))
        let payload = try host.volt("exec", "c", "sh", "-c", show.replacing("%s", with: "2"))
        #expect(own.stdout == payload.stdout)
        #expect(own.stdout.contains("Seccomp:\t2"))
        #expect(try host.volt("exec", "c", "sh", "-c", "exit 9").status == 9)
        #expect(try host.volt("exec", "c", "no-such").status == 127)
        #expect(try host.volt("exec", "-i", "c", "cat", input: "typed").stdout == "typed")
        #expect(try host.volt("exec", "c", "cat", input: "typed").stdout == "")
        #expect(
            try host.volt(
                "exec", "-u", "0", "-w", "/etc", "-e", "A=b", "c", "sh", "-c", "id -u; pwd; echo $A"
            ).stdout == "0\n/etc\nb\n")
        try #require(try host.volt("stop", "c").status == 0)
        #expect(try host.volt("exec", "c", "true").status == 4)
        let runtime = try Files.list("\(host.scratch.path)/root/run/container")
        #expect(!runtime.contains { $0.hasPrefix("exec-") })
    }

    @Test("limits of memory and processes are enforced")
    func limits() throws {
        let command = "tail /dev/zero; echo $?; for i in $(seq 20); do sleep 100 & done; echo never"
        try #require(
            try host.volt(
                "run", "-d", "--name", "c", "--memory", "24M", "--pids", "10", "busybox", "sh", "-c", command
            )
            .status == 0)
        _ = try host.wait(for: "c") { $0.state == "exited" }
        let logs = try host.volt("logs", "c")
        #expect(logs.stdout.contains("137\n"))
        #expect(logs.stderr.contains("can't fork"))
        #expect(!logs.stdout.contains("never"))
    }

    @Test("a payload that fails is started again, one that succeeds is not")
    func restartPolicy() throws {
        try #require(
            try host.volt(
                "run", "-d", "--name", "c", "--restart", "on-failure", "-v", "data:/data", "busybox", "sh",
                "-c",
                "echo run; test -e /data/2 && exit 0; test -e /data/1 && touch /data/2; touch /data/1; exit 3"
            ).status == 0)
        let state = try host.wait(for: "c") { $0.state == "exited" }
        #expect(state.exitCode == 0)
        #expect(state.restarts == 2)
        #expect(try host.volt("logs", "c").stdout == "run\nrun\nrun\n")
        #expect(try host.volt("logs", "--tail", "1", "c").stdout == "run\n")
    }

    @Test("logs keep the streams apart and their size is bounded")
    func boundedLogs() throws {
        try #require(
            try host.volt(
                "run", "-d", "--name", "c", "busybox", "sh", "-c",
                "echo out; echo err >&2; seq 4000000; echo last"
            ).status == 0)
        _ = try host.wait(for: "c") { $0.state == "exited" }
        let end = try host.volt("logs", "--tail", "1", "c")
        #expect(end.stdout == "last\n")
        let directory = "\(host.scratch.path)/root/lib/container/containers/c"
        let size = try Files.list(directory).filter { $0.hasPrefix("log") }
            .reduce(0) { $0 + ((try? Files.read("\(directory)/\($1)").count) ?? 0) }
        #expect(size < 20 << 20)
        try #require(
            try host.volt("run", "-d", "--name", "d", "busybox", "sh", "-c", "echo out; echo err >&2").status
                == 0)
        _ = try host.wait(for: "d") { $0.state == "exited" }
        let both = try host.volt("logs", "d")
        #expect(both.stdout == "out\n")
        #expect(both.stderr == "err\n")
    }

    @Test(
        "a health check follows the payload",
        arguments: ["http:80/", "tcp:80", "test -e /tmp/well"])
    func health(check: String) throws {
        let command = "touch /tmp/well; httpd -f -p 80 -h /www & sleep 1000"
        let isExec = !check.contains(":")
        let result = try host.run.run(
            [
                "volt-container", "run", "-d", "--name", "c", "--health", check, "--health-interval", "100ms",
                "busybox", "sh", "-c", command,
            ])
        try #require(result.status == 0, "\(result.stderr)")
        _ = try host.wait(for: "c") { $0.health == "healthy" }
        let harm =
            isExec ? "rm /tmp/well" : "kill $(grep -l httpd /proc/[0-9]*/comm | grep -o '[0-9]*' | tail -1)"
        _ = try host.volt("exec", "c", "sh", "-c", harm)
        _ = try host.wait(for: "c") { $0.health == "unhealthy" }
    }
}
