import Glibc
import Testing
import VoltSystem
import VoltTestKit

/// What a container, or whoever froze it, does to hold the commands of its host up.
@Suite(
    .enabled(if: runsContainers, "needs root, systemd-nspawn and busybox-static"), .timeLimit(.minutes(2)))
struct HoldUpTests {
    let host: RuntimeHost

    init() throws { host = try RuntimeHost() }

    private func start(_ command: String, _ words: [String] = []) throws {
        let result = try host.run.run(
            ["volt-container", "run", "-d", "--name", "c"] + words + ["busybox", "sh", "-c", command])
        try #require(result.status == 0, "\(result.stderr)")
    }

    /// The control group of version 2 that the payload of a container is in.
    private func group(_ name: String) throws -> String {
        let pid = try #require(try host.state(name).pid)
        let table = String(decoding: try Files.read("/proc/\(pid)/cgroup"), as: UTF8.self)
        let path = try #require(table.split(separator: "\n").first { $0.hasPrefix("0::") }).dropFirst(3)
        let isHybrid = Files.exists("/sys/fs/cgroup/unified/cgroup.procs")
        return "/sys/fs/cgroup\(isHybrid ? "/unified" : "")\(path)"
    }

    private func freeze(_ group: String) throws {
        let descriptor = open("\(group)/cgroup.freeze", O_WRONLY)
        try #require(descriptor >= 0)
        try Files.write(Array("1".utf8), to: descriptor, named: "cgroup.freeze")
        close(descriptor)
        for _ in 0..<400 {
            let events = String(decoding: try Files.read("\(group)/cgroup.events"), as: UTF8.self)
            if events.contains("frozen 1") { return }
            usleep(5_000)
        }
        Issue.record("'\(group)' is not frozen after two seconds")
    }

    @Test("a container cannot write to its control groups, unless it was given them to")
    func readOnlyGroups() throws {
        let write = "echo 1 >/sys/fs/cgroup/cgroup.freeze; busybox mkdir /sys/fs/cgroup/x; echo end"
        let result = try host.volt("run", "--rm", "busybox", "sh", "-c", write)
        #expect(result.stdout == "end\n")
        #expect(
            result.stderr.split(separator: "\n").count { $0.contains("Read-only") } == 2, "\(result.stderr)")
        try start("sleep 1000")
        let exec = try host.volt("exec", "c", "sh", "-c", write)
        #expect(exec.stderr.split(separator: "\n").count { $0.contains("Read-only") } == 2, "\(exec.stderr)")
        let given = try host.volt(
            "run", "--rm", "-v", "\(try group("c")):/sys/fs/cgroup", "busybox", "sh", "-c",
            "busybox mkdir /sys/fs/cgroup/x && busybox rmdir /sys/fs/cgroup/x")
        #expect(given.status == 0, "\(given.stderr)")
    }

    @Test("exec refuses a frozen container, and ends on a signal when it is frozen meanwhile; stop thaws it")
    func frozen() throws {
        try start("trap 'echo bye; exit 0' TERM; touch /www/ready; while :; do sleep 0.1; done")
        let group = try group("c")
        // The exec is stopped by timeout(1) after its command has said that it runs.
        let script = """
            volt-container exec c sh -c 'touch /www/running; exec sleep 1000' &
            exec=$!
            until volt-container exec c test -e /www/running; do sleep 0.05; done
            echo 1 >\(group)/cgroup.freeze
            until grep -q 'frozen 1' \(group)/cgroup.events; do sleep 0.05; done
            kill -TERM $exec
            wait $exec
            """
        #expect(
            try host.run("sh", "-c", "timeout 30 sh -c '\(script.replacing("'", with: "'\\''"))'").status
                == 143)
        try freeze(group)
        let exec = try host.volt("exec", "c", "true")
        #expect(exec.status == 4)
        #expect(exec.stderr.contains("container 'c' is frozen"), "\(exec.stderr)")
        let begun = ContinuousClock.now
        #expect(try host.volt("stop", "c").status == 0)
        #expect(ContinuousClock.now - begun < .seconds(8))
        #expect(try host.state("c").exitCode == 0)
        #expect(try host.volt("logs", "c").stdout == "bye\n")
    }

    @Test("a supervisor that was stopped, and a container that is frozen, are removed")
    func stoppedSupervisor() throws {
        try start("sleep 1000")
        kill(try #require(try host.state("c").supervisor), SIGSTOP)
        try freeze(try group("c"))
        #expect(try host.volt("rm", "--force", "c").status == 0)
        #expect(try host.leftovers() == [])
    }

    @Test(
        "a pipe, a device, a directory or an endless file in the place of /etc/passwd holds nothing up",
        arguments: [
            "busybox mkfifo /etc/passwd", "busybox mknod /etc/passwd c 10 130", "busybox mkdir /etc/passwd",
            "busybox ln -s /dev/zero /etc/passwd", "busybox ln -s /proc/kmsg /etc/passwd",
        ])
    func passwd(harm: String) throws {
        // systemd-nspawn reads the machine id at the next start.
        let others = "busybox rm -f /etc/group /etc/machine-id; busybox mkfifo /etc/machine-id /etc/group"
        try start("busybox rm -f /etc/passwd; \(harm); \(others); exec sleep 1000")
        let timed = ["timeout", "20", "volt-container"]
        var ready = false
        for _ in 0..<100 where !ready {
            ready = try host.run.run(timed + ["exec", "c", "test", "-p", "/etc/group"]).status == 0
        }
        #expect(ready)
        let numbered = ["exec", "-u", "1000:1000", "c", "grep", "Uid:", "/proc/self/status"]
        #expect(try host.run.run(timed + numbered).stdout == "Uid:\t1000\t1000\t1000\t1000\n")
        let named = try host.run.run(timed + ["exec", "-u", "app", "c", "true"])
        #expect(named.status == 125)
        #expect(named.stderr.contains("user 'app' is not in /etc/passwd"), "\(named.stderr)")
        #expect(try host.run.run(timed + ["restart", "c"]).status == 0)
    }

    @Test("a pipe of the image in the place of a mounted file does not hold the start up")
    func mountedOverPipe() throws {
        let directory = "\(host.scratch.path)/pipe"
        try Files.makeDirectory(directory)
        try Files.replace("\(directory)/file", with: "mounted\n".utf8)
        try Files.replace(
            "\(directory)/Voltfile",
            with:
                "FROM busybox\nRUN [\"/bin/busybox\", \"mkfifo\", \"/etc/conf\"]\nCMD [\"cat\", \"/etc/conf\"]\n"
                .utf8)
        let build = try host.volt("build", "-t", "pipe", directory)
        try #require(build.status == 0, "\(build.stderr)")
        let result = try host.run(
            "timeout", "20", "volt-container", "run", "--rm", "-v", "\(directory)/file:/etc/conf:ro", "pipe")
        #expect(result.stdout == "mounted\n", "\(result.stderr)")
    }

    @Test("an option that would have no effect is refused")
    func noEffect() throws {
        let result = try host.volt("run", "--health-interval", "1s", "busybox", "true")
        #expect(result.status == 64)
        for cpus in ["0", "0.001", "nan", "-1"] {
            #expect(try host.volt("run", "--cpus=\(cpus)", "busybox", "true").status == 64, "\(cpus)")
        }
        #expect(try host.volt("run", "--pids", "9223372036854775807", "busybox", "true").status == 64)
    }
}
