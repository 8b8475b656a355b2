internal import Dispatch
internal import GitopsSource
internal import Glibc
public import VoltCore
internal import VoltServer
public import VoltService
internal import VoltSystem

/// Takes webhooks, polls, and works on the queue.
public final class GitopsServer: Service {
    /// How the server listens, and what it shows.
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

    /// What is there from `prepare` on.
    private struct Parts {
        let journal: Journal
        let scheduler: Scheduler
        let queue: AcceptQueue
        let hooks: HookReceiver
        let sender: OutboxSender
        let drift: DriftWatch
    }

    private let gitops: Gitops
    private let options: Options
    private let log: @Sendable (String) -> Void
    private let http: HTTPService
    private var wakePipe: Int32 = -1
    private var deliveries: FileLock?
    private var parts: Parts?
    private var url = ""

    /// - Parameter log: gets each line of the server's log.
    public init(_ gitops: Gitops, options: Options, log: @escaping @Sendable (String) -> Void) {
        self.gitops = gitops
        self.options = options
        self.log = log
        var listening = HTTPService.Options(
            address: options.address, port: options.port,
            tls: options.tls.map { .init(certificate: $0.certificate, key: $0.key) })
        listening.socket = gitops.sockets.first
        listening.portHint = "choose another with --port, and in the provider's hook"
        http = HTTPService(listening, clock: gitops.clock, log: log)
    }

    deinit { if wakePipe >= 0 { close(wakePipe) } }

    /// What runs the server: one at a time works on the queue.
    public var runner: ServiceRunner {
        let state = gitops.paths.state
        return ServiceRunner(
            directory: gitops.paths.runtime, manager: gitops.manager,
            busy: { first in
                let holder = first.map { " (process \($0.pid), \($0.url))" } ?? ""
                return VoltError(
                    .conflict, "a server or a 'sync' works on '\(state)' already\(holder)",
                    hint: "stop it first, or use another --root")
            }, log: log)
    }

    // MARK: The life of the server

    /// Opens the journal, and reads the pipelines, their secrets and the certificate.
    public func prepare() throws(VoltError) {
        try gitops.paths.make()
        let (paths, log) = (gitops.paths, self.log)
        try http.prepare()
        wakePipe = try WakePipe.open(paths.wakePipe)
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
        deliveries = try FileLock.wait(for: paths.deliveriesLock)
        let queue = AcceptQueue(directory: paths.state, clock: gitops.clock) { _ in scheduler.kick() }
        try queue.start()
        let hooks = HookReceiver(queue: queue, clock: gitops.clock) { url in
            url.hasPrefix("/") ? url : RepositoryURL.normalised(payloadURL: url)
        }
        let parts = Parts(
            journal: journal, scheduler: scheduler, queue: queue, hooks: hooks,
            sender: OutboxSender(
                state: paths.state, clock: gitops.clock, messenger: gitops.messenger, log: log),
            drift: gitops.driftWatch(log: log) { scheduler.kick() })
        self.parts = parts
        try reload(parts)
        let metrics = Metrics()
        let pages = PageRoutes(
            state: paths.state, clock: gitops.clock, metrics: metrics,
            password: try options.passwordFile.map(Messenger.bytes), log: log)
        http.routes = pages.routes(pages: options.pages) + routes(hooks, metrics)
    }

    /// Listens. A delivery is accepted from here on: it is in the log of deliveries before it is answered.
    public func bind() throws(VoltError) -> String {
        url = try http.bind()
        return url
    }

    /// Ends what a server that died had started, and queues it again or closes it with the reason.
    public func recover() throws(VoltError) {
        guard let parts else { return }
        try Recovery(
            journal: parts.journal, paths: gitops.paths, kinds: gitops.kinds, clock: gitops.clock, log: log
        ).run(try parts.journal.pipelines())
        do throws(VoltError) { try gitops.cleanup(parts.journal).run() } catch {
            log("error: what a deleted pipeline has left is not removed: \(error.message)")
        }
    }

    /// Begins to send notifications, to work on the queue, and to look for drift.
    public func run() throws(VoltError) {
        guard let parts else { return }
        let scheduler = parts.scheduler
        try parts.sender.start()
        try scheduler.start()
        reconcile { scheduler.kick() }
        try parts.drift.start()
        log("listening on \(url), with \(try parts.journal.pipelines().count) pipelines")
        try http.run()
    }

    /// Readable when a command has put something into the journal.
    public var wakeDescriptor: Int32? { wakePipe }

    /// Reads the pipelines and their secrets anew, and looks at the queue.
    public func wake() {
        guard let parts else { return }
        do throws(VoltError) { try reload(parts) } catch { log("error: \(error.message)") }
        parts.scheduler.kick()
    }

    /// Reads the certificate, the pipelines and their secrets again.
    public func reload() {
        http.reload()
        wake()
    }

    /// Asks what is under way to stop, which the next server resumes. Deliveries are taken to the last moment: they are in
    /// the journal, and the next server works on them.
    public func drain() throws(VoltError) {
        guard let parts else { return }
        log("stopping; what is under way is asked to stop and is resumed by the next start")
        parts.drift.stop()
        parts.scheduler.stop()
        http.drain { parts.queue.stop() }
        parts.sender.stop()
        deliveries = nil
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

    private func routes(_ hooks: HookReceiver, _ metrics: Metrics) -> [HTTPRoute] {
        let log = self.log
        var routes: [HTTPRoute] = []
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
        return routes
    }

    /// Reads the pipelines and their secrets anew.
    private func reload(_ parts: Parts) throws(VoltError) {
        parts.hooks.watch(
            try HookReceiver.Watch.read(
                parts.journal, paths: gitops.paths, now: gitops.clock.now(), log: log))
    }
}
