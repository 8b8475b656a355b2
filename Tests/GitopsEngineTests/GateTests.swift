import Testing
import VoltCore

@testable import GitopsEngine

private let now = Timestamp(milliseconds: seconds("2026-11-23T12:00:00Z") * 1000)
private let commit = "1111111111111111111111111111111111111111"

@Suite struct GateTests {
    private func pipeline(_ change: (inout ControlOptions) -> Void = { _ in }) throws -> Pipeline {
        var pipeline = Pipeline(
            name: try Name("site"), repo: "https://git.example/a.git", provider: .github, branch: "main",
            workload: try Name("web"), createdAt: now)
        var control = ControlOptions()
        change(&control)
        pipeline.control = control
        return pipeline
    }

    private func attempt(_ trigger: Trigger = .webhook, commit: String? = nil) -> Attempt {
        Attempt(
            id: 7, pipeline: "site", state: .accepted, trigger: trigger, branch: "main", commit: commit,
            note: "",
            acceptedAt: now)
    }

    private func kind(_ decision: Gate.Decision) -> Wait.Kind? {
        if case .wait(let kind, _, _) = decision { return kind }
        return nil
    }

    private func closed() throws -> WindowPlan {
        try WindowPlan([try DeployWindow("deny 0 11 * * * 2h")]) { _ throws(VoltError) in .utc }
    }

    @Test("without options every attempt runs")
    func open() throws {
        var pipeline = try pipeline()
        #expect(Gate.decide(pipeline: pipeline, attempt: attempt(), state: .init(), now: now) == .run)
        pipeline.control = nil
        #expect(Gate.decide(pipeline: pipeline, attempt: attempt(), state: .init(), now: now) == .run)
    }

    @Test("a suspension holds everything, repairs too, but neither what was forced nor a rollback")
    func suspended() throws {
        var state = Gate.State()
        state.suspension = Suspension(reason: "move", by: "alice", at: now)
        for trigger in [Trigger.webhook, .poll, .manual, .drift] {
            #expect(
                Gate.decide(pipeline: try pipeline(), attempt: attempt(trigger), state: state, now: now)
                    == .wait(.suspended, reason: "suspended by alice: move", until: nil))
        }
        let rollback = Gate.decide(
            pipeline: try pipeline(), attempt: attempt(.rollback), state: state, now: now)
        #expect(rollback == .run)
        state.isForced = true
        #expect(
            Gate.decide(pipeline: try pipeline(), attempt: attempt(.manual), state: state, now: now) == .run)
    }

    @Test("a closed window says until when; forced attempts and repairs go through")
    func window() throws {
        var state = Gate.State()
        state.windows = .success(try closed())
        let until = Timestamp(milliseconds: seconds("2026-11-23T13:00:00Z") * 1000)
        #expect(
            Gate.decide(pipeline: try pipeline(), attempt: attempt(), state: state, now: now)
                == .wait(
                    .window,
                    reason:
                        "the window 'deny 0 11 * * * 2h UTC' forbids deploys until 2026-11-23 13:00:00 UTC",
                    until: until))
        #expect(Gate.decide(pipeline: try pipeline(), attempt: attempt(), state: state, now: until) == .run)
        #expect(
            Gate.decide(pipeline: try pipeline(), attempt: attempt(.drift), state: state, now: now) == .run)
        state.isForced = true
        #expect(
            Gate.decide(pipeline: try pipeline(), attempt: attempt(.manual), state: state, now: now) == .run)
    }

    @Test("a window whose zone cannot be read is closed")
    func unreadable() throws {
        var state = Gate.State()
        state.windows = .failure(VoltError(.usage, "'X' is not a time zone"))
        #expect(
            kind(Gate.decide(pipeline: try pipeline(), attempt: attempt(), state: state, now: now)) == .window
        )
    }

    @Test("an attempt is fetched, then waits for approval of its commit, even when it was forced")
    func approval() throws {
        let pipeline = try pipeline { $0.requiresApproval = true }
        var state = Gate.State()
        func decide(_ commit: String?) -> Gate.Decision {
            Gate.decide(pipeline: pipeline, attempt: attempt(commit: commit), state: state, now: now)
        }
        #expect(decide(nil) == .run)
        #expect(decide(commit) == .run)
        state.isFetched = true
        #expect(kind(decide(commit)) == .approval)
        state.isForced = true
        #expect(kind(decide(commit)) == .approval)
        state.verdict = Verdict(commit: commit, isApproved: true, by: "alice", reason: "", at: now)
        #expect(decide(commit) == .run)
        state.verdict = Verdict(commit: commit, isApproved: false, by: "bob", reason: "no", at: now)
        #expect(decide(commit) == .end(.held, reason: "rejected by bob: no"))
    }

    @Test("an approved commit still waits for its window")
    func approvedOutsideWindow() throws {
        let pipeline = try pipeline { $0.requiresApproval = true }
        var state = Gate.State()
        state.isFetched = true
        state.verdict = Verdict(commit: commit, isApproved: true, by: "alice", reason: "", at: now)
        state.windows = .success(try closed())
        #expect(
            kind(Gate.decide(pipeline: pipeline, attempt: attempt(commit: commit), state: state, now: now))
                == .window)
    }

    @Test(
        "an attempt waits for pipelines that come first until they are done and healthy",
        arguments: [
            (Gate.Dependency(name: "db", exists: false), "was deleted"),
            (Gate.Dependency(name: "db", isBusy: true, last: .done), "is not done"),
            (Gate.Dependency(name: "db"), "was never deployed"),
            (Gate.Dependency(name: "db", last: .failed), "is failed"),
            (Gate.Dependency(name: "db", last: .held), "is held"),
            (
                Gate.Dependency(name: "db", last: .done, health: .unhealthy("is exited")),
                "its workload is exited"
            ),
            (Gate.Dependency(name: "db", last: .done, health: .healthy), nil),
            (Gate.Dependency(name: "db", last: .done), nil),
            // Its branch is where it was, and so is what runs.
            (Gate.Dependency(name: "db", last: .unseen, health: .healthy), nil),
        ] as [(Gate.Dependency, String?)])
    func after(dependency: Gate.Dependency, reason: String?) throws {
        var state = Gate.State()
        state.dependencies = [Gate.Dependency(name: "ok", last: .done, health: .healthy), dependency]
        let decision = Gate.decide(pipeline: try pipeline(), attempt: attempt(), state: state, now: now)
        guard let reason else {
            #expect(decision == .run)
            return
        }
        guard case .wait(.after, let text, let until) = decision else {
            Issue.record("\(decision)")
            return
        }
        #expect(text.contains("'db'") && text.hasSuffix(reason))
        #expect(until == now.advanced(by: .seconds(3600)))
    }

    @Test("the wait for other pipelines ends after its time, with the reason")
    func timeout() throws {
        let pipeline = try pipeline { $0.afterTimeout = 60 }
        var state = Gate.State()
        state.dependencies = [Gate.Dependency(name: "db", last: .failed)]
        state.waitsForDependenciesSince = now.advanced(by: .seconds(-59))
        #expect(kind(Gate.decide(pipeline: pipeline, attempt: attempt(), state: state, now: now)) == .after)
        state.waitsForDependenciesSince = now.advanced(by: .seconds(-60))
        #expect(
            Gate.decide(pipeline: pipeline, attempt: attempt(), state: state, now: now)
                == .end(
                    .failed,
                    reason: "waited 1m in vain: pipeline 'db' comes first and its last attempt is failed"))
    }

    @Test("pipelines that would wait for each other are found, over any number of steps")
    func circles() throws {
        func named(_ name: String, after: [String]) throws -> Pipeline {
            var pipeline = try pipeline { $0.after = after.compactMap { try? Name($0) } }
            pipeline.name = try Name(name)
            return pipeline
        }
        let all = [
            try named("a", after: ["b"]), try named("b", after: ["c", "d"]), try named("c", after: []),
            try named("d", after: ["site"]),
        ]
        func circle(_ after: [String]) throws -> [String]? {
            Gitops.circle(from: try Name("site"), after: try after.map { try Name($0) }, among: all)?.map(
                \.text)
        }
        #expect(try circle(["c"]) == nil)
        #expect(try circle(["site"]) == ["site", "site"])
        #expect(try circle(["c", "a"]) == ["site", "a", "b", "d", "site"])
    }
}
