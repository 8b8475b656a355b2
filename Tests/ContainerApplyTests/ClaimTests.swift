import Testing
import VoltCore
import VoltSystem
import VoltTestKit
import VoltWorkload

@testable import ContainerEngine
@testable import VoltRollout

@Suite(.enabled(if: runsAsRoot, "layers have owners, which need root"), .timeLimit(.minutes(1)))
struct ClaimTests {
    private let fixture: ApplyFixture
    private let claim: String

    init() throws {
        fixture = try ApplyFixture()
        claim = "\(fixture.scratch.path)/root/lib/claims/web"
    }

    private func request(_ revision: String, replacing kind: String? = nil) throws -> WorkloadRequest {
        var request = try fixture.source(
            revision, ["volt-manifest.yaml": ApplyFixture.manifest(ApplyFixture.healthy)])
        request.replacedKinds = kind.map { [$0, "never"] } ?? []
        return request
    }

    private func text() -> String? {
        (try? Files.read(claim)).map { String(decoding: $0, as: UTF8.self) }
    }

    private func claim(_ kind: String) throws {
        try Files.makeDirectory(Files.parent(of: claim))
        try Files.replace(claim, with: "volt-claim 1 \(kind)\n".utf8)
    }

    private func conflict(_ request: WorkloadRequest) async -> String? {
        do {
            _ = try await fixture.apply(request)
            return nil
        } catch {
            let failure = (error as? any WorkloadFailure)?.error
            return failure?.code == .conflict ? failure?.message : "\(error)"
        }
    }

    @Test("an apply that succeeds claims the name, and a removal gives it back")
    func life() async throws {
        await fixture.runtime.behave(.unhealthy)
        _ = try? await fixture.apply(try request("r1"))
        #expect(text() == nil)
        await fixture.runtime.behave(.healthy)
        _ = try await fixture.apply(try request("r1"))
        #expect(text() == "volt-claim 1 container\n")
        _ = try await fixture.applier.remove(fixture.web, withVolumes: false, timeout: .seconds(1))
        #expect(text() == nil)
    }

    @Test("a workload of an earlier version gets its claim at the next apply, and goes on")
    func upgrade() async throws {
        _ = try await fixture.apply(try request("r1"))
        try Files.remove(claim)
        fixture.kinds.set("other", WorkloadStatus(workload: "web", state: .running))
        #expect(try await fixture.apply(try request("r2")).status == .unchanged)
        #expect(text() == "volt-claim 1 container\n")
    }

    @Test("a name that another kind has is refused, by --dry-run too, and nothing is started")
    func conflicts() async throws {
        try claim("other")
        fixture.kinds.set("other", WorkloadStatus(workload: "web", state: .exited))
        #expect(await conflict(try request("r1")) == "workload 'web' belongs to kind 'other'")
        await #expect(throws: ClaimConflict.self) { try await fixture.plan(try request("r1")) }
        #expect(await fixture.runtime.containers.isEmpty)
        #expect(text() == "volt-claim 1 other\n")
        // Another kind than the one that has it hands nothing over.
        #expect(
            await conflict(try request("r1", replacing: "third")) == "workload 'web' belongs to kind 'other'")
    }

    @Test("kinds without claims are asked, and one that is not installed keeps its name")
    func unclaimed() async throws {
        fixture.kinds.set("other", WorkloadStatus(workload: "web", state: .running))
        #expect(await conflict(try request("r1")) == "workload 'web' belongs to kind 'other'")
        fixture.kinds.set("other", nil)
        try claim("gone")
        #expect(
            await conflict(try request("r1"))
                == "workload 'web' belongs to kind 'gone', which is not installed")
        #expect(try await fixture.apply(try request("r1", replacing: "gone")).status == .deployed)
        #expect(text() == "volt-claim 1 container\n")
    }

    @Test("a claim whose kind knows of no such workload is taken over", arguments: [true, false])
    func stale(saysAbsent: Bool) async throws {
        try claim("other")
        fixture.kinds.set("other", saysAbsent ? WorkloadStatus(workload: "web") : nil)
        #expect(try await fixture.apply(try request("r1")).status == .deployed)
        #expect(text() == "volt-claim 1 container\n")
    }

    @Test("a handed over workload changes its kind when the new one is healthy, and not before")
    func handOver() async throws {
        try claim("other")
        fixture.kinds.set("other", WorkloadStatus(workload: "web", state: .running))
        await fixture.runtime.behave(.unhealthy)
        await #expect(throws: VoltError.self) {
            try await fixture.apply(try request("r1", replacing: "other"))
        }
        #expect(text() == "volt-claim 1 other\n")
        await fixture.runtime.behave(.healthy)
        #expect(try await fixture.apply(try request("r1", replacing: "other")).status == .deployed)
        #expect(text() == "volt-claim 1 container\n")
        // The old one is removed later, and gives nothing back that is not its own.
        try claim("third")
        _ = try await fixture.applier.remove(fixture.web, withVolumes: false, timeout: .seconds(1))
        #expect(text() == "volt-claim 1 third\n")
    }

    @Test("an apply that dies at any step leaves a name that the next apply of the same kind can have")
    func death() async throws {
        for call in 1...40 {
            let fixture = try ApplyFixture()
            let files = ["volt-manifest.yaml": ApplyFixture.manifest(ApplyFixture.healthy)]
            await fixture.runtime.die(at: call)
            let died = (try? await fixture.apply(try fixture.source("r1", files))) == nil
            await fixture.runtime.die(at: nil)
            #expect(try await fixture.apply(try fixture.source("r1", files)).generation.hasPrefix("web-"))
            let claim = try Files.read("\(fixture.scratch.path)/root/lib/claims/web")
            #expect(String(decoding: claim, as: UTF8.self) == "volt-claim 1 container\n", "call \(call)")
            if !died { return }
        }
        Issue.record("an apply makes more than 40 calls")
    }

    @Test("a claim that is damaged or newer is refused with what to do")
    func damaged() async throws {
        _ = try await fixture.apply(try request("r1"))
        for (text, word) in [("volt-claim 2 container\n", "newer"), ("x\n", "damaged")] {
            try Files.replace(claim, with: text.utf8)
            await #expect { try await fixture.apply(try request("r2")) } throws: {
                ($0 as? VoltError)?.message.contains(word) == true
            }
        }
    }
}
