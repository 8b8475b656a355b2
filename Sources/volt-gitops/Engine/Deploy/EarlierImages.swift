internal import FoundationEssentials
internal import VoltCore
internal import VoltPlugin
internal import VoltSystem
internal import VoltWorkload

/// What names of images meant when a commit was deployed. A commit that runs again runs with those.
extension Deployer {
    /// The images that an attempt is to run with; none for a new commit, whose names mean what they mean now.
    func earlierImages(_ tool: String, _ work: inout Work) throws(VoltError) -> [String: String] {
        try learnImages(tool, work)
        guard let target = work.attempt.target else { return [:] }
        let images = try journal.images(
            of: work.attempt.snapshotName ?? target, pipeline: work.attempt.pipeline, attempt: work.attempt.id
        )
        if images.isEmpty {
            work.log.append(
                "what images \(Self.short(target)) ran with is not kept: their names mean what they mean now")
        }
        return images
    }

    /// Before something else takes its place: what runs may have been deployed by a version that kept no images, and
    /// its tool may know them.
    private func learnImages(_ tool: String, _ work: Work) throws(VoltError) {
        guard let good = try journal.lastApplied(of: work.attempt.pipeline), let commit = good.commit,
            try journal.images(of: good.id).isEmpty,
            let status = WorkloadProbe(tool: tool, environment: environment).status(
                of: work.pipeline.workload),
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
            let tool = try? plugins.tool(ofKind: manifest.kind)
        else { return }
        var words = [
            "apply", "--dry-run", "--workload", pipeline.workload.text, "--manifest", manifest.file,
            "--source",
            manifest.source, "--revision", commit, "-o", "json",
        ]
        words += images.applyWords
        var failure: ToolFailure?
        let outcome = try Child.start(tool, words, environment: environment).finish(limit: .seconds(60)) {
            stream, line in
            if stream == .stderr {
                failure = (try? JSONDecoder().decode(ToolFailure.self, from: Data(line.utf8))) ?? failure
            }
        }
        // Whatever else is wrong is said by the attempt.
        guard outcome == .exited(ExitCode.notFound.rawValue) else { return }
        throw VoltError(
            .notFound,
            "cannot bring back \(commit.prefix(7)): \(failure?.error ?? "an image of it is no longer there")",
            hint: failure?.hint)
    }
}

extension [String: String] {
    /// The options of `volt-<kind> apply` for images that are to run again.
    var applyWords: [String] { sorted { $0.key < $1.key }.flatMap { ["--image", "\($0.key)=\($0.value)"] } }
}
