public import VoltCore

/// What made an attempt.
public enum Trigger: String, Codable, Sendable {
    case webhook, poll, manual, drift
    /// A failed attempt is tried again.
    case retry
    /// A commit that ran before is brought back, by hand or after a failure.
    case rollback
}

/// The states of an attempt in the journal.
public enum AttemptState: String, Codable, CaseIterable, Sendable {
    case accepted, fetching, building, starting, checking, switching
    case done, failed, superseded, interrupted, held
    /// The commit that a delivery announced was never there to be fetched.
    case unseen

    /// Whether the attempt has ended.
    public var isFinal: Bool {
        switch self {
        case .done, .failed, .superseded, .interrupted, .held, .unseen: true
        case .accepted, .fetching, .building, .starting, .checking, .switching: false
        }
    }

    /// Whether a newer commit may still take the attempt's place.
    var isCancellable: Bool {
        switch self {
        case .fetching, .building, .starting, .checking: true
        default: false
        }
    }

    /// The word that `status` and `logs` show.
    public var shown: String {
        switch self {
        case .accepted: "queued"
        case .fetching, .building, .starting, .checking, .switching: "deploying"
        case .done: "success"
        case .failed, .superseded, .interrupted, .held, .unseen: rawValue
        }
    }
}

/// One try to bring a workload to a commit.
public struct Attempt: Codable, Sendable, Equatable {
    /// The number, counted over all pipelines.
    public var id: Int64
    /// The name of the pipeline.
    public var pipeline: String
    /// Where it is.
    public var state: AttemptState
    /// What made it.
    public var trigger: Trigger
    /// The provider's id of the delivery.
    public var delivery: String?
    /// The branch.
    public var branch: String
    /// The commit that ran before.
    public var oldCommit: String?
    /// The commit the trigger named, then the one that was fetched.
    public var commit: String?
    /// Why it was made, or why it ended so.
    public var note: String
    /// When it was written to the journal.
    public var acceptedAt: Timestamp
    /// When it left the queue.
    public var startedAt: Timestamp?
    /// When it ended.
    public var finishedAt: Timestamp?
    /// What it waits for, while it is queued.
    public var wait: Wait?
    /// Why it ended so, in a sentence or two; nil while it is open.
    public var decision: String?
    /// The commit of a kept snapshot that is to run, in place of the tip.
    public var target: String?
    /// What its commit is of, where that is not all in the commit's id: for Subversion a digest of the repository, the
    /// path within it and the date of the revision; empty for Git; nil while it is not known, and when an earlier
    /// Volt wrote the attempt.
    public var origin: String?
    /// The name of the snapshot; nil while there is none, and when it has the name of the commit.
    public var snapshot: String?

    /// True for a rollback that nobody asked for: a deploy had failed and left nothing running.
    public var isAutomatic: Bool?
    /// The commit that its delivery announced, when that never came.
    public var unseen: String?

    /// The name of the snapshot, nil while no commit is known.
    var snapshotName: String? { snapshot ?? commit }

    /// Whether its commit is still to be found out.
    var isToBeFetched: Bool { state == .fetching || state == .accepted && startedAt == nil }

    /// See `origin`: of Git it is known before anything is fetched.
    func origin(in pipeline: Pipeline) -> String? { pipeline.provider == .svn ? origin : "" }

    /// The word that `status` and `logs` show.
    public var status: String { word.rawValue }
}

/// A step of an attempt and when it began.
public struct AttemptStep: Codable, Sendable, Equatable {
    /// The state that began.
    public var state: AttemptState
    /// When.
    public var at: Timestamp
}
