internal import VoltCore

/// The state that the queue of a pipeline should have now. It is a value: whoever asks for it decides when the journal
/// is brought to it.
struct Turn: Sendable, Equatable {
    /// A change of the queue.
    enum Change: Sendable, Equatable {
        /// What is older and was not forced gives way.
        case supersedeUnforced(before: Int64)
        /// What is older gives way.
        case supersedeQueued(before: Attempt)
        /// The attempt waits.
        case wait(Attempt, Wait)
        /// The attempt ends without having run.
        case end(Attempt, AttemptState, reason: String)
    }

    /// The name of the pipeline.
    let pipeline: String
    /// The attempt that may run; nil when none may.
    var attempt: Attempt?
    /// What becomes of the others, in this order.
    var changes: [Change] = []
}

extension Journal {
    /// Brings the queue of a pipeline to what was judged.
    ///
    /// - Returns: the attempt that may run.
    func settle(_ turn: Turn, at now: Timestamp) throws(VoltError) -> Attempt? {
        guard !turn.changes.isEmpty else { return turn.attempt }
        try transaction { () throws(VoltError) in
            for change in turn.changes {
                switch change {
                case .supersedeUnforced(let id):
                    try supersedeUnforced(of: turn.pipeline, before: id, at: now)
                case .supersedeQueued(let attempt): try supersedeQueued(before: attempt, at: now)
                case .wait(let attempt, let wait): try self.wait(attempt.id, for: wait)
                case .end(let attempt, let state, let reason):
                    try finish(
                        attempt.id, as: state, note: "\(attempt.note), \(reason)",
                        decision: "\(state.shown): \(reason)", at: now)
                }
            }
        }
        return turn.attempt
    }
}
