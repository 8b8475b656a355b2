internal import VoltCore

/// Decides whether an attempt may leave the queue. A function of values: it reads nothing and waits for nothing.
enum Gate {
    /// What becomes of an attempt now.
    enum Decision: Equatable, Sendable {
        /// It runs.
        case run
        /// It stays in the queue.
        case wait(Wait.Kind, reason: String, until: Timestamp?)
        /// It ends here, as failed or as held.
        case end(AttemptState, reason: String)
    }

    /// A pipeline that comes first.
    struct Dependency: Equatable, Sendable {
        /// What its workload is.
        enum Health: Equatable, Sendable {
            /// Nobody has looked yet.
            case unknown
            case healthy
            case unhealthy(String)
        }

        let name: String
        /// Whether there is such a pipeline.
        var exists = true
        /// Whether an attempt of it is queued or under way.
        var isBusy = false
        /// How its last attempt ended; nil when it had none.
        var last: AttemptState?
        var health = Health.unknown
    }

    /// What is known beside the pipeline and the attempt.
    struct State: Sendable {
        /// Set while the pipeline is suspended.
        var suspension: Suspension?
        /// Whether the attempt was forced: windows, pipelines that come first and a suspension do not hold it.
        var isForced = false
        /// What was decided about the attempt's commit.
        var verdict: Verdict?
        /// Whether the attempt's commit is the one that was fetched, and not only the one a trigger named.
        var isFetched = false
        /// The windows, or why they cannot be read.
        var windows: Result<WindowPlan, VoltError>?
        /// The pipelines that come first, in the order of the pipeline's options.
        var dependencies: [Dependency] = []
        /// Since when the attempt waits for them.
        var waitsForDependenciesSince: Timestamp?
    }

    /// What becomes of an attempt now.
    static func decide(pipeline: Pipeline, attempt: Attempt, state: State, now: Timestamp) -> Decision {
        // A rollback is asked for by hand, or brings back what a failed attempt has taken down.
        guard attempt.trigger != .rollback else { return .run }
        if let suspension = state.suspension, !state.isForced {
            return .wait(.suspended, reason: suspension.text, until: nil)
        }
        // A repair brings back what was let through before.
        guard attempt.trigger != .drift else { return .run }
        if pipeline.control?.requiresApproval == true {
            // It has to be fetched before anyone can say yes to it.
            guard state.isFetched, let commit = attempt.commit else { return .run }
            switch state.verdict {
            case nil:
                return .wait(
                    .approval,
                    reason:
                        "commit \(commit.prefix(7)) waits for 'volt gitops approve --name \(pipeline.name) \(commit.prefix(7))'",
                    until: nil)
            case let verdict? where !verdict.isApproved:
                let reason = verdict.reason.isEmpty ? "" : ": \(verdict.reason)"
                return .end(.held, reason: "rejected by \(verdict.by)\(reason)")
            case _?: break
            }
        }
        guard !state.isForced else { return .run }
        if let wait = window(state, now) { return wait }
        return after(pipeline, state, now) ?? .run
    }

    private static func window(_ state: State, _ now: Timestamp) -> Decision? {
        switch state.windows {
        case nil: return nil
        // A zone that cannot be read keeps the window closed: deny must not become allow.
        case .failure(let error): return .wait(.window, reason: error.message, until: nil)
        case .success(let plan):
            let moment = now.milliseconds.floorDivided(by: 1000)
            guard let closed = plan.closed(at: moment) else { return nil }
            let opens = plan.opens(from: moment).map { Timestamp(milliseconds: $0 * 1000) }
            let until = opens.map { "until \($0.tableText) UTC" } ?? "and no opening is in sight"
            switch closed {
            case .denied(let window):
                return .wait(
                    .window, reason: "the window '\(window.text)' forbids deploys \(until)", until: opens)
            case .notAllowed: return .wait(.window, reason: "no allow window is open \(until)", until: opens)
            }
        }
    }

    private static func after(_ pipeline: Pipeline, _ state: State, _ now: Timestamp) -> Decision? {
        guard let reason = state.dependencies.lazy.compactMap(reasonToWait).first else { return nil }
        let limit = Duration.seconds(pipeline.control?.afterTimeout ?? ControlOptions.usualAfterTimeout)
        if let since = state.waitsForDependenciesSince, now.since(since) >= limit {
            return .end(.failed, reason: "waited \(DurationText.format(limit)) in vain: \(reason)")
        }
        let until = (state.waitsForDependenciesSince ?? now).advanced(by: limit)
        return .wait(.after, reason: reason, until: until)
    }

    private static func reasonToWait(_ dependency: Dependency) -> String? {
        let name = dependency.name
        guard dependency.exists else { return "pipeline '\(name)', which comes first, was deleted" }
        guard !dependency.isBusy else { return "pipeline '\(name)' comes first and is not done" }
        switch dependency.last {
        case nil: return "pipeline '\(name)' comes first and was never deployed"
        // What runs is what ran before.
        case .done?, .unseen?: break
        case let state?: return "pipeline '\(name)' comes first and its last attempt is \(state.shown)"
        }
        guard case .unhealthy(let why) = dependency.health else { return nil }
        return "pipeline '\(name)' comes first and its workload \(why)"
    }
}
