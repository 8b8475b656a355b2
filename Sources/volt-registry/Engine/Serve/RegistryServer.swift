internal import Glibc
public import RegistryAccess
public import VoltCore
internal import VoltPages
public import VoltServer
public import VoltService
internal import VoltStore
public import VoltSystem

/// A registry that answers on a port. Several may work on the same store or bucket.
public final class RegistryServer: Service {
    private let http: HTTPService
    private let workers: HTTPWorkers
    private let fetchers: HTTPWorkers
    private let passwords: HTTPWorkers
    private let storage: any Repositories
    private let local: RegistryStorage
    private let location: String
    private let settings: RegistrySettings
    private let access: AccessControl
    private let clock: any WallClock
    private let report: @Sendable (String) -> Void
    private var url = ""
    private var due: ContinuousClock.Instant?

    /// The port it listens on, once it is bound.
    public var port: Int { http.port }

    /// - Parameters:
    ///   - local: what is served, or the part of this host where a bucket is served.
    ///   - bucket: what is served in place of it.
    ///   - options: where it listens; threads, limits and access log are the server's own affair.
    ///   - access: says who may do what.
    ///   - clock: says how old something is.
    ///   - report: told in a line for people what failed.
    public init(
        _ local: RegistryStorage, bucket: BucketStorage? = nil, options: HTTPService.Options,
        settings: RegistrySettings, access: AccessControl = .everybody(), clock: any WallClock,
        report: @escaping @Sendable (String) -> Void
    ) {
        workers = HTTPWorkers(threads: 16)
        fetchers = HTTPWorkers(
            threads: bucket == nil ? 1 + min(4, settings.upstreams.count) * (Upstream.fetches + 8) : 32)
        // Two hash at a time and 64 wait; without a policy there is nothing to hash.
        passwords = HTTPWorkers(threads: access.hasPolicy ? 68 : 1)
        storage = bucket ?? local
        self.local = local
        location =
            bucket.map { "bucket '\($0.bucket)', store '\(local.store.path)'" }
            ?? "store '\(local.store.path)'"
        self.settings = settings
        self.access = access
        self.clock = clock
        self.report = report
        var options = options
        options.threads = max(4, Int(sysconf(Int32(_SC_NPROCESSORS_ONLN))))
        options.limits.connections = 4096
        options.accessLog = settings.accessLog
        http = HTTPService(options, clock: clock, log: report)
        http.routes = routes(isEncrypted: options.tls != nil)
    }

    private func routes(isEncrypted: Bool) -> [HTTPRoute] {
        let service = RegistryService(
            storage, local: local, workers: workers, fetchers: fetchers, passwords: passwords,
            settings: settings, access: access, isEncrypted: isEncrypted, clock: clock, report: report)
        let observer = HTTPObserver(log: settings.accessLog, clock: clock)
        typealias Handler = @Sendable (HTTPRequest, Caller) -> HTTPOpening
        func route(_ path: String, _ handler: @escaping Handler) -> HTTPRoute {
            HTTPRoute(streamed: path) { request in
                let caller = Caller()
                let opening = handler(request, caller)
                return observer.observe(request, user: caller.text, opening)
            }
        }
        let (local, upstreams) = (self.local, settings.upstreams)
        let numbers: @Sendable () -> String = {
            RegistryMetrics.text(observer.counts, storage: local, upstreams)
        }
        var routes = [
            route("/v2/**") { service.open($0, $1) }, route("/v2") { service.open($0, $1) },
            route("/token") { service.token($0, $1) },
            // A monitor that looks each second is not what is counted.
            HTTPRoute(streamed: "/metrics") { service.numbers($0, Caller(), numbers) },
        ]
        if settings.hasPages {
            routes += ["/", "/repositories/**"].map { route($0) { service.page($0, $1) } }
        }
        return routes
    }

    // MARK: The life of the server

    /// Reads the certificate.
    public func prepare() throws(VoltError) { try http.prepare() }

    /// Listens. A push or pull needs nothing of a server before this one, so it is answered from here on.
    public func bind() throws(VoltError) -> String {
        url = try http.bind()
        return url
    }

    /// Says where it listens, and begins to count the time to the first collection.
    public func run() throws(VoltError) {
        report("listening on \(url), \(location)")
        try http.run()
        due = settings.collectionInterval.map { ContinuousClock.now + $0 }
    }

    /// A minute.
    public var interval: Duration? { .seconds(60) }

    /// Closes uploads that rest, says what is wrong with the files of the policy, and collects when it is time.
    public func tick() {
        local.uploads.closeIdle(for: .seconds(600))
        for problem in access.takeProblems() { report("error: \(problem.message)") }
        if let interval = settings.collectionInterval, let time = due, time <= .now {
            due = .now + interval
            let collection = Collecting(
                storage: storage, rules: settings.retention, clock: clock, report: report)
            workers.run { collection.run() }
        }
    }

    /// Reads the certificate and the policy, and opens the log again; what cannot be used leaves the old one in force.
    public func reload() {
        http.reload()
        guard access.hasPolicy else { return }
        do throws(VoltError) {
            try access.reload(now: clock.now())
            report("read the policy again")
        } catch { report("error: the policy in force stays: \(error.message)") }
    }

    /// Stops to listen and lets the requests that are being answered end.
    public func drain() {
        http.drain {
            for upstream in settings.upstreams { upstream.stop() }
            fetchers.stop()
            passwords.stop()
            workers.stop()
        }
    }
}

/// A collection from time to time, with its words for the log.
private struct Collecting: Sendable {
    let storage: any Repositories
    let rules: RetentionRules
    let clock: any WallClock
    let report: @Sendable (String) -> Void

    func run() {
        do {
            let result = try storage.collect(rules, now: clock.now(), dryRun: false)
            for tag in result.tags { report("removed tag \(tag)") }
            for manifest in result.manifests { report("removed manifest \(manifest)") }
            if result.blobs + result.uploads + result.store.removed > 0 {
                report(
                    "removed \(result.blobs) blobs of repositories, \(result.uploads) uploads, \(result.store.removed) blobs of the store, \(ByteSize(bytes: result.store.freed))"
                )
            }
        } catch {
            // Another process may be at it.
            let isBusy = (error as? VoltError)?.code == .tryAgain
            report("\(isBusy ? "debug" : "error"): \((error as? VoltError)?.message ?? "\(error)")")
        }
    }
}
