import Glibc
import Testing
import VoltCore
import VoltSupervise
import VoltSystem
import VoltTestKit
import VoltWorkload

/// Control groups need root.
@Suite(.enabled(if: getuid() == 0, "needs root"))
final class SuperviseTests {
    private let scratch: ScratchDirectory
    private let instance: SupervisedInstance
    private let group = "volt-test-\(UInt32.random(in: 0...UInt32.max))"

    init() throws {
        scratch = try ScratchDirectory()
        instance = SupervisedInstance(directory: "\(scratch.path)/one", title: "process 'one'")
    }

    deinit {
        _ = try? instance.stop(within: 0)
        LeftGroups(name: group).clear()
    }

    private func start(
        _ command: String..., restart: RestartPolicy = .no, health: HealthCheck? = nil, stop: Int64 = 10_000,
        change: (inout SuperviseSettings) -> Void = { _ in }
    ) throws {
        var supervise = SuperviseSettings(directory: instance.directory, group: group)
        supervise.restart = restart
        supervise.stopTimeoutMilliseconds = stop
        change(&supervise)
        var launcher = ProcessLauncher(command: command)
        launcher.environment = ["PATH=/usr/bin:/bin", "GREETING=hello"]
        launcher.directory = scratch.path
        launcher.healthCheck = health
        var settings = Settings()
        supervise.add(to: &settings)
        launcher.add(to: &settings)
        try instance.start("\(ToolRunner.products)/volt-test--run", settings)
    }

    /// Waits at most 20 s.
    private func wait(until isDone: () -> Bool, _ comment: Comment) throws {
        for _ in 0..<2000 {
            if isDone() { return }
            usleep(10_000)
        }
        Issue.record(comment)
    }

    @Test("a plain process starts, is healthy, is logged, and stops with its record on the disk")
    func life() throws {
        var check = HealthCheck(probe: .exec(["/usr/bin/test", "-e", "\(scratch.path)/well"]))
        check.intervalMilliseconds = 20
        try start(
            "/bin/sh", "-c",
            "echo $GREETING; echo bad >&2; trap 'echo bye; exit 7' TERM; while :; do sleep 0.05; done",
            health: check)
        #expect(instance.isRunning)
        #expect(instance.status?.health == .starting)
        try Files.replace("\(scratch.path)/well", with: "".utf8)
        try wait(until: { instance.status?.health == .healthy }, "it does not become healthy")
        try Files.remove("\(scratch.path)/well")
        try wait(until: { instance.status?.health == .unhealthy }, "it does not become unhealthy")
        let record = try #require(instance.record)
        #expect(record.phase == .running && record.isSupervised)
        #expect(ProcessTable.groups(of: record.main).contains { $0.hasSuffix("/\(group)") })

        #expect(try instance.stop())
        let end = try #require(instance.record)
        #expect(end.phase == .exited)
        #expect(end.code == 7)
        #expect(!Processes.isAlive(record.main))
        #expect(
            try instance.lastLog(lines: 9).map { "\($0.stream) \($0.text)" }.sorted() == [
                "stderr bad", "stdout bye", "stdout hello",
            ])
    }

    @Test("a payload has descriptors 0 to 2 and no others")
    func descriptors() throws {
        // The last one is the directory that ls reads.
        try start("/bin/ls", "/proc/self/fd")
        try wait(until: { instance.record?.phase == .exited }, "it does not end")
        #expect(try instance.lastLog(lines: 9).map(\.text) == ["0", "1", "2", "3"])
    }

    @Test("what cannot be executed is an error of the start, with its reason")
    func missing() throws {
        do {
            try start("\(scratch.path)/none")
            Issue.record("it started")
        } catch let error as VoltError {
            #expect(error.code == .commandNotFound)
            #expect(error.message.hasPrefix("cannot start process 'one': cannot run"), "\(error.message)")
        }
    }

    @Test("a process that fails is started again with a pause that grows, and one that succeeds is not")
    func restarts() throws {
        let count = "\(scratch.path)/count"
        try start(
            "/bin/sh", "-c", "echo x >>\(count); [ $(wc -l <\(count)) -ge 3 ]", restart: .onFailure)
        try wait(until: { instance.record?.phase == .exited }, "it does not end")
        let record = try #require(instance.record)
        #expect(record.restarts == 2)
        #expect(record.code == 0)
        #expect(record.finished - record.started < 5000)
        #expect(try Files.read(count).count == 6)
    }

    @Test("a process that does not end when it is asked to is killed, with what it has started")
    func stubborn() throws {
        try start(
            "/bin/sh", "-c", "trap '' TERM; (trap '' TERM; exec setsid sleep 1000) & echo $!; wait; wait",
            stop: 100)
        try wait(until: { (try? instance.lastLog(lines: 1))?.isEmpty == false }, "it prints nothing")
        let child = try #require(try instance.lastLog(lines: 1).first.flatMap { Int32($0.text) })
        #expect(try instance.stop(within: 100))
        #expect(instance.record?.code == 137)
        #expect(!Processes.isAlive(child))
    }

    @Test("limits of memory and processes hold, and a process that runs out of memory says so")
    func limits() throws {
        try start("/bin/sh", "-c", "exec tail /dev/zero") { $0.limits.memory = 16 << 20 }
        try wait(until: { instance.record?.phase == .exited }, "it does not end")
        #expect(instance.record?.outOfMemory == true)
        #expect(instance.status?.message == "ran out of memory (limit 16M)")
    }

    @Test("a supervisor that was killed takes its process along, and the next one goes on with the count")
    func killed() throws {
        try start("/bin/sleep", "1000", restart: .always)
        let record = try #require(instance.record)
        kill(record.supervisor, SIGKILL)
        try wait(until: { !Processes.isAlive(record.main) }, "its process goes on")
        #expect(instance.isDesired)
        // As systemd does it, with the same settings.
        _ = try Processes.spawnDetached(
            "\(ToolRunner.products)/volt-test--run", ["supervise", "\(instance.directory)/run"],
            environment: [:])
        try wait(until: { instance.record?.restarts == 1 && instance.isRunning }, "it is not taken over")
    }

    @Test("settings keep their bytes in both ways")
    func settings() throws {
        var supervise = SuperviseSettings(directory: "/d", group: "g")
        supervise.restart = .onFailure
        supervise.restarts = 4
        supervise.limits = GroupLimits(ResourceLimits(memory: 1, cpus: 0.57, pids: 2), ownProcesses: 3)
        supervise.isUnit = true
        supervise.hasMemoryLimitOfUnit = true
        supervise.removesDirectory = true
        supervise.lock = "/l"
        supervise.readsInput = true
        var settings = Settings()
        supervise.add(to: &settings)
        #expect(try SuperviseSettings(settings) == supervise)
        #expect(settings.optional("pids") == "5")
        for probe in [HealthCheck.Probe.http(port: 80, path: "/x"), .tcp(port: 1), .exec(["a", "b c"])] {
            var check = HealthCheck(probe: probe)
            check.retries = 9
            var settings = Settings()
            check.add(to: &settings)
            #expect(try HealthCheck(settings) == check)
        }
        #expect(try HealthCheck(Settings()) == nil)
    }
}
