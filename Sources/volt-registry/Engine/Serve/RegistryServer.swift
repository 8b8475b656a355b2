internal import Glibc
public import RegistryAccess
internal import VoltCore
internal import VoltPages
public import VoltServer
internal import VoltStore
public import VoltSystem

/// A registry that answers on a port.
public final class RegistryServer: Sendable {
    private let server: HTTPServer
    private let workers: HTTPWorkers
    private let fetchers: HTTPWorkers
    private let passwords: HTTPWorkers
    private let storage: any Repositories
    private let local: RegistryStorage
    private let place: String
    private let settings: RegistrySettings
    private let tls: TLSIdentity?
    private let access: AccessControl
    private let clock: any WallClock
    private let report: @Sendable (String) -> Void
    /// Where it answers.
    public let url: String

    /// The port it listens on.
    public let port: Int

    /// Starts to listen.
    ///
    /// - Parameters:
    ///   - local: what is served, or the part of this host where a bucket is served.
    ///   - bucket: what is served in place of it.
    ///   - address: an address of this host, or nil for every one.
    ///   - port: 0 for a free one.
    ///   - tls: the certificate; nil for plain HTTP.
    ///   - access: says who may do what.
    ///   - clock: says how old something is.
    ///   - report: told in a line for people what failed.
    public init(
        _ local: RegistryStorage, bucket: BucketStorage? = nil, address: String?, port: Int,
        settings: RegistrySettings,
        tls: TLSIdentity?, access: AccessControl = .everybody(), clock: any WallClock,
        report: @escaping @Sendable (String) -> Void
    ) throws {
        let workers = HTTPWorkers(threads: 16)
        let fetchers = HTTPWorkers(
            threads: bucket == nil ? 1 + min(4, settings.upstreams.count) * (Upstream.fetches + 8) : 32)
        // Two hash at a time and 64 wait; without a policy there is nothing to hash.
        let passwords = HTTPWorkers(threads: access.hasPolicy ? 68 : 1)
        let storage: any Repositories = bucket ?? local
        let service = RegistryService(
            storage, local: local, workers: workers, fetchers: fetchers, passwords: passwords,
            settings: settings, access: access,
            isEncrypted: tls != nil,
            clock: clock, report: report)
        let observer = Observer(log: settings.accessLog, clock: clock)
        typealias Handler = @Sendable (HTTPRequest, Caller) -> HTTPOpening
        func route(_ path: String, _ handler: @escaping Handler) -> HTTPRoute {
            HTTPRoute(streamed: path) { request in
                let caller = Caller()
                return observer.observe(request, caller, handler(request, caller))
            }
        }
        var limits = HTTPLimits()
        limits.connections = 4096
        let numbers: @Sendable () -> String = { observer.text(storage: local, settings.upstreams) }
        var routes = [
            route("/v2/**") { service.open($0, $1) }, route("/v2") { service.open($0, $1) },
            route("/token") { service.token($0, $1) },
            // A monitor that looks each second is not what is counted.
            HTTPRoute(streamed: "/metrics") { service.numbers($0, Caller(), numbers) },
            HTTPRoute("GET", "/healthz") { _, answer in answer(HTTPResponse(200, "ok\n")) },
        ]
        if settings.hasPages {
            routes += ["/", "/repositories/**"].map { route($0) { service.page($0, $1) } }
        }
        server = try Self.listen(address, port, routes, limits, tls, report)
        self.workers = workers
        self.fetchers = fetchers
        self.passwords = passwords
        self.storage = storage
        self.local = local
        place =
            bucket.map { "bucket '\($0.bucket)', store '\(local.store.path)'" }
            ?? "store '\(local.store.path)'"
        self.settings = settings
        self.tls = tls
        self.access = access
        self.clock = clock
        self.report = report
        self.port = server.port
        let host = address ?? "0.0.0.0"
        url = "\(tls == nil ? "http" : "https")://\(host.contains(":") ? "[\(host)]" : host):\(server.port)"
    }

    private static func listen(
        _ address: String?, _ port: Int, _ routes: [HTTPRoute], _ limits: HTTPLimits, _ tls: TLSIdentity?,
        _ report: @escaping @Sendable (String) -> Void
    ) throws(VoltError) -> HTTPServer {
        do throws(VoltError) {
            return try HTTPServer(
                address: address, port: port, routes: routes, limits: limits,
                threads: max(4, Int(sysconf(Int32(_SC_NPROCESSORS_ONLN)))), tls: tls,
                report: { report("debug: \($0)") })
        } catch  where error.code == .missing {
            let holder = PortHolder.find(port: port).map { " by \($0)" } ?? ""
            throw VoltError(
                .missing, "cannot listen on port \(port): it is taken\(holder)",
                hint: "choose another with --port")
        }
    }

    /// Answers until a signal ends it, and does what is due from time to time. Blocks.
    ///
    /// - Parameter manager: told when it is ready, and that it lives.
    public func run(until signals: ServerSignal, manager: ServiceManager) {
        let interval = min(60_000, manager.watchdogInterval.map { $0.milliseconds } ?? 60_000)
        report("listening on \(url), \(place)")
        manager.ready(status: "listening on \(url)")
        var due = settings.collectionInterval.map { ContinuousClock.now + $0 }
        while true {
            var polls = pollfd(fd: signals.descriptor, events: Int16(POLLIN), revents: 0)
            let count = poll(&polls, 1, Int32(interval))
            manager.alive()
            if count > 0 {
                if signals.stops() { break }
                renew()
            }
            local.uploads.closeIdle(for: .seconds(600))
            for problem in access.takeProblems() { report("error: \(problem.message)") }
            if let interval = settings.collectionInterval, let time = due, time <= .now {
                due = .now + interval
                workers.run { self.collect() }
            }
        }
        manager.stopping()
        stop()
        report("stopped")
    }

    private func collect() {
        do {
            let result = try storage.collect(settings.retention, now: clock.now(), dryRun: false)
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

    /// Reads the certificate and the policy, and opens the log again; what cannot be used leaves the old one in force.
    private func renew() {
        do throws(VoltError) { try settings.accessLog?.reopen() } catch { report("error: \(error.message)") }
        if access.hasPolicy {
            do throws(VoltError) {
                try access.reload(now: clock.now())
                report("read the policy again")
            } catch { report("error: the policy in force stays: \(error.message)") }
        }
        guard let tls else { return }
        do throws(VoltError) {
            try tls.reload()
            report("read the certificate '\(tls.certificateFile)' again")
        } catch { report("error: the certificate in use stays: \(error.message)") }
    }

    /// Stops to listen and lets the requests that are being answered end.
    public func stop() {
        server.stop {
            for upstream in settings.upstreams { upstream.stop() }
            fetchers.stop()
            passwords.stop()
            workers.stop()
        }
    }
}
