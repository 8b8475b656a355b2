internal import Dispatch
internal import VoltCore
internal import VoltCrypto
internal import VoltPages
internal import VoltServer
internal import VoltSystem

/// The routes of the pages and of `/metrics`: one thread reads the journal for all of them, so that a
/// crowd of readers costs the deploys nothing.
final class PageRoutes: Sendable {
    private let queue = DispatchQueue(label: "volt.gitops.pages")
    private let state: String
    private let clock: any WallClock
    private let metrics: Metrics
    private let password: [UInt8]?
    private let log: @Sendable (String) -> Void

    // Only touched on `queue`, one block at a time.
    nonisolated(unsafe) private var journal: Journal?
    nonisolated(unsafe) private var numbers: (text: String, until: ContinuousClock.Instant)?

    /// - Parameters:
    ///   - state: the directory of the journal.
    ///   - password: of the user `volt`, asked for every page; nil for none.
    init(
        state: String, clock: any WallClock, metrics: Metrics, password: [UInt8]?,
        log: @escaping @Sendable (String) -> Void
    ) {
        self.state = state
        self.clock = clock
        self.metrics = metrics
        self.password = password
        self.log = log
    }

    /// The routes.
    ///
    /// - Parameter pages: whether the status pages are on.
    func routes(pages: Bool) -> [HTTPRoute] {
        let metrics = HTTPRoute("GET", "/metrics") { [self] request, answer in
            serve(request, answer) { (journal) throws(VoltError) in try self.numbers(journal) }
        }
        guard pages else { return [metrics] }
        let paths = ["/", "/pipelines/*", "/attempts/*"]
        return [metrics]
            + paths.map { path in
                HTTPRoute("GET", path) { [self] request, answer in
                    serve(request, answer) { (journal) throws(VoltError) in
                        try self.page(request.path, journal)
                    }
                }
            }
    }

    private func serve(
        _ request: HTTPRequest, _ answer: @escaping @Sendable (HTTPResponse) -> Void,
        _ make: @escaping @Sendable (Journal) throws(VoltError) -> HTTPResponse
    ) {
        guard isAllowed(request) else {
            var refusal = HTTPResponse(401, "401 Unauthorized\n")
            refusal.headers.append(("WWW-Authenticate", "Basic realm=\"volt gitops\", charset=\"UTF-8\""))
            return answer(refusal)
        }
        queue.async { [self] in
            do throws(VoltError) {
                answer(try make(try opened()))
            } catch {
                log("error: cannot make '\(request.path.prefix(100))': \(error.message)")
                answer(HTTPResponse(503, "503 Service Unavailable\n"))
            }
        }
    }

    private func opened() throws(VoltError) -> Journal {
        if let journal { return journal }
        let made = try Journal(state: state)
        journal = made
        return made
    }

    private func isAllowed(_ request: HTTPRequest) -> Bool {
        guard let password else { return true }
        let given = request.headers.first { $0.name.lowercased() == "authorization" }?.value ?? ""
        let wanted = "Basic \(Base64.encode(Array("volt:".utf8) + password))"
        // Digests of equal length: the time says nothing of the password.
        return ConstantTime.equal(Self.digest(given), Self.digest(wanted))
    }

    private static func digest(_ text: String) -> [UInt8] {
        let hasher = SHA256Hasher()
        hasher.update(text)
        return hasher.finishBytes()
    }

    private func numbers(_ journal: Journal) throws(VoltError) -> HTTPResponse {
        let now = ContinuousClock.now
        if let numbers, now < numbers.until { return MetricsPage.response(numbers.text) }
        let text = try metrics.text(journal)
        numbers = (text, now + .seconds(1))
        return MetricsPage.response(text)
    }

    private func page(_ path: String, _ journal: Journal) throws(VoltError) -> HTTPResponse {
        try StatusPages(journal: journal, clock: clock).page(path) ?? HTTPResponse(404, "404 Not Found\n")
    }
}
