import Dispatch
import Glibc
import Synchronization
import Testing
import VoltCore
import VoltSystem
import VoltTestKit

@testable import VoltService

/// A service that writes down what is asked of it, and ends its process's run by signals of its own.
private final class Recorder: Service {
    let calls = Mutex<[String]>([])
    private let pipe: (read: Int32, write: Int32)
    private let failing: String?

    init(failing: String? = nil) throws {
        var ends: [Int32] = [-1, -1]
        try #require(Glibc.pipe(&ends) == 0)
        pipe = (ends[0], ends[1])
        self.failing = failing
    }

    deinit {
        close(pipe.read)
        close(pipe.write)
    }

    private func note(_ call: String) throws(VoltError) {
        calls.withLock { $0.append(call) }
        if call == failing { throw VoltError(.failed, "\(call) failed") }
    }

    func prepare() throws(VoltError) { try note("prepare") }
    func bind() throws(VoltError) -> String {
        try note("bind")
        return "http://127.0.0.1:1"
    }
    func recover() throws(VoltError) { try note("recover") }
    func run() throws(VoltError) {
        try note("run")
        var byte: UInt8 = 1
        _ = write(pipe.write, &byte, 1)
    }
    var wakeDescriptor: Int32? { pipe.read }
    func wake() {
        try? note("wake")
        kill(getpid(), SIGHUP)
    }
    func reload() {
        try? note("reload")
        kill(getpid(), SIGTERM)
    }
    func drain() throws(VoltError) { try note("drain") }
}

@Suite(.serialized) struct ServiceRunnerTests {
    /// Runs a service, and gives the process its own signals back afterwards.
    private func run(_ service: Recorder, in directory: String, alone: Bool = false) throws -> [String] {
        let said = Mutex<[String]>([])
        var busy: ServiceRunner.Busy?
        if alone { busy = { first in VoltError(.conflict, "process \(first?.pid ?? 0) works") } }
        defer { for number in [SIGHUP, SIGTERM, SIGINT] { signal(number, SIG_DFL) } }
        try ServiceRunner(
            directory: directory, manager: ServiceManager(environment: [:]), busy: busy,
            log: { line in said.withLock { $0.append(line) } }
        ).run(service)
        return said.withLock { $0 }
    }

    @Test(
        "a service is prepared, bound, recovered and run; it is woken, reads its files again, and is drained")
    func life() throws {
        let scratch = try ScratchDirectory()
        let service = try Recorder()
        #expect(try run(service, in: scratch.path) == ["stopped"])
        #expect(
            service.calls.withLock { $0 } == ["prepare", "bind", "recover", "run", "wake", "reload", "drain"])
        #expect(ServiceRecord.read(in: scratch.path) == nil)
    }

    @Test("a second server that must be alone is told of the first, before it reads or binds anything")
    func alone() throws {
        let scratch = try ScratchDirectory()
        let record = ServiceRecord(url: "http://127.0.0.1:1")
        try record.write(in: scratch.path)
        let lock = try FileLock.tryLock(ServiceRunner.lock(in: scratch.path))
        let service = try Recorder()
        #expect(throws: VoltError(.conflict, "process \(getpid()) works")) {
            try run(service, in: scratch.path, alone: true)
        }
        #expect(service.calls.withLock { $0 } == [])
        #expect(ServiceRecord.read(in: scratch.path) == record)
        _ = consume lock
        #expect(try run(service, in: scratch.path, alone: true) == ["stopped"])
    }

    @Test(
        "a service that cannot go on ends with its error", arguments: ["prepare", "bind", "recover", "run"])
    func failure(step: String) throws {
        let scratch = try ScratchDirectory()
        let service = try Recorder(failing: step)
        #expect(throws: VoltError(.failed, "\(step) failed")) { try run(service, in: scratch.path) }
        #expect(service.calls.withLock { $0 }.last == step)
        #expect(ServiceRecord.read(in: scratch.path) == nil)
    }

    @Test("a record counts while its process lives, also one that the version before wrote")
    func record() throws {
        let scratch = try ScratchDirectory()
        let paths = try HostPaths(tool: "acme", environment: ["VOLT_ROOT": scratch.path])
        try Files.makeDirectory(paths.runtime)
        #expect(ServiceRecord.running(paths) == nil)
        try ServiceRecord(url: "http://[::1]:7").write(in: paths.runtime)
        #expect(ServiceRecord.running(paths)?.url == "http://[::1]:7")
        // Another process may have got the number since.
        var other = ServiceRecord(url: "http://[::1]:7")
        other.started = 1
        try other.write(in: paths.runtime)
        #expect(ServiceRecord.running(paths) == nil)
        try Files.replace(
            ServiceRecord.path(in: paths.runtime), with: "{\"pid\":\(getpid()),\"url\":\"http://a:9\"}".utf8)
        #expect(ServiceRecord.running(paths)?.url == "http://a:9")
        try Files.replace(
            ServiceRecord.path(in: paths.runtime), with: "{\"pid\":999999999,\"url\":\"x\"}".utf8)
        #expect(ServiceRecord.running(paths) == nil)
    }
}
