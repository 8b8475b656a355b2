internal import GitopsSource
internal import VoltCore

/// What `create` and `import` refuse alike.
extension Gitops {
    /// Refuses a pipeline that could not work, or not beside the others.
    ///
    /// - Parameter others: the pipelines of this host; the one of the same name does not count.
    func check(_ pipeline: Pipeline, among others: [Pipeline]) throws(VoltError) {
        _ = try RepositoryURL(
            pipeline.repo, system: pipeline.provider == .svn ? .svn : .git,
            policy: RepositoryURL.Policy(allowsHTTP: pipeline.allowHTTP, allowsFile: pipeline.allowFile))
        try pipeline.checkTrack()
        try Self.check(path: pipeline.path)
        guard (1...86_400 * 7).contains(pipeline.pollInterval) else {
            throw VoltError(
                .usage, "a poll interval of \(pipeline.pollInterval) s is out of range",
                hint: "use 1 to 604800")
        }
        guard (1...86_400).contains(pipeline.timeout) else {
            throw VoltError(
                .usage, "a timeout of \(pipeline.timeout) s is out of range", hint: "use 1s to 24h")
        }
        if let proxy = pipeline.proxy {
            var same = pipeline
            try same.use(proxy: proxy)
        }
        try check(pipeline.control, of: pipeline.name, among: others)
        let taken = others.first {
            $0.workload == pipeline.workload && $0.name != pipeline.name
        }
        if let taken {
            throw VoltError(
                .conflict, "workload '\(pipeline.workload)' belongs to pipeline '\(taken.name)' already",
                hint: "choose another name with --workload")
        }
    }

    /// Refuses a secret that a provider cannot have, and a provider without one unless that is said.
    func check(_ secret: [UInt8]?, insecure: Bool, of pipeline: Pipeline) throws(VoltError) {
        if pipeline.provider.hooks == nil {
            guard secret == nil else {
                throw VoltError(.usage, "provider 'svn' is polled and has no hook, so it takes no secret")
            }
        } else if let secret {
            try Self.check(secret: secret, of: pipeline.provider)
        } else if !insecure {
            throw VoltError(
                .refused, "pipeline '\(pipeline.name)' has no secret, so anyone could trigger it",
                hint: "give one with --secret-file FILE, or say --insecure-no-secret")
        }
    }
}
