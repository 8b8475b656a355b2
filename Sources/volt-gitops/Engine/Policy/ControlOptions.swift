public import VoltCore

/// What decides when a pipeline deploys, and what it does on its own. Nil is off, everywhere.
public struct ControlOptions: Codable, Sendable, Equatable {
    /// When it may deploy.
    public var windows: [DeployWindow]?
    /// Whether each commit waits for `volt gitops approve`.
    public var requiresApproval: Bool?
    /// The pipelines that come first.
    public var after: [Name]?
    /// Seconds an attempt waits for them.
    public var afterTimeout: Int64?
    /// What is done about a workload that is no longer what was deployed.
    public var drift: DriftMode?
    /// Seconds between two looks at it.
    public var driftInterval: Int64?
    /// Whether a commit without a manifest removes the workload.
    public var prunes: Bool?
    /// Whether even a commit without any file does.
    public var allowsEmpty: Bool?

    /// Everything off.
    public init() {}

    /// How long an attempt waits for the pipelines that come first, unless told, in seconds.
    public static let usualAfterTimeout: Int64 = 3600
    /// Between two looks at a workload, unless told, in seconds.
    public static let usualDriftInterval: Int64 = 60
    /// What a new pipeline does about drift, unless told. One that an earlier Volt made without saying has none, which
    /// is off.
    public static let usualDrift = DriftMode.report

    /// The same for a file of pipelines, which leaves out what a new pipeline does anyway; nil when that is all.
    var written: ControlOptions? {
        var written = self
        let mode = drift ?? .off
        written.drift = mode == Self.usualDrift ? nil : mode
        if driftInterval == Self.usualDriftInterval { written.driftInterval = nil }
        return written == ControlOptions() ? nil : written
    }

    /// What a file of pipelines means: what is left out is as `create` has it.
    static func read(_ written: ControlOptions?) -> ControlOptions {
        var control = written ?? ControlOptions()
        control.drift = control.drift ?? usualDrift
        control.driftInterval = control.driftInterval ?? usualDriftInterval
        return control
    }
}

/// What is done about a workload that is no longer what was deployed.
public enum DriftMode: String, Codable, CaseIterable, Sendable {
    /// Nobody looks.
    case off
    /// It is shown, and nothing is done.
    case report
    /// The last good commit is applied again.
    case repair
}
