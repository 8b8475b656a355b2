import Testing
import VoltCore
import VoltSystem
import VoltTestKit
import VoltWorkload

@testable import ContainerEngine
@testable import VoltRollout

@Suite(.enabled(if: runsAsRoot, "layers have owners, which need root"), .timeLimit(.minutes(1)))
struct AfterTests {
    private let fixture: ApplyFixture

    init() throws { fixture = try ApplyFixture() }

    private func request(
        _ workload: String, after: [String] = [], spec: String = "image: base, health: { tcp: 80 }",
        timeout: Duration = .seconds(20)
    ) throws -> WorkloadRequest {
        let text = ApplyFixture.manifest(spec) + "after: [\(after.joined(separator: ", "))]\n"
        var request = try fixture.source(
            "\(workload)-\(after.joined())", ["volt-manifest.yaml": text], timeout: timeout)
        request.workload = try Name(workload)
        return request
    }

    private func failure(_ request: WorkloadRequest) async -> VoltError? {
        do {
            _ = try await fixture.apply(request)
            return nil
        } catch { return error as? VoltError }
    }

    @Test("an apply waits until the workloads that it names are healthy, of its kind and of others")
    func waits() async throws {
        let web = try request("web", after: ["db", "cache"])
        let applier = fixture.applier
        let (stream, continuation) = AsyncStream.makeStream(of: ApplyEvent.self)
        let apply = Task {
            defer { continuation.finish() }
            return try await applier.apply(web) { continuation.yield($0) }
        }
        _ = try await fixture.apply(try request("db"))
        fixture.kinds.set("other", WorkloadStatus(workload: "cache", state: .starting))
        try await Task.sleep(for: .milliseconds(300))
        #expect(await fixture.runtime.containers[try Name("web-1")] == nil)
        fixture.kinds.set("other", WorkloadStatus(workload: "cache", state: .running, health: .healthy))
        #expect(try await apply.value.status == .deployed)
        var lines: [String] = []
        for await event in stream { if case .log(_, let line, _) = event { lines.append(line) } }
        #expect(lines.contains("waiting for 'db', which is not deployed"))
        #expect(try await fixture.applier.status(of: fixture.web).after == ["db", "cache"])
    }

    @Test("an apply that waits in vain ends with 75, and nothing was started")
    func inVain() async throws {
        let error = await failure(try request("web", after: ["db"], timeout: .milliseconds(400)))
        #expect(error?.code == .tryAgain)
        #expect(error?.message == "'web' waited in vain for 'db', which is not deployed")
        #expect(await fixture.runtime.containers.isEmpty)
        fixture.kinds.set("other", WorkloadStatus(workload: "db", state: .running, health: .unhealthy))
        #expect(
            await failure(try request("web", after: ["db"], timeout: .milliseconds(400)))?.message
                == "'web' waited in vain for 'db', which is unhealthy")
    }

    @Test("another order alone starts nothing anew, and is kept")
    func orderAlone() async throws {
        _ = try await fixture.apply(try request("db"))
        _ = try await fixture.apply(try request("web"))
        #expect(try await fixture.apply(try request("web", after: ["db"])).status == .unchanged)
        #expect(try await fixture.applier.status(of: fixture.web).after == ["db"])
        #expect(try await fixture.apply(try request("web")).status == .unchanged)
        #expect(try await fixture.applier.status(of: fixture.web).after == nil)
    }

    @Test("a cycle is refused, over kinds as well, and says its way")
    func cycles() async throws {
        _ = try await fixture.apply(try request("web"))
        _ = try await fixture.apply(try request("db", after: ["web"]))
        #expect(
            await failure(try request("web", after: ["db"]))?.message
                == "'after' leads back to 'web': web -> db -> web")
        #expect(await failure(try request("web", after: ["web"]))?.message.contains("web -> web") == true)
        var cache = WorkloadStatus(workload: "cache", state: .running, health: .healthy)
        cache.after = ["db"]
        fixture.kinds.set("other", cache)
        #expect(
            await failure(try request("web", after: ["cache"]))?.message
                == "'after' leads back to 'web': web -> cache -> db -> web")
        await #expect(throws: VoltError.self) { try await fixture.plan(try request("web", after: ["cache"])) }
    }

    @Test("the workloads of the kind are listed by name")
    func list() async throws {
        #expect(try await fixture.applier.list().isEmpty)
        _ = try await fixture.apply(try request("web"))
        _ = try await fixture.apply(try request("db"))
        #expect(try await fixture.applier.list().map(\.workload) == ["db", "web"])
    }
}
