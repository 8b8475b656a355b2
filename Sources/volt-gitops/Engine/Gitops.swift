internal import GitopsSource
internal import Glibc
public import VoltCore
internal import VoltService
public import VoltSystem
internal import VoltWorkloadTool

/// The commands of `volt gitops`, over the journal of this host.
public struct Gitops: Sendable {
    /// Where everything is kept.
    public let paths: GitopsPaths
    let environment: [String: String]
    let clock: any WallClock
    let selfPath: String
    let zones: ZoneCache
    let manager: ServiceManager
    /// What the service manager listens on for this process.
    let sockets: [Int32]

    /// - Parameters:
    ///   - paths: the directories of the tool.
    ///   - environment: handed on to the worker and to `volt-<kind>`.
    ///   - selfPath: the absolute path of this program, beside which helpers are looked for.
    public init(paths: HostPaths, environment: [String: String], clock: any WallClock, selfPath: String) {
        self.paths = GitopsPaths(paths)
        manager = ServiceManager(environment: environment)
        sockets = ServiceManager.listeningSockets(environment: environment)
        self.environment = environment.filter { !Self.ownVariables.contains($0.key) }
        self.clock = clock
        self.selfPath = selfPath
        zones = ZoneCache(directory: environment["TZDIR"] ?? "/usr/share/zoneinfo")
    }

    /// What a service manager tells this process alone (sd_notify(3), sd_listen_fds(3)).
    private static let ownVariables: Set<String> = [
        "NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID", "LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES",
    ]

    /// Opens the journal, with the deliveries that a server that died had accepted.
    public func journal() throws(VoltError) -> Journal {
        try paths.make()
        let journal = try Journal(state: paths.state)
        // A server that runs holds the lock, and takes them over itself.
        if let lock = try FileLock.tryLock(paths.deliveriesLock) {
            try journal.drainLog(in: paths.state, at: clock.now())
            _ = consume lock
        }
        return journal
    }

    // MARK: Pipelines

    /// Creates a pipeline.
    ///
    /// - Parameters:
    ///   - secret: of its hook, or nil for none.
    ///   - hostKey: to be pinned, or nil.
    ///   - insecure: whether a provider that sends webhooks may have no secret.
    /// - Returns: the URL that is read: for Subversion it may have the branch appended.
    /// - Throws: `VoltError` with code `usage`, `refused` or `conflict`.
    public func create(
        _ pipeline: Pipeline, secret: [UInt8]?, hostKey: ScannedHostKey? = nil, insecure: Bool
    ) throws(VoltError) -> String {
        let journal = try journal()
        try check(pipeline, among: try journal.pipelines())
        try check(secret, insecure: insecure, of: pipeline)
        let url = pipeline.provider == .svn ? try location(of: pipeline) : pipeline.repo
        var pipeline = pipeline
        pipeline.allowsUnsigned = secret == nil && pipeline.provider.hooks != nil
        try journal.transaction { () throws(VoltError) in
            try journal.add(pipeline)
            // Within the transaction: a pipeline never stands without its secret.
            let files = HookSecretFiles(paths, pipeline.name)
            if let secret { try files.set(secret) } else { try files.remove() }
            if let hostKey { try pin(hostKey, for: pipeline.name) }
        }
        wakeServer()
        return url
    }

    /// The URL that a pipeline of Subversion reads; the server is asked only when the branch comes after the URL.
    private func location(of pipeline: Pipeline) throws(VoltError) -> String {
        let branch = try BranchName(pipeline.branch)
        let url = try RepositoryURL(
            pipeline.repo, system: .svn,
            policy: RepositoryURL.Policy(allowsHTTP: pipeline.allowHTTP, allowsFile: pipeline.allowFile))
        if let location = SubversionCommand.location(url: url.text, branch: branch) {
            // The branch would be ignored.
            guard location.hasSuffix("/\(branch)") else {
                let last = location.hasSuffix("/trunk") ? 1 : 2
                let own = location.split(separator: "/").suffix(last).joined(separator: "/")
                throw VoltError(
                    .usage, "'\(pipeline.repo)' is the URL of '\(own)', and the branch is '\(branch)'",
                    hint: "write '--branch \(own)', or a URL without '/\(own)'")
            }
            return location
        }
        do throws(VoltError) { return try reader().location(of: pipeline, limit: .seconds(30)) } catch {
            guard error.code != .notFound, error.hint == nil else { throw error }
            throw VoltError(
                error.code, error.message,
                hint:
                    "write the whole URL of the branch, such as '--repo \(pipeline.repo)/\(branch)', to create it anyway"
            )
        }
    }

    /// Refuses a secret that could never verify a delivery.
    static func check(secret: [UInt8], of provider: Provider) throws(VoltError) {
        guard !secret.isEmpty else {
            throw VoltError(.usage, "the secret is empty", hint: "put it on one line")
        }
        guard provider != .gitlab || Signature.standardKey(secret) != nil else {
            throw VoltError(
                .usage, "the secret begins with 'whsec_' and the rest is not base 64",
                hint: "copy the whole signing token that GitLab showed")
        }
    }

    static func check(path: String) throws(VoltError) {
        let parts = path.split(separator: "/", omittingEmptySubsequences: false)
        guard path.isEmpty || !parts.contains(where: { $0.isEmpty || $0 == "." || $0 == ".." }) else {
            throw VoltError(
                .usage, "'\(path)' is not a directory of a repository",
                hint: "write it relative to the root, without '.' and '..'")
        }
    }

    /// Removes a pipeline, its secret, its mirror and its history. The snapshots stay for as long as the workload
    /// is there.
    ///
    /// - Parameter removesWorkload: whether the workload is removed, too.
    public func delete(_ name: String, removesWorkload: Bool) throws(VoltError) -> Pipeline {
        let journal = try journal()
        // What an earlier delete that was killed has left.
        try cleanup(journal).run()
        let pipeline = try journal.pipeline(name)
        let deployed = try journal.deployed(of: name)
        let manifest = deployed.flatMap { deployed in
            try? ManifestFinder.find(
                in: "\(paths.snapshots(pipeline.name))/\(deployed.snapshot)", path: pipeline.path,
                workload: pipeline.workload)
        }
        if removesWorkload { try removeWorkload(pipeline, deployed: deployed, journal) }
        try journal.delete(
            pipeline, keepingWorkload: deployed != nil && !removesWorkload, kind: manifest?.kind)
        wakeServer()
        try forgetAddresses(of: pipeline, journal)
        try cleanup(journal).run()
        return pipeline
    }

    func cleanup(_ journal: Journal) -> Cleanup {
        Cleanup(journal: journal, paths: paths, kinds: kinds)
    }

    private func removeWorkload(_ pipeline: Pipeline, deployed: Deployed?, _ journal: Journal)
        throws(VoltError)
    {
        guard let deployed else { return }
        let manifest = try ManifestFinder.find(
            in: "\(paths.snapshots(pipeline.name))/\(deployed.snapshot)", path: pipeline.path,
            workload: pipeline.workload)
        // One that is not there is no reason to keep the pipeline.
        try kindChange(journal).removeAll(manifest.kind, pipeline)
    }

    // MARK: The server of this host

    /// The process that works on the queue.
    public struct Server: Codable, Sendable, Equatable {
        /// Its process id.
        public var pid: Int32
        /// Where it takes webhooks.
        public var url: String
    }

    /// The running server, or nil.
    public func server() -> Server? {
        guard let free = try? FileLock.tryLock(paths.lock) else {
            return ServiceRecord.read(in: paths.runtime).map { Server(pid: $0.pid, url: $0.url) }
        }
        _ = consume free
        return nil
    }

    /// Tells the running server that the journal has something new; does nothing when none runs.
    func wakeServer() { WakePipe.notify(paths.wakePipe) }

    // MARK: Parts

    /// The looks at the workloads of the pipelines.
    var workloads: WorkloadReader { WorkloadReader(paths: paths, kinds: kinds) }

    func kindChange(_ journal: Journal) -> KindChange { KindChange(journal: journal, reader: workloads) }

    var kinds: WorkloadKinds { WorkloadKinds(environment: environment, selfPath: selfPath) }

    func reader() throws(VoltError) -> SourceReader {
        SourceReader(
            paths: paths, environment: environment, worker: try Processes.helper("volt-gitops--worker"))
    }

    func deployer(
        _ journal: Journal, shutsDown: @escaping @Sendable () -> Bool,
        progress: @escaping @Sendable (String) -> Void
    ) throws(VoltError) -> Deployer {
        Deployer(
            journal: journal, paths: paths, environment: environment, clock: clock, reader: try reader(),
            kinds: kinds, gatekeeper: gatekeeper, shutsDown: shutsDown, progress: progress)
    }
}
