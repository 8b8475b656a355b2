import Testing
import VoltCore
import VoltSystem
import VoltTestKit
import VoltWorkload

@testable import VoltRollout

/// Two kinds of a host that ask each other.
private struct TwoKinds: OtherKinds {
    let scratch: String

    func status(of workload: Name, kind: String) throws(VoltError) -> WorkloadStatus {
        let known = Files.exists("\(scratch)/lib/\(kind)/workloads/\(workload)/workload.json")
        return WorkloadStatus(workload: workload.text, state: known ? .running : .absent)
    }

    func kind(having workload: Name, except kinds: [String]) -> String? { nil }
}

/// A kind that is not Volt's own, in a few lines: see `NoteKind`.
@Suite final class RolloutTests {
    private let scratch: ScratchDirectory
    private let web: Name

    init() throws {
        scratch = try ScratchDirectory()
        web = try Name("web")
    }

    private func rollout(_ kind: String) throws -> Rollout<NoteKind> {
        Rollout(
            kind: kind, runtime: NoteKind(directory: "\(scratch.path)/\(kind)"),
            paths: try HostPaths(tool: kind, environment: ["VOLT_ROOT": scratch.path]),
            others: TwoKinds(scratch: scratch.path))
    }

    private func request(_ text: String, replacing kind: String? = nil) throws -> WorkloadRequest {
        try Files.replace("\(scratch.path)/manifest", with: text.utf8)
        return WorkloadRequest(
            workload: web, file: "\(scratch.path)/manifest", source: scratch.path, revision: text,
            replacedKinds: kind.map { [$0] } ?? [])
    }

    @Test("a kind in a few lines is deployed, replaced, broken, rolled back and removed")
    func life() async throws {
        let notes = try rollout("note")
        #expect(try await notes.plan(try request("one")).map(\.change) == [.create])
        #expect(try await notes.apply(try request("one")) { _ in }.generation == "web-1")
        #expect(try await notes.apply(try request("one")) { _ in }.status == .unchanged)
        #expect(try await notes.apply(try request("two")) { _ in }.generation == "web-2")
        await #expect(throws: VoltError.self) { try await notes.apply(try request("bad")) { _ in } }
        let status = try await notes.status(of: web)
        #expect(status.isHealthy && status.desiredRevision == "two" && status.actualRevision == "two")
        #expect(try await notes.list() == [status])
        #expect(try await notes.apply(try request("one")) { _ in }.status == .deployed)
        #expect(try await notes.remove(web, withVolumes: true, timeout: .seconds(1)).instances.count == 1)
        #expect(try await notes.status(of: web).state == .absent)
    }

    @Test("an apply goes on after one that was killed, though the instance of the record has ended meanwhile")
    func endedMeanwhile() async throws {
        let notes = try rollout("note")
        _ = try await notes.apply(try request("one")) { _ in }
        try Files.replace("\(scratch.path)/note/web-1", with: "ended".utf8)
        try Files.replace("\(scratch.path)/note/web-2", with: "left".utf8)
        #expect(try await notes.apply(try request("two")) { _ in }.generation == "web-2")
        #expect(try Files.list("\(scratch.path)/note") == ["web-2"])
    }

    @Test("a workload goes from one kind to another and back, and has one kind at a time")
    func handOver() async throws {
        let (first, second) = (try rollout("first"), try rollout("second"))
        _ = try await first.apply(try request("one")) { _ in }
        await #expect(throws: ClaimConflict.self) { try await second.apply(try request("one")) { _ in } }
        _ = try await second.apply(try request("one", replacing: "first")) { _ in }
        // The old one is there until it is removed, and cannot be applied any more.
        #expect(try await first.status(of: web).state == .running)
        await #expect(throws: ClaimConflict.self) { try await first.apply(try request("two")) { _ in } }
        _ = try await first.remove(web, withVolumes: false, timeout: .seconds(1))
        await #expect(throws: ClaimConflict.self) { try await first.apply(try request("two")) { _ in } }
        _ = try await second.remove(web, withVolumes: false, timeout: .seconds(1))
        #expect(try await first.apply(try request("two")) { _ in }.status == .deployed)
    }

    @Test(
        "all kinds have their claims and the locks of them in the same place",
        arguments: [
            ["VOLT_ROOT": "/root/of/test"], ["HOME": "/home/x"],
            ["HOME": "/home/x", "XDG_RUNTIME_DIR": "/run/user/7", "XDG_STATE_HOME": "/home/x/s"],
        ])
    func places(environment: [String: String]) throws {
        for isRoot in [false, true] {
            let claims = try ["first", "second"].map {
                WorkloadClaims(paths: try HostPaths(tool: $0, environment: environment, isRoot: isRoot))
            }
            #expect(claims[0].directory == claims[1].directory && claims[0].locks == claims[1].locks)
            #expect(claims[0].directory != claims[0].locks && !claims[0].locks.contains("first"))
        }
    }

    @Test("of two kinds that apply the same name at the same time, one gets it")
    func race() async throws {
        for _ in 1...10 {
            let (first, second) = (try rollout("first"), try rollout("second"))
            let wanted = try request("one")
            let applies = [first, second].map { rollout in
                Task { try await rollout.apply(wanted) { _ in } }
            }
            var count = 0
            for apply in applies where (try? await apply.value) != nil { count += 1 }
            #expect(count == 1)
            for rollout in [first, second] {
                _ = try? await rollout.remove(web, withVolumes: false, timeout: .seconds(1))
            }
        }
    }
}
