import Testing
import VoltCore
import VoltSystem
import VoltWorkload

@testable import ContainerEngine
@testable import VoltRollout

@Suite(.enabled(if: runsAsRoot, "layers have owners, which need root"), .timeLimit(.minutes(1)))
struct DecisionTests {
    private static let files = ["volt-manifest.yaml": ApplyFixture.manifest(ApplyFixture.healthy)]

    @Test(
        "what --dry-run says is what an apply does, whatever became of the container",
        arguments: [
            ("nothing", "unchanged", "'web-1' is what the definition says"),
            ("changed", "replace", "'web-1' was changed by other means; environment: A"),
            ("restarting", "replace", "'web-1' is restarting, healthy"),
            ("unhealthy", "replace", "'web-1' is running, unhealthy"),
            ("odd", "replace", "'web-1' is running, dozing"),
            ("exited", "replace", "'web-1' does not run"), ("gone", "replace", "'web-1' does not run"),
        ])
    func same(event: String, change: String, reasons: String) async throws {
        let fixture = try ApplyFixture()
        _ = try await fixture.apply(try fixture.source("r1", Self.files))
        let web = try Name("web-1")
        await fixture.runtime.change(web) { state in
            switch event {
            case "changed": state.spec.environment["A"] = "one"
            case "restarting": state.activity = .restarting
            case "unhealthy": state.health = .unhealthy
            case "odd": state.health = .other("dozing")
            case "exited": state.activity = .exited
            default: break
            }
        }
        if event == "gone" { await fixture.runtime.forget(web) }
        let request = try fixture.source("r2", Self.files)
        let plan = try await fixture.plan(request)
        #expect(plan.change.rawValue == change && plan.reasons.joined(separator: "; ") == reasons)
        let outcome = try await fixture.apply(request)
        #expect((outcome.status == .unchanged) == (plan.change == .unchanged))
        #expect(outcome.generation == (change == "unchanged" ? "web-1" : "web-2"))
        #expect(try await fixture.plan(request).change == .unchanged)
    }

    @Test("a workload that was never deployed is new, and an image that is still to be built replaces")
    func values() throws {
        let digest = try Digest("sha256:" + String(repeating: "a", count: 64))
        let none: InstanceState<String>? = nil
        #expect(RolloutDecision.decide(record: nil, state: none, wanted: nil).change == .create)
        let record = WorkloadRecord(
            generation: 1, instance: try Name("web-1"), fingerprint: digest, started: nil, revision: "r1",
            deployed: Timestamp(milliseconds: 0))
        let state = InstanceState(spec: "", config: digest, state: .running, health: .none)
        #expect(
            RolloutDecision.decide(record: record, state: state, wanted: nil).reasons.first?.hasPrefix(
                "the image is to be built") == true)
        // Records of older versions do not say what was started.
        #expect(
            RolloutDecision.decide(record: record, state: state, wanted: .init(fingerprint: digest)).change
                == .unchanged)
    }
}
