internal import Glibc
public import VoltCore
internal import VoltSystem

/// What somebody who follows an attempt is told.
public enum FollowEvent: Sendable {
    /// The attempt enters a state.
    case step(AttemptStep)
    /// A line of its log.
    case line(String)
    /// Nothing new: time passes in the state it is in.
    case waiting(Attempt)
}

extension Gitops {
    /// The attempt of a pipeline that is under way, or queued; nil when nothing is.
    public func openAttempt(_ name: String) throws(VoltError) -> Attempt? {
        let journal = try journal()
        _ = try journal.pipeline(name)
        let open = try journal.open(of: name)
        return open.first { $0.state != .accepted } ?? open.last
    }

    /// Follows an attempt to its end.
    ///
    /// - Parameter event: what it throws ends this.
    /// - Returns: the attempt as it ended.
    public func follow(_ id: Int64, event: (FollowEvent) throws(VoltError) -> Void)
        throws(VoltError) -> Attempt
    {
        let journal = try journal()
        var shown = 0
        var position: Int64 = 0
        while true {
            // The attempt is read first: what it wrote before it ended is then seen below.
            guard let attempt = try journal.attempt(id) else {
                throw VoltError(.notFound, "attempt \(id) is gone: its pipeline was deleted")
            }
            let steps = try journal.steps(of: id)
            for step in steps.dropFirst(shown) { try event(.step(step)) }
            shown = steps.count
            for line in try journal.log(of: id, after: &position) { try event(.line(line)) }
            if attempt.finishedAt != nil { return attempt }
            try event(.waiting(attempt))
            usleep(100_000)
        }
    }

    /// Waits until an attempt of a pipeline is under way.
    public func nextAttempt(_ name: String) throws(VoltError) -> Attempt {
        while true {
            if let attempt = try openAttempt(name) { return attempt }
            usleep(200_000)
        }
    }
}
