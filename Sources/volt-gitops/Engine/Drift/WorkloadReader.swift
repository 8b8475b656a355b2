internal import VoltCore
internal import VoltSystem
internal import VoltWorkload
internal import VoltWorkloadTool

/// Asks `volt-<kind> status` what a workload is now.
struct WorkloadReader: Sendable {
    let paths: GitopsPaths
    let kinds: WorkloadKinds

    /// What the workload of a pipeline is now; nil when the pipeline was never deployed.
    ///
    /// - Throws: `VoltError`; code `missing` when the kind's tool or the snapshot is not there.
    func status(of pipeline: Pipeline, _ journal: Journal) throws(VoltError) -> WorkloadStatus? {
        guard let deployed = try journal.deployed(of: pipeline.name.text) else { return nil }
        return try status(of: pipeline, snapshot: deployed.snapshot)
    }

    /// What the workload is now, by the tool of the kind that a deployed snapshot asks for.
    func status(of pipeline: Pipeline, snapshot: String) throws(VoltError) -> WorkloadStatus? {
        try kinds.find(try kind(of: pipeline, in: snapshot)).status(of: pipeline.workload)
    }

    /// The kind of workload that a deployed snapshot asks for.
    func kind(of pipeline: Pipeline, in snapshot: String) throws(VoltError) -> String {
        let directory = "\(paths.snapshots(pipeline.name))/\(snapshot)"
        guard Files.isDirectory(directory) else {
            throw VoltError(
                .missing, "the snapshot of commit '\(snapshot.prefix(12))' is gone",
                hint: "run 'volt gitops sync --name \(pipeline.name)'")
        }
        return try ManifestFinder.find(in: directory, path: pipeline.path, workload: pipeline.workload).kind
    }

    /// The health of a workload, for a pipeline that waits for it.
    func health(of pipeline: Pipeline, _ journal: Journal) -> Gate.Dependency.Health {
        do throws(VoltError) {
            guard let status = try status(of: pipeline, journal) else { return .unknown }
            guard status.state == .running else { return .unhealthy("is \(status.state)") }
            guard status.health.isWell else { return .unhealthy("is \(status.health)") }
            return .healthy
        } catch { return .unhealthy("cannot be looked at: \(error.message)") }
    }
}
