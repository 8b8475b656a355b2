import Testing
import VoltCore
import VoltWorkload

@testable import GitopsEngine

private let now = Timestamp(milliseconds: seconds("2026-11-23T12:00:00Z") * 1000)
private let commit = "1111111111111111111111111111111111111111"

@Suite struct DriftTests {
    private func status(
        _ state: RunState = .running, health: HealthState = .none,
        _ change: (inout WorkloadStatus) -> Void = { _ in }
    )
        -> WorkloadStatus
    {
        var status = WorkloadStatus(
            workload: "web", desiredRevision: commit, actualRevision: commit, state: state, health: health,
            since: nil, restarts: 0)
        status.desiredConfig = "sha256:aaaaaaaaaaaaaaaa"
        status.actualConfig = "sha256:aaaaaaaaaaaaaaaa"
        change(&status)
        return status
    }

    private func texts(_ status: WorkloadStatus, config: String? = "sha256:aaaaaaaaaaaaaaaa") -> [String] {
        DriftRules.compare(status, commit: commit, config: config).map(\.text)
    }

    @Test("a workload that runs as it was deployed has not drifted")
    func same() {
        #expect(texts(status()) == [])
        #expect(texts(status(health: .healthy)) == [])
        #expect(texts(status(health: .starting), config: nil) == [])
        // A kind that tells nothing about configurations, and a commit that changed nothing in the container.
        #expect(texts(status { ($0.desiredConfig, $0.actualConfig) = (nil, nil) }) == [])
        #expect(texts(status { $0.actualRevision = "older" }) == [])
        #expect(texts(status { ($0.desiredRevision, $0.actualRevision) = (nil, nil) }) == [])
    }

    @Test("what differs is said")
    func differs() {
        #expect(texts(status(.absent) { $0.desiredRevision = nil }) == ["the workload is gone"])
        #expect(texts(status(.exited)) == ["the workload has stopped"])
        #expect(texts(status(.exited) { $0.stopped = .byHand }) == ["the workload was stopped by hand"])
        #expect(
            texts(status(.exited) { $0.stopped = .finished }) == [
                "the workload ended, and its definition says not to restart it"
            ])
        #expect(texts(status(.restarting)) == ["the workload keeps ending and being restarted"])
        #expect(texts(status(health: .unhealthy)) == ["the workload is unhealthy"])
        #expect(
            texts(status { $0.desiredRevision = "manual" }) == [
                "'manual' was applied by other means than this pipeline"
            ])
        #expect(
            texts(status(), config: "sha256:bbbbbbbbbbbbbbbb") == [
                "another configuration was applied: aaaaaaaaaaaa in place of bbbbbbbbbbbb"
            ])
        #expect(
            texts(status { $0.actualConfig = "sha256:cccccccccccccccc" }) == [
                "what runs was changed: its configuration is cccccccccccc, applied was aaaaaaaaaaaa"
            ])
    }

    private let gone = [DriftRules.Difference(text: "gone")]

    private func decide(
        _ differences: [DriftRules.Difference], mode: DriftMode = .repair, suspension: Suspension? = nil,
        wasSeen: Bool = true, repairs: [Int64] = [], succeeded: Bool = true
    ) -> DriftRules.Action {
        DriftRules.decide(
            differences, mode: mode, suspension: suspension, wasSeen: wasSeen,
            repairs: repairs.map { .init(succeeded: succeeded, ended: now.advanced(by: .seconds(-$0))) },
            now: now)
    }

    private func reason(_ action: DriftRules.Action) -> String? {
        if case .report(let reason) = action { return reason }
        return nil
    }

    @Test("drift is repaired only in mode repair, not while suspended, and not when it was meant")
    func repairs() {
        #expect(decide(gone) == .repair)
        #expect(reason(decide(gone, mode: .report)) == "it is only reported (--drift report)")
        let suspension = Suspension(reason: "", by: "alice", at: now)
        #expect(reason(decide(gone, suspension: suspension)) == "the pipeline is suspended by alice")
        let meant = DriftRules.Difference(text: "stopped", isRepaired: false)
        #expect(reason(decide([meant]))?.hasPrefix("what was stopped on purpose stays stopped") == true)
        #expect(
            reason(decide(gone + [meant]))?.hasPrefix("what was stopped on purpose stays stopped") == true)
    }

    @Test("what may pass by itself is repaired when it is seen twice")
    func passing() {
        let unhealthy = DriftRules.Difference(text: "unhealthy", mayPass: true)
        #expect(reason(decide([unhealthy], wasSeen: false)) != nil)
        #expect(decide([unhealthy], wasSeen: true) == .repair)
        #expect(decide([unhealthy] + gone, wasSeen: false) == .repair)
    }

    @Test("repairs wait longer each time, and end after five within an hour")
    func limits() {
        #expect(
            reason(decide(gone, repairs: [29])) == "it was repaired a moment ago; the next try comes in 1s")
        #expect(decide(gone, repairs: [30]) == .repair)
        #expect(
            reason(decide(gone, repairs: [90, 59], succeeded: false))
                == "it could not be repaired; the next try comes in 1s")
        #expect(decide(gone, repairs: [90, 60]) == .repair)
        #expect(decide(gone, repairs: [1000, 900, 800, 480]) == .repair)
        #expect(
            reason(decide(gone, repairs: [3599, 3000, 2000, 1000, 900]))
                == "it was repaired 5 times within 1h and does not stay so")
        #expect(decide(gone, repairs: [3600, 3000, 2000, 1000, 900]) == .repair)
    }
}
