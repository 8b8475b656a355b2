public import VoltCore

/// Where a pipeline is, as `status`, `show`, the pages and `/metrics` say it.
public struct PipelineState: Codable, Sendable, Equatable {
    /// What people read, and the label of `/metrics`.
    public enum Word: String, Codable, CaseIterable, Sendable {
        /// Nothing was ever queued.
        case never
        case queued, deploying, success, failed, superseded, interrupted, unseen, held, suspended, drifted
        case waiting
        case waitingForApproval = "waiting for approval"
        case rolledBack = "rolled-back"
    }

    /// The word.
    public var word: Word
    /// Why, in a sentence or two; nil before the first attempt.
    public var why: String?
    /// The newest attempt.
    public var last: Attempt?
    /// Set while the pipeline is suspended.
    public var suspension: Suspension?
    /// The hold on what it would deploy now.
    public var held: Hold?
    /// What differs between the workload and what was deployed.
    public var drift: DriftRecord?
}

extension Journal {
    /// What the last look found, when nothing has been deployed since and something differs.
    public func currentDrift(of pipeline: String) throws(VoltError) -> DriftRecord? {
        guard let record = try drift.last(of: pipeline), record.isDrifted,
            try lastApplied(of: pipeline)?.id == record.attempt
        else { return nil }
        return record
    }

    /// Where a pipeline is. What is under way says more than a suspension, and that more than a hold, that more than
    /// drift, and that more than how the last attempt ended.
    public func state(of pipeline: Pipeline) throws(VoltError) -> PipelineState {
        let name = pipeline.name.text
        let last = try history(of: name, limit: 1).first
        var state = PipelineState(
            word: last.map(\.word) ?? .never, why: last?.why, last: last,
            suspension: try suspension(of: name), held: try currentHold(of: pipeline),
            drift: try currentDrift(of: name))
        let isOpen = last.map { $0.finishedAt == nil } ?? false
        if let last, isOpen, last.state != .accepted { return state }
        if let suspension = state.suspension {
            (state.word, state.why) = (.suspended, suspension.text)
        } else if let held = state.held, last != nil, !isOpen {
            (state.word, state.why) = (.held, held.text(of: name))
        } else if let drift = state.drift, last != nil, !isOpen {
            (state.word, state.why) = (.drifted, drift.shown)
        }
        return state
    }
}

extension Attempt {
    /// The word that `status` and `logs` show.
    public var word: PipelineState.Word {
        switch state {
        case .accepted: wait?.word ?? .queued
        case .fetching, .building, .starting, .checking, .switching: .deploying
        case .done: isAutomatic == true ? .rolledBack : .success
        case .failed: .failed
        case .superseded: .superseded
        case .interrupted: .interrupted
        case .held: .held
        case .unseen: .unseen
        }
    }

    /// Why it ended so, what it waits for, or why it was made.
    public var why: String { decision ?? wait?.reason ?? note }
}

extension Hold {
    /// `abc1234 is held: …`, with what ends it.
    public func text(of pipeline: String) -> String {
        "\(commit.prefix(7)) is held: \(reason); \(advice(for: pipeline))"
    }
}

extension DriftRecord {
    /// What differs, with what is done about it.
    public var shown: String { text + (advice.map { " (\($0))" } ?? "") }
}
