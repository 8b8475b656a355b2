public import VoltCore
public import VoltService
public import VoltSystem

/// The HTTP part of a server: the port and who holds it, TLS with its reload and the warning before it ends,
/// `/healthz`, and the access log.
public final class HTTPService: Service {
    /// How a server listens.
    public struct Options: Sendable {
        /// An address of this host, or nil for every address.
        public var address: String?
        /// The port; 0 for a free one.
        public var port: Int
        /// A socket of the service manager that listens already; address and port do not count then.
        public var socket: Int32?
        /// The files of an HTTPS server; nil for plain HTTP.
        public var tls: TLSFiles?
        /// Event loops.
        public var threads = 2
        /// What a client may use.
        public var limits = HTTPLimits()
        /// What to do when the port is taken.
        public var portHint = "choose another with --port"
        /// Opened again by `reload`.
        public var accessLog: AccessLog?

        /// - Parameters: see the properties.
        public init(address: String?, port: Int, tls: TLSFiles? = nil) {
            self.address = address
            self.port = port
            self.tls = tls
        }
    }

    /// The files of an HTTPS server.
    public struct TLSFiles: Sendable, Equatable {
        /// PEM file with the certificate and those between it and the root.
        public var certificate: String
        /// PEM file with the key.
        public var key: String
        /// PEM file with authorities whose certificates clients may show; nil when they are not asked for one.
        public var clientAuthorities: String?

        /// - Parameters: see the properties.
        public init(certificate: String, key: String, clientAuthorities: String? = nil) {
            self.certificate = certificate
            self.key = key
            self.clientAuthorities = clientAuthorities
        }
    }

    /// The routes besides `/healthz`; set before `bind`.
    public var routes: [HTTPRoute] = []

    private let options: Options
    private let clock: any WallClock
    private let log: @Sendable (String) -> Void
    private var identity: TLSIdentity?
    private var server: HTTPServer?

    /// - Parameters:
    ///   - clock: says how long the certificate still holds.
    ///   - log: gets lines for people, on any thread.
    public init(_ options: Options, clock: any WallClock, log: @escaping @Sendable (String) -> Void) {
        self.options = options
        self.clock = clock
        self.log = log
    }

    /// The port it listens on, once it is bound.
    public var port: Int { server?.port ?? options.port }

    /// Reads the certificate and the key.
    public func prepare() throws(VoltError) {
        guard let tls = options.tls else { return }
        identity = try TLSIdentity(
            certificateFile: tls.certificate, keyFile: tls.key, clientAuthoritiesFile: tls.clientAuthorities)
    }

    /// Listens. A monitor that asks `/healthz` each second is not among what the routes count.
    public func bind() throws(VoltError) -> String {
        let log = self.log
        let health = HTTPRoute("GET", "/healthz") { _, answer in answer(HTTPResponse(200, "ok\n")) }
        do throws(VoltError) {
            let server = try HTTPServer(
                address: options.address, port: options.port, socket: options.socket,
                routes: routes + [health], limits: options.limits, threads: options.threads, tls: identity,
                report: { log("debug: \($0)") })
            self.server = server
            return url(of: server)
        } catch  where error.code == .missing {
            let holder = PortHolder.find(port: options.port).map { " by \($0)" } ?? ""
            throw VoltError(
                .missing, "cannot listen on port \(options.port): it is taken\(holder)",
                hint: options.portHint)
        }
    }

    private func url(of server: HTTPServer) -> String {
        let host = options.address ?? "0.0.0.0"
        return
            "\(identity == nil ? "http" : "https")://\(host.contains(":") ? "[\(host)]" : host):\(server.port)"
    }

    /// Warns when the certificate ends soon; the server answers from `bind` on.
    public func run() throws(VoltError) { if let identity { warnOfExpiry(identity) } }

    /// Opens the access log again and reads the certificate again; the one in use stays when the new one cannot be used.
    public func reload() {
        do throws(VoltError) { try options.accessLog?.reopen() } catch { log("error: \(error.message)") }
        guard let identity else { return }
        do throws(VoltError) {
            try identity.reload()
            log("read the certificate '\(identity.certificateFile)' again")
            warnOfExpiry(identity)
        } catch { log("error: the certificate in use stays: \(error.message)") }
    }

    /// Two weeks: who renews by hand has the time to.
    private func warnOfExpiry(_ identity: TLSIdentity) {
        let left = identity.expiry.since(clock.now())
        guard left < .seconds(14 * 86_400) else { return }
        let when = left < .zero ? "ended" : "ends"
        log("warning: the certificate '\(identity.certificateFile)' \(when) at \(identity.expiry)")
    }

    /// Stops to listen and lets the requests that are being answered end.
    public func drain() { drain {} }

    /// The same.
    ///
    /// - Parameter workers: ends the threads that answer requests; see `HTTPServer.stop`.
    public func drain(_ workers: () -> Void) {
        if let server { server.stop(workers) } else { workers() }
    }
}
