internal import Glibc
public import VoltCore
internal import VoltSystem
public import VoltWorkload
internal import VoltWorkloadTool

/// What a deploy of the tip would do.
public struct DeployPlan: Codable, Sendable, Equatable {
    /// The pipeline.
    public var pipeline: String
    /// The tip.
    public var commit: String
    /// The commit that was deployed last.
    public var deployed: String?
    /// Whether a push of the tip would be deployed now.
    public var wouldDeploy: Bool
    /// Why, or why not.
    public var reason: String
    /// The files that differ from the deployed commit, at most 200.
    public var files: [FileChange]
    /// The kind of the workload; nil when the tip has no manifest that can be read.
    public var kind: String?
    /// What would become of each service.
    public var services: [ServicePlan]
    /// Why `services` is empty, when it is.
    public var note: String?
    /// What the fetch said, such as which submodules or externals are left out; nil for nothing.
    public var notes: [String]?

    /// `services` for people, a line each.
    public var serviceLines: [String] {
        services.map { "\($0.service): \($0.change.rawValue): \($0.reasons.joined(separator: "; "))" }
    }
}

extension Gitops {
    /// Fetches the tip and says what a deploy of it would do. Nothing is queued, built, started or written to the
    /// history.
    ///
    /// - Throws: `VoltError` when the tip cannot be fetched.
    public func plan(_ name: String) throws(VoltError) -> DeployPlan {
        let journal = try journal()
        let pipeline = try journal.pipeline(name)
        let directory = "\(paths.state)/plans/\(name)-\(getpid())"
        try Files.makeDirectory("\(paths.state)/plans", mode: 0o700)
        // What a plan that was killed has left.
        for left in try Files.list("\(paths.state)/plans") {
            let owner = left.split(separator: "-").last.flatMap { Int32($0) }
            if owner.map(Processes.isAlive) != true { try? Files.removeTree("\(paths.state)/plans/\(left)") }
        }
        defer { try? Files.removeTree(directory) }
        let limit = Duration.seconds(pipeline.timeout)
        var notes: [String] = []
        let fetched = try reader().fetch(
            pipeline, into: directory, conditions: try journal.conditions(of: pipeline), limit: limit,
            stop: { false }, note: { notes.append($0) })
        let commit = fetched.commit
        let last = try journal.deployed(of: name)
        let deployed = last?.commit
        if let decline = fetched.decline {
            return DeployPlan(
                pipeline: name, commit: commit, deployed: deployed, wouldDeploy: false,
                reason: decline.reason,
                files: [], services: [])
        }
        let old = last.map { "\(paths.snapshots(pipeline.name))/\($0.snapshot)" }
        let isDeployed =
            deployed == commit && last?.isReshaped(by: pipeline) == false
            && old.map { TreeDifference.isSame($0, directory) } == true
        var (wouldDeploy, reason) = try outlook(fetched, deployed, isDeployed: isDeployed, pipeline, journal)
        if fetched.isUnaffected { (wouldDeploy, reason) = (false, "no file that matters changed") }
        var plan = DeployPlan(
            pipeline: name, commit: commit, deployed: deployed, wouldDeploy: wouldDeploy, reason: reason,
            files: [], services: [], notes: notes.isEmpty ? nil : notes)
        if let old, !isDeployed { plan.files = TreeDifference.between(old, directory) }
        do throws(VoltError) {
            try resolve(directory, pipeline, limit, journal, &plan)
        } catch {
            plan.note = error.message
            if wouldDeploy {
                plan.wouldDeploy = false
                plan.reason = "it would fail: \(error.message)"
            }
        }
        return plan
    }

    private func outlook(
        _ tip: Snapshot, _ deployed: String?, isDeployed: Bool, _ pipeline: Pipeline, _ journal: Journal
    ) throws(VoltError) -> (Bool, String) {
        let name = pipeline.name.text
        let short = tip.commit.prefix(7)
        if let hold = try journal.holds.hold(
            of: tip.commit, origin: tip.origin, pipeline: name, configuration: pipeline.configuration)
        {
            return (false, "\(short) is held: \(hold.reason)")
        }
        switch try gatekeeper.outlook(for: tip, pipeline, journal) {
        case .wait(_, let reason, _): return (false, reason)
        case .end(_, let reason): return (false, reason)
        case .run: break
        }
        guard let deployed else { return (true, "nothing was deployed before") }
        guard !isDeployed else { return (false, "\(short) is deployed already") }
        guard deployed != tip.commit else {
            return (true, "\(short), the tip of '\(pipeline.branch)', runs with other files or settings")
        }
        return (
            true, "\(short), the tip of '\(pipeline.branch)', differs from \(deployed.prefix(7)) that runs"
        )
    }

    /// Asks the tool of the kind.
    private func resolve(
        _ directory: String, _ pipeline: Pipeline, _ limit: Duration, _ journal: Journal,
        _ plan: inout DeployPlan
    ) throws(VoltError) {
        if try Pruning.isMeant(by: directory, pipeline) {
            if plan.wouldDeploy {
                plan.reason += ", and has no manifest: workload '\(pipeline.workload)' would be removed"
            }
            return
        }
        let manifest = try ManifestFinder.find(
            in: directory, path: pipeline.path, workload: pipeline.workload)
        plan.kind = manifest.kind
        let tool = try kinds.find(manifest.kind)
        let others = try kindChange(journal).others(than: manifest.kind, of: pipeline)
        if plan.wouldDeploy, !others.isEmpty {
            plan.reason +=
                "; the kind of workload '\(pipeline.workload)' changes from \(others.map { "'\($0)'" }.joined(separator: ", ")) to '\(manifest.kind)'"
        }
        let request = ApplyRequest(
            workload: pipeline.workload, manifest: manifest.file, source: manifest.source,
            revision: plan.commit, replacedKinds: others)
        if let services = try tool.plan(request, limit: limit) {
            plan.services = services
        } else {
            plan.note =
                "'volt-\(manifest.kind)' has no --dry-run, so what becomes of its services is not known"
        }
    }
}
