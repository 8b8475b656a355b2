public import VoltCore

/// What a queued attempt waits for.
public struct Wait: Codable, Sendable, Equatable {
    /// What has to happen.
    public enum Kind: String, Codable, Sendable {
        /// `volt gitops resume`.
        case suspended
        /// A deploy window.
        case window
        /// `volt gitops approve`.
        case approval
        /// Pipelines that come first.
        case after
    }

    /// What has to happen.
    public var kind: Kind
    /// The same in words.
    public var reason: String
    /// When it ends by itself, where that is known.
    public var until: Timestamp?
    /// Since when the attempt waits for this.
    public var since: Timestamp

    /// - Parameters: see the properties.
    public init(kind: Kind, reason: String, until: Timestamp?, since: Timestamp) {
        self.kind = kind
        self.reason = reason
        self.until = until
        self.since = since
    }

    /// The word that `status` and `logs` show.
    public var shown: String { word.rawValue }

    /// The same for programs.
    public var word: PipelineState.Word {
        switch kind {
        case .suspended: .suspended
        case .approval: .waitingForApproval
        case .window, .after: .waiting
        }
    }

    /// Whether somebody has to do something, or a long time has to pass, before the attempt runs.
    public var isLong: Bool { kind != .after }
}

/// A pipeline that deploys nothing until it is resumed.
public struct Suspension: Codable, Sendable, Equatable {
    /// Why, in the words of who did it; may be empty.
    public var reason: String
    /// Who.
    public var by: String
    /// When.
    public var at: Timestamp

    /// `suspended by alice: migration`.
    public var text: String { "suspended by \(by)" + (reason.isEmpty ? "" : ": \(reason)") }
}

/// What somebody decided about a commit.
public struct Verdict: Codable, Sendable, Equatable {
    /// The commit.
    public var commit: String
    /// Whether it may be deployed.
    public var isApproved: Bool
    /// Who decided.
    public var by: String
    /// Why; may be empty.
    public var reason: String
    /// When.
    public var at: Timestamp
}

extension Wait {
    /// The wait that is to be written down; nil when the one that is there says the same.
    func news(since old: Wait?) -> Wait? {
        guard let old, old.kind == kind else { return self }
        if old.reason == reason, old.until == until { return nil }
        var same = self
        same.since = old.since
        return same
    }
}
