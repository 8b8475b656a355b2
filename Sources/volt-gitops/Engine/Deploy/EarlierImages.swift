internal import VoltCore
internal import VoltWorkload
internal import VoltWorkloadTool

/// What names of images meant when a commit was deployed. A commit that runs again runs with those.
extension Deployer {
    /// The images that an attempt is to run with; none for a new commit, whose names mean what they mean now.
    func earlierImages(_ tool: WorkloadTool, _ run: AttemptRun) throws(VoltError) -> [String: String] {
        try learnImages(tool, run)
        guard let target = run.attempt.target else { return [:] }
        let images = try journal.images(
            of: run.attempt.snapshotName ?? target, pipeline: run.attempt.pipeline, attempt: run.attempt.id
        )
        if images.isEmpty {
            run.log.append(
                "what images \(Self.short(target)) ran with is not kept: their names mean what they mean now")
        }
        return images
    }

    /// Before something else takes its place: what runs may have been deployed by a version that kept no images, and
    /// its tool may know them.
    private func learnImages(_ tool: WorkloadTool, _ run: AttemptRun) throws(VoltError) {
        guard let good = try journal.lastApplied(of: run.attempt.pipeline), let commit = good.commit,
            try journal.images(of: good.id).isEmpty,
            let status = try? tool.status(of: run.pipeline.workload),
            status.desiredRevision == commit, let images = status.images
        else { return }
        try journal.setImages(images, attempt: good.id)
    }
}

extension Gitops {
    /// Refuses to bring back a commit whose images are no longer to be had, before anything is changed.
    ///
    /// - Throws: `VoltError` with code `notFound`, in the words of the kind's tool.
    func checkImages(_ images: [String: String], of target: KeptCommit, _ pipeline: Pipeline)
        throws(VoltError)
    {
        let commit = target.commit
        let directory = "\(paths.snapshots(pipeline.name))/\(target.snapshot)"
        guard !images.isEmpty,
            let manifest = try? ManifestFinder.find(
                in: directory, path: pipeline.path, workload: pipeline.workload),
            let tool = try? kinds.find(manifest.kind)
        else { return }
        let request = ApplyRequest(
            workload: pipeline.workload, manifest: manifest.file, source: manifest.source, revision: commit,
            images: images)
        do throws(VoltError) { _ = try tool.plan(request) } catch {
            // Whatever else is wrong is said by the attempt.
            guard error.code == .notFound else { return }
            throw VoltError(
                .notFound, "cannot bring back \(commit.prefix(7)): \(error.message)", hint: error.hint)
        }
    }
}
