internal import CVoltSystem
internal import Dispatch
internal import GitopsSource
internal import Glibc
internal import Synchronization
public import VoltCore
internal import VoltServer
internal import VoltSystem

/// Takes webhooks, polls, and works on the queue, until SIGTERM or SIGINT.
public struct GitopsServer: Sendable {
    /// How the server listens.
    public struct Options: Sendable {
        /// An address of this host, or nil for every address.
        public var address: String?
        /// The port; 0 for a free one.
        public var port: Int
        /// Whether the status pages are on.
        public var pages = false
        /// A file with the password of the user `volt` for the pages and `/metrics`; nil for none.
        public var passwordFile: String?
        /// The files of an HTTPS server; nil for plain HTTP.
        public var tls: (certificate: String, key: String)?

        /// - Parameters: see the properties.
        public init(address: String?, port: Int, tls: (certificate: String, key: String)? = nil) {
            self.address = address
            self.port = port
            self.tls = tls
        }
    }

    private let gitops: Gitops
    private let options: Options
    private let log: @Sendable (String) -> Void

    /// - Parameter log: gets each line of the server's log.
    public init(_ gitops: Gitops, options: Options, log: @escaping @Sendable (String) -> Void) {
        self.gitops = gitops
        self.options = options
        self.log = log
    }

    /// Serves until a signal ends it; SIGHUP reads the pipelines, their secrets and the certificate again.
    ///
    /// - Throws: `VoltError` with code `missing` when the port is taken, `conflict` when a server runs already.
    public func run() throws(VoltError) {
        try gitops.paths.make()
        let paths = gitops.paths
        guard let lock = try FileLock.tryLock(paths.lock) else {
            let holder = gitops.server().map { " (process \($0.pid), \($0.url))" } ?? ""
            throw VoltError(
                .conflict, "a server or a 'sync' works on '\(paths.state)' already\(holder)",
                hint: "stop it first, or use another --root")
        }
        signal(SIGPIPE, SIG_IGN)
        let signals = try ServerSignal.install()
        var identity: TLSIdentity?
        if let tls = options.tls {
            identity = try TLSIdentity(certificateFile: tls.certificate, keyFile: tls.key)
        }
        let wakePipe = try WakePipe.open(paths.wakePipe)
        defer { close(wakePipe) }
        let journal = try gitops.journal()
        let reader = try gitops.reader()
        let scheduler = Scheduler(
            paths: paths, clock: gitops.clock, reader: reader, gatekeeper: gitops.gatekeeper, log: log,
            makeDeployer: { [gitops, log] journal, shutsDown, name in
                Deployer(
                    journal: journal, paths: gitops.paths, environment: gitops.environment,
                    clock: gitops.clock,
                    reader: reader, kinds: gitops.kinds, gatekeeper: gitops.gatekeeper,
                    shutsDown: shutsDown,
                    progress: { log("\(name): \($0)") })
            })
        let deliveries = try FileLock.wait(for: paths.deliveriesLock)
        let queue = AcceptQueue(directory: paths.state, clock: gitops.clock) { _ in scheduler.kick() }
        try queue.start()
        let hooks = HookReceiver(queue: queue, clock: gitops.clock) { url in
            url.hasPrefix("/") ? url : RepositoryURL.normalised(payloadURL: url)
        }
        try reload(hooks, journal)
        // The port is taken before anything is recovered: a second server must not touch the first one's work.
        let metrics = Metrics()
        let pages = PageRoutes(
            state: paths.state, clock: gitops.clock, metrics: metrics,
            password: try options.passwordFile.map(Messenger.bytes), log: log)
        let server = try listen(hooks, identity, metrics, pages.routes(pages: options.pages))
        try Recovery(journal: journal, paths: paths, kinds: gitops.kinds, clock: gitops.clock, log: log).run(
            try journal.pipelines())
        do throws(VoltError) { try gitops.cleanup(journal).run() } catch {
            log("error: what a deleted pipeline has left is not removed: \(error.message)")
        }
        let host = options.address ?? "0.0.0.0"
        let url =
            "\(identity == nil ? "http" : "https")://\(host.contains(":") ? "[\(host)]" : host):\(server.port)"
        try ServerAddress.write(Gitops.Server(pid: getpid(), url: url), to: paths.address)
        let sender = OutboxSender(
            state: paths.state, clock: gitops.clock, messenger: gitops.messenger, log: log)
        try sender.start()
        try scheduler.start()
        reconcile { scheduler.kick() }
        let drift = gitops.driftWatch(log: log) { scheduler.kick() }
        try drift.start()
        log("listening on \(url), with \(try journal.pipelines().count) pipelines")
        gitops.manager.ready(status: "listening on \(url)")
        if let identity { tellExpiry(identity) }
        wait(signals: signals, wakePipe: wakePipe) { isSignal in
            if isSignal, let identity { renew(identity) }
            do throws(VoltError) { try reload(hooks, journal) } catch { log("error: \(error.message)") }
            scheduler.kick()
        }
        gitops.manager.stopping()
        log("stopping; what is under way is asked to stop and is resumed by the next start")
        // Deliveries are taken to the last moment: they are in the journal, and the next server works on them.
        drift.stop()
        scheduler.stop()
        server.stop { queue.stop() }
        sender.stop()
        try Files.remove(paths.address)
        _ = consume deliveries
        _ = consume lock
        log("stopped")
    }

    /// Looks at the workloads beside the server's work: a tool may take a while to answer.
    private func reconcile(_ queued: @escaping @Sendable () -> Void) {
        let log = self.log
        DispatchQueue.global().async { [gitops] in
            do throws(VoltError) {
                let journal = try Journal(state: gitops.paths.state)
                let reconcile = BootReconcile(
                    journal: journal, paths: gitops.paths, reader: gitops.workloads, clock: gitops.clock,
                    log: log)
                if try reconcile.run() { queued() }
            } catch { log("error: \(error.message)") }
        }
    }

    /// Reads the certificate again after SIGHUP; the one in use stays when the new one cannot be used.
    private func renew(_ identity: TLSIdentity) {
        do throws(VoltError) {
            try identity.reload()
            log("read the certificate '\(identity.certificateFile)' again")
            tellExpiry(identity)
        } catch {
            log("error: the certificate in use stays: \(error.message)")
        }
    }

    private func tellExpiry(_ identity: TLSIdentity) {
        let left = identity.expiry.since(gitops.clock.now())
        guard left < .seconds(14 * 86_400) else { return }
        let when = left < .zero ? "ended" : "ends"
        log("warning: the certificate '\(identity.certificateFile)' \(when) at \(identity.expiry)")
    }

    private func listen(
        _ hooks: HookReceiver, _ identity: TLSIdentity?, _ metrics: Metrics, _ pages: [HTTPRoute]
    ) throws(VoltError) -> HTTPServer {
        let log = self.log
        var routes = pages + [HTTPRoute("GET", "/healthz") { _, answer in answer(HTTPResponse(200, "ok\n")) }]
        for provider in Provider.allCases {
            guard let receiver = provider.hooks else { continue }
            let forms = receiver.takesForms ? ["application/x-www-form-urlencoded"] : []
            routes.append(
                HTTPRoute(
                    "POST", "/hooks/\(provider.rawValue)",
                    mediaTypes: ["application/json"] + forms
                ) { request, answer in
                    hooks.receive(
                        provider: provider, headers: RequestHeaders(request), body: request.body
                    ) { reply in
                        if let line = reply.log { log(line) }
                        metrics.countDelivery(provider: provider.rawValue, status: reply.status)
                        let isJSON = reply.body.hasPrefix("{")
                        var response = HTTPResponse(
                            reply.status, reply.body,
                            type: isJSON ? "application/json" : "text/plain; charset=utf-8")
                        if reply.status == 503 { response.headers.append(("Retry-After", "30")) }
                        answer(response)
                    }
                })
        }
        do throws(VoltError) {
            return try HTTPServer(
                address: options.address, port: options.port, socket: gitops.sockets.first, routes: routes,
                threads: 2, tls: identity, report: { log("debug: \($0)") })
        } catch  where error.code == .missing {
            let holder = PortHolder.find(port: options.port).map { " by \($0)" } ?? ""
            throw VoltError(
                .missing, "cannot listen on port \(options.port): it is taken\(holder)",
                hint: "choose another with --port, and in the provider's hook")
        }
    }

    /// Reads the pipelines and their secrets anew.
    private func reload(_ hooks: HookReceiver, _ journal: Journal) throws(VoltError) {
        hooks.watch(
            try HookReceiver.Watch.read(journal, paths: gitops.paths, now: gitops.clock.now(), log: log))
    }

    /// Blocks until a signal ends the server, and tells the service manager that it lives; `woken` is called when
    /// the pipe is written to, and with true after SIGHUP.
    private func wait(signals: ServerSignal, wakePipe: Int32, woken: (Bool) -> Void) {
        while true {
            var polls = [
                pollfd(fd: signals.descriptor, events: Int16(POLLIN), revents: 0),
                pollfd(fd: wakePipe, events: Int16(POLLIN), revents: 0),
            ]
            let interval = gitops.manager.watchdogInterval.map { Int32(clamping: $0.milliseconds) } ?? -1
            let count = poll(&polls, 2, interval)
            gitops.manager.alive()
            guard count > 0 else { continue }
            var bytes = [UInt8](repeating: 0, count: 4096)
            if polls[0].revents != 0 {
                if signals.stops() { return }
                woken(true)
            }
            if polls[1].revents != 0 {
                _ = read(wakePipe, &bytes, bytes.count)
                woken(false)
            }
        }
    }
}
