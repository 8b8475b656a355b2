public import VoltCore

/// Something that happened to a pipeline and that others want to know.
public struct Notification: Codable, Sendable, Equatable {
    /// What happened.
    public enum Kind: String, Codable, CaseIterable, Sendable {
        /// An attempt knows its commit and works on it.
        case started
        /// The workload is healthy at the commit.
        case success
        /// It is not, and the old one runs.
        case failed
        /// A deploy failed and left nothing running, and the last good commit was brought back.
        case rolledBack = "rolled-back"
        /// The commit failed too often and waits for a newer one.
        case held
        /// The server died at it.
        case interrupted
        /// A newer commit took its place.
        case superseded
        /// The workload is not what the commit says.
        case drift
        /// The commit that a delivery announced never came.
        case unseen
        /// An attempt waits for a person.
        case approval
        /// `volt gitops notify test`.
        case test

        /// Whether somebody has to look.
        public var isBad: Bool {
            switch self {
            case .rolledBack, .failed, .held, .interrupted, .unseen, .drift: true
            case .started, .success, .superseded, .approval, .test: false
            }
        }
    }
    /// What happened.
    public var kind: Kind
    /// The attempt, or nil.
    public var attempt: Int64?
    /// The commit or revision, or nil when it is not known.
    public var commit: String?
    /// Why.
    public var note: String
    /// When.
    public var at: Timestamp

    /// - Parameters: see the properties.
    public init(kind: Kind, attempt: Int64? = nil, commit: String? = nil, note: String, at: Timestamp) {
        self.kind = kind
        self.attempt = attempt
        self.commit = commit
        self.note = note
        self.at = at
    }
}

/// The pipeline that a notification is about.
public struct NotificationSource: Sendable, Equatable {
    /// Its name.
    public var pipeline: String
    /// Its workload.
    public var workload: String
    /// The repository without credentials.
    public var repository: String
    /// The branch.
    public var branch: String
    /// The name of this host.
    public var host: String

    /// - Parameters: see the properties.
    public init(pipeline: String, workload: String, repository: String, branch: String, host: String) {
        self.pipeline = pipeline
        self.workload = workload
        self.repository = repository
        self.branch = branch
        self.host = host
    }
}

extension Notification {
    /// One line: `site on host1: deploy of abc1234 (main) failed`.
    public func headline(_ source: NotificationSource) -> String {
        let what =
            commit.map { "deploy of \($0.prefix(7)) (\(source.branch))" } ?? "deploy of \(source.branch)"
        let said =
            switch kind {
            case .started: "\(what) started"
            case .success: "\(what) succeeded"
            case .rolledBack:
                "rolled back to \(commit.map { "\($0.prefix(7)) (\(source.branch))" } ?? source.branch) after a deploy failed"
            case .failed: "\(what) failed"
            case .held: "\(what) failed and is held until a newer commit"
            case .interrupted: "\(what) was interrupted"
            case .superseded: "\(what) was superseded"
            case .unseen:
                "\(commit.map { "commit \($0.prefix(7)) (\(source.branch))" } ?? "a commit") was announced and never came"
            case .drift: "the workload differs from its commit"
            case .approval: "\(what) waits for approval"
            case .test: "this is a test"
            }
        return Self.line("\(source.pipeline) on \(source.host): \(said)", limit: 200)
    }

    /// The note without control characters, cut.
    public func reason(limit: Int) -> String { Self.line(note, limit: limit) }

    /// A text on one line: a commit's author can write anything.
    static func line(_ text: String, limit: Int) -> String {
        let clean = PrintableText.line(text, replacement: " ")
        return clean.count <= limit ? clean : clean.prefix(max(0, limit - 1)) + "…"
    }
}
