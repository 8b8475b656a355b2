public import VoltCore
internal import VoltWorkload

/// What was found when a workload was looked at last.
public struct DriftRecord: Codable, Sendable, Equatable {
    /// The attempt that deployed what should run.
    public var attempt: Int64
    /// The commit that should run.
    public var commit: String
    /// The configuration that the kind's tool had applied for it, where it says so.
    public var config: String?
    /// What differs, in words; empty when nothing does.
    public var differences: [String] = []
    /// Since when something differs.
    public var since: Timestamp?
    /// Why nothing is done about it, or what is going to be done.
    public var advice: String?
    /// Why the workload could not be looked at.
    public var problem: String?
    /// When it was looked at.
    public var checkedAt: Timestamp

    init(attempt: Int64, commit: String, checkedAt: Timestamp) {
        self.attempt = attempt
        self.commit = commit
        self.checkedAt = checkedAt
    }

    /// Whether something differs.
    public var isDrifted: Bool { !differences.isEmpty }

    /// The differences on one line.
    public var text: String { differences.joined(separator: "; ") }
}

/// Compares a workload with what was deployed, and decides what to do about it. Functions of values.
enum DriftRules {
    /// Something that differs.
    struct Difference: Equatable, Sendable {
        let text: String
        /// Whether applying the commit again is right: what was stopped on purpose stays stopped.
        var isRepaired = true
        /// Whether it may pass by itself, so that it has to be seen twice.
        var mayPass = false
    }

    /// What differs.
    ///
    /// - Parameters:
    ///   - commit: the one that should run.
    ///   - config: the configuration that was applied for it, nil when it is not known.
    static func compare(_ status: WorkloadStatus, commit: String, config: String?) -> [Difference] {
        var found: [Difference] = []
        if let revision = status.desiredRevision, revision != commit {
            found.append(
                Difference(text: "'\(revision.prefix(12))' was applied by other means than this pipeline"))
        } else if let config, let applied = status.desiredConfig, applied != config {
            found.append(
                Difference(
                    text: "another configuration was applied: \(short(applied)) in place of \(short(config))")
            )
        }
        switch (status.state, status.stopped) {
        case (.absent, _): return [Difference(text: "the workload is gone")]
        case (.exited, .byHand?):
            found.append(Difference(text: "the workload was stopped by hand", isRepaired: false))
        case (.exited, .finished?):
            found.append(
                Difference(
                    text: "the workload ended, and its definition says not to restart it", isRepaired: false))
        case (.exited, nil): found.append(Difference(text: "the workload has stopped"))
        case (.restarting, _):
            found.append(Difference(text: "the workload keeps ending and being restarted", mayPass: true))
        default: break
        }
        if status.health == .unhealthy {
            found.append(Difference(text: "the workload is unhealthy", mayPass: true))
        }
        if let desired = status.desiredConfig, let actual = status.actualConfig, desired != actual {
            found.append(
                Difference(
                    text:
                        "what runs was changed: its configuration is \(short(actual)), applied was \(short(desired))"
                ))
        }
        return found
    }

    /// The beginning of a digest without the name of its function.
    private static func short(_ digest: String) -> Substring {
        (digest.split(separator: ":").last ?? "").prefix(12)
    }

    /// An earlier repair.
    struct Repair: Equatable, Sendable {
        let succeeded: Bool
        let ended: Timestamp
    }

    /// What is done about differences.
    enum Action: Equatable, Sendable {
        case report(because: String)
        case repair
    }

    /// Repairs of one deploy within `span` after which it is left to people.
    static let limit = 5
    /// See `limit`.
    static let span = Duration.seconds(3600)
    /// The wait after the first repair; it doubles with each.
    static let firstWait = Duration.seconds(30)

    /// Decides what to do.
    ///
    /// - Parameters:
    ///   - wasSeen: whether the last look found differences, too.
    ///   - repairs: those since the last deploy that was no repair, the newest last.
    static func decide(
        _ differences: [Difference], mode: DriftMode, suspension: Suspension?, wasSeen: Bool,
        repairs: [Repair],
        now: Timestamp
    ) -> Action {
        guard mode == .repair else { return .report(because: "it is only reported (--drift report)") }
        if let suspension { return .report(because: "the pipeline is \(suspension.text)") }
        // Whoever stopped it meant it, whatever else differs.
        if differences.contains(where: { !$0.isRepaired }) {
            return .report(because: "what was stopped on purpose stays stopped; the next deploy starts it")
        }
        if differences.allSatisfy(\.mayPass), !wasSeen {
            return .report(because: "it may pass by itself; the next look repairs it")
        }
        let recent = repairs.filter { now.since($0.ended) < span }
        guard recent.count < limit, let last = recent.last else {
            return recent.isEmpty
                ? .repair
                : .report(
                    because:
                        "it was repaired \(recent.count) times within \(DurationText.format(span)) and does not stay so"
                )
        }
        let wait = firstWait * (1 << (recent.count - 1))
        let due = last.ended.advanced(by: wait)
        guard now < due else { return .repair }
        let how = last.succeeded ? "was repaired a moment ago" : "could not be repaired"
        return .report(because: "it \(how); the next try comes in \(DurationText.format(due.since(now)))")
    }
}
