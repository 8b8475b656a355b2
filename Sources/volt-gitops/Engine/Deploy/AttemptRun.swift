internal import VoltCore
internal import VoltWorkloadTool

/// An attempt that runs, and what is known of it so far. The call of `Deployer.run` that made it owns it: it is on one
/// thread, and ends with the attempt.
final class AttemptRun {
    let attempt: Attempt
    let pipeline: Pipeline
    var state = AttemptState.accepted
    /// What was fetched, or is kept.
    var snapshot: Snapshot?
    /// What ran before.
    var deployed: Deployed?
    /// Who has approved the commit, for the note; empty when nobody had to.
    var approval = ""
    /// How long was waited for the announced commit.
    var waited = Duration.zero
    /// That the announced commit never came, for the note; empty when it did.
    var unseen = ""
    /// Why it is deployed.
    var reason: String?
    /// What was to be tried again when it began.
    var earlierTry: Retry?
    /// The tool of the workload's kind.
    var tool: WorkloadTool?
    /// Whether the tool was started.
    var wasApplied = false
    /// The kinds that may have the workload beside the one of the manifest.
    var otherKinds: [String] = []
    /// Why kinds that had the workload have it still, for the decision; empty when none has.
    var leftKinds = ""
    /// What names of images in its definition resolved to.
    var images: [String: String] = [:]
    var log: [String] = []
    var logged = 0
    var stop: Deployer.Stop?
    var competing = CompetingAttempt()
    var nextLook = ContinuousClock.now
    var nextFlush = ContinuousClock.now

    /// Why the attempt was made, what it missed, and who let it through.
    var note: String { attempt.note + unseen + approval }
    /// The commit that is deployed, once it is known.
    var commit: String? { snapshot?.commit ?? attempt.target }
    /// Whether what ran before is what was fetched, under the settings of now.
    var isDeployed: Bool { snapshot.map { deployed?.isSame(as: $0, of: pipeline) == true } ?? false }

    init(attempt: Attempt, pipeline: Pipeline) {
        self.attempt = attempt
        self.pipeline = pipeline
    }
}
