internal import GitopsSource
internal import VoltCore
internal import VoltSystem

extension HookReceiver.Watch {
    /// The pipelines that take webhooks, with their secrets as they are on disk now. One that cannot be
    /// read is left out with a line in the log, so that nothing is taken for it; its poll goes on.
    static func read(_ journal: Journal, paths: GitopsPaths, now: Timestamp, log: (String) -> Void)
        throws(VoltError) -> [Self]
    {
        var watches: [Self] = []
        for pipeline in try journal.pipelines() where pipeline.provider.hooks != nil {
            do throws(VoltError) {
                watches.append(try watch(of: pipeline, journal, paths: paths, now: now))
            } catch {
                log("error: \(pipeline.name): \(error.message): its deliveries are refused")
            }
        }
        return watches
    }

    private static func watch(
        of pipeline: Pipeline, _ journal: Journal, paths: GitopsPaths, now: Timestamp
    ) throws(VoltError) -> Self {
        let url = try RepositoryURL(
            pipeline.repo, system: .git,
            policy: RepositoryURL.Policy(allowsHTTP: pipeline.allowHTTP, allowsFile: pipeline.allowFile))
        var secrets: [HookSecret]?
        if !pipeline.allowsUnsigned {
            let files = HookSecretFiles(paths, pipeline.name)
            if files.hasEnded(now: now) {
                try journal.transaction { () throws(VoltError) in try files.prune(now: now) }
            }
            let found = try files.read(now: now)
            guard !found.isEmpty else {
                throw VoltError(.failed, "the secret '\(paths.secret(pipeline.name))' is lost")
            }
            secrets = found
        }
        return Self(
            pipeline: pipeline.name.text, provider: pipeline.provider, url: pipeline.repo,
            repository: url.normalised,
            follows: { pipeline.follows($0) }, secrets: secrets)
    }
}
