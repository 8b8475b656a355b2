import Synchronization
import Testing
import VoltCore
import VoltSystem
import VoltTestKit
import VoltWorkload
import VoltWorkloadTool

@testable import ContainerEngine
@testable import VoltRollout

@Suite(.enabled(if: runsAsRoot, "layers have owners, which need root"), .timeLimit(.minutes(1)))
struct StartAllTests {
    private let fixture: ApplyFixture
    private let notes = Notes()

    private final class Notes: Sendable {
        let lines = Mutex<[String]>([])
    }

    init() throws { fixture = try ApplyFixture() }

    private func deploy(_ workload: String, after: [String] = []) async throws {
        let text =
            ApplyFixture.manifest("image: base, health: { tcp: 80 }")
            + "after: [\(after.joined(separator: ", "))]\n"
        var request = try fixture.source(
            "\(workload)-\(after.joined())", ["volt-manifest.yaml": text], timeout: .seconds(20))
        request.workload = try Name(workload)
        _ = try await fixture.apply(request)
    }

    private func goDown(_ names: String...) async throws {
        for name in names { await fixture.runtime.kill(try Name(name)) }
    }

    private func start(_ timeout: Duration = .seconds(20)) async throws -> [String] {
        let notes = self.notes
        return try await fixture.applier.startAll(timeout: timeout) { line in
            notes.lines.withLock { $0.append(line) }
        }.map { "\($0.name) \($0.result)\($0.reason.map { ": \($0)" } ?? "")" }
    }

    private func runs(_ name: String) async throws -> Bool {
        await fixture.runtime.containers[try Name(name)]?.activity == .running
    }

    @Test("workloads that should run start in the order of 'after', and those that run are left alone")
    func order() async throws {
        try await deploy("db")
        try await deploy("web", after: ["db"])
        try await deploy("app")
        try await goDown("db-1", "web-1")
        #expect(try await start() == ["app running", "db started", "web started"])
        #expect(try await start() == ["app running", "db running", "web running"])
    }

    @Test("what was stopped by hand stays stopped, and is not waited for")
    func byHand() async throws {
        try await deploy("db")
        try await deploy("web", after: ["db"])
        try await goDown("db-1", "web-1")
        await fixture.runtime.change(try Name("db-1")) { $0.isStoppedByHand = true }
        #expect(try await start() == ["db skipped: it was stopped by hand", "web started"])
        #expect(notes.lines.withLock { $0 } == ["'web' does not wait for 'db', which was stopped by hand"])
    }

    @Test("a workload waits for one of another kind, and is given up when its time is over; the others start")
    func otherKinds() async throws {
        fixture.kinds.set("other", WorkloadStatus(workload: "vm", state: .running, health: .healthy))
        try await deploy("web", after: ["vm"])
        try await deploy("zoo")
        try await goDown("web-1", "zoo-1")
        fixture.kinds.set("other", WorkloadStatus(workload: "vm", state: .starting))
        #expect(
            try await start(.milliseconds(400)) == [
                "web failed: 'web' waited in vain for 'vm', which is starting", "zoo started",
            ])
        #expect(try await !runs("web-1"))
        let kinds = fixture.kinds
        let late = Task {
            try await Task.sleep(for: .milliseconds(300))
            kinds.set("other", WorkloadStatus(workload: "vm", state: .running, health: .healthy))
        }
        #expect(try await start() == ["web started", "zoo running"])
        try await late.value
        #expect(notes.lines.withLock { $0 }.contains("'web': waiting for 'vm', which is starting"))
    }

    @Test("a workload whose instance is gone fails, and one that another kind took over is left alone")
    func gone() async throws {
        try await deploy("db")
        try await deploy("web")
        await fixture.runtime.forget(try Name("db-1"))
        try await goDown("web-1")
        try fixture.applier.claims.set(fixture.web, kind: "other")
        #expect(
            try await start() == ["db failed: it is gone", "web skipped: it belongs to kind 'other' now"])
    }

    @Test("that everything was looked at is noted for the other tools of the host")
    func mark() throws {
        let started = StartedKinds(hostRuntime: fixture.applier.hostRuntime)
        #expect(!started.has("container"))
        try fixture.applier.noteStarted()
        #expect(started.has("container") && !started.has("vm"))
    }
}
