internal import FoundationEssentials
internal import Glibc
public import VoltCore
internal import VoltHTTP
internal import VoltOCI
internal import VoltSystem

/// A client of one registry (OCI Distribution Specification 1.1), for one thread.
///
/// What failed for a while is tried again with growing pauses. Every digest is verified while the bytes come.
public final class RegistryClient {
    /// The registry.
    public let endpoint: RegistryEndpoint
    private let web: WebClient
    /// Asked now and then; true gives up.
    public var stop: @Sendable () -> Bool = { false }

    /// - Parameter endpoint: shared by the clients of all threads.
    public init(_ endpoint: RegistryEndpoint) throws(VoltError) {
        self.endpoint = endpoint
        var settings = try WebClient.Settings(caFile: endpoint.settings.caFile)
        settings.proxy = endpoint.settings.proxy
        settings.allowsHTTP = endpoint.settings.isPlain
        web = WebClient(settings)
    }

    /// A request of the API.
    struct Call {
        var method: String
        var path: String
        /// The repository and what is done in it, for tokens.
        var scope: String
        var headers: [(name: String, value: String)] = []
        var body: [UInt8] = []
        var upload: WebUpload?
        var limit = OCIDocument.longest + 1024
        /// Whether it does no harm to do it twice.
        var mayRepeat = true
    }

    typealias Sink = (_ status: Int, UnsafeRawBufferPointer) throws(VoltError) -> Void

    static func pull(_ name: OCIRepositoryName) -> String { "repository:\(name):pull" }
    static func push(_ name: OCIRepositoryName) -> String { "repository:\(name):pull,push" }
    static func delete(_ name: OCIRepositoryName) -> String { "repository:\(name):pull,push,delete" }

    /// Sends a request, after a login if the registry wants one.
    func send(_ call: Call, sink: Sink? = nil)
        throws(VoltError)
        -> WebAnswer
    {
        var pause: Duration = .milliseconds(200)
        var attempt = 0
        while true {
            var failure: VoltError?
            do throws(VoltError) {
                let answer = try authorized(call, sink)
                // 408, 429 and what a server says of itself.
                let isPassing =
                    answer.status == 408 || answer.status == 429 || answer.status == 502
                    || answer.status == 503 || answer.status == 504
                guard isPassing, call.mayRepeat, attempt < endpoint.settings.retries else { return answer }
                if let text = answer["retry-after"], let seconds = Int64(text), seconds >= 0 {
                    pause = max(pause, .seconds(min(seconds, 60)))
                }
            } catch {
                guard error.code == .tryAgain else { throw error }
                guard call.mayRepeat, attempt < endpoint.settings.retries, sink == nil else {
                    throw Self.telling(error, call)
                }
                failure = error
            }
            attempt += 1
            // Many clients that failed together do not come back together.
            let part = Duration.milliseconds(Int64.random(in: 0...max(1, pause.milliseconds / 2)))
            if stop() {
                throw failure ?? VoltError(.tryAgain, "the request to '\(endpoint.host)' was stopped")
            }
            rest(pause + part)
            pause = min(pause * 2, .seconds(10))
        }
    }

    /// The error with what was asked for.
    private static func telling(_ error: VoltError, _ call: Call) -> VoltError {
        let path = call.path.prefix { $0 != "?" }
        guard path.hasPrefix("/v2/"), path.count > 4 else { return error }
        return VoltError(
            error.code, "\(error.message) (asked for '\(path.dropFirst(4).prefix(300))')", hint: error.hint)
    }

    /// Waits between two attempts, and no longer than until this client is stopped.
    func rest(_ time: Duration) {
        let end = ContinuousClock.now + time
        while !stop(), ContinuousClock.now < end {
            usleep(UInt32(clamping: min(100_000, max(1000, (end - .now).milliseconds * 1000))))
        }
    }

    private func authorized(
        _ call: Call, _ sink: Sink?
    ) throws(VoltError) -> WebAnswer {
        let answer = try perform(call, endpoint.authorization(call.scope), sink)
        guard answer.status == 401 else { return answer }
        endpoint.forget(call.scope)
        guard let authorization = try login(answer, scope: call.scope) else { return answer }
        return try perform(call, authorization, sink)
    }

    private func perform(
        _ call: Call, _ authorization: String?, _ sink: Sink?
    ) throws(VoltError) -> WebAnswer {
        let url = try WebURL("\(try scheme())://\(endpoint.authority)\(call.path)")
        var request = WebRequest(call.method, url, headers: call.headers, body: call.body)
        request.upload = call.upload
        if let authorization { request.secretHeaders = [("Authorization", authorization)] }
        if call.body.isEmpty, call.upload == nil, ["POST", "PUT", "PATCH"].contains(call.method) {
            request.headers.append(("Content-Length", "0"))
        }
        // A blob may take long, as long as something comes.
        let limits = WebLimits(body: call.limit, total: .seconds(86_400), stall: .seconds(60))
        let stop = stop
        let answer: WebAnswer
        if let sink {
            answer = try web.send(request, limits: limits, stop: { stop() }, sink: sink)
        } else {
            answer = try web.send(request, limits: limits, stop: { stop() })
        }
        endpoint.note(answer.headers.filter { $0.name == "warning" })
        return answer
    }

    /// `https`, but for a registry of this host that does not speak it, and where plain HTTP was asked for.
    private func scheme() throws(VoltError) -> String {
        if let known = endpoint.scheme { return known }
        if endpoint.settings.isPlain {
            endpoint.scheme = "http"
            return "http"
        }
        let url = try WebURL("https://\(endpoint.authority)/v2/")
        if url.isLoopback {
            do throws(VoltError) {
                _ = try web.send(WebRequest("GET", url), limits: WebLimits(total: .seconds(10)))
            } catch {
                // A certificate that cannot be trusted is no reason to speak without one.
                guard error.code == .tryAgain else { throw error }
                endpoint.scheme = "http"
                return "http"
            }
        }
        endpoint.scheme = "https"
        return "https"
    }

    // MARK: Login

    private func login(_ answer: WebAnswer, scope: String) throws(VoltError) -> String? {
        let challenges = answer.headers.filter { $0.name == "www-authenticate" }.flatMap {
            Challenge.parse($0.value)
        }
        if let bearer = challenges.first(where: { $0.scheme == "bearer" }),
            let realm = bearer.parameters["realm"]
        {
            let token = try token(
                realm, service: bearer.parameters["service"], scope: bearer.parameters["scope"] ?? scope)
            endpoint.keep(token, for: scope)
            return "Bearer \(token)"
        }
        guard challenges.contains(where: { $0.scheme == "basic" }), let basic = endpoint.basic else {
            return nil
        }
        endpoint.useBasic()
        return basic
    }

    /// Asks a token server ("Token Authentication Specification" and "Token Authentication Implementation" of the
    /// distribution project).
    private func token(_ realm: String, service: String?, scope: String) throws(VoltError) -> String {
        let url = try reading("\(endpoint.host)/v2/") { () throws(VoltError) in try WebURL(realm) }
        guard url.scheme == "https" || endpoint.scheme == "http" else {
            throw VoltError(
                .refused, "'\(endpoint.host)' sends its users to '\(url)' for tokens, which is not encrypted")
        }
        var items: [(String, String)] = []
        if let service { items.append(("service", service)) }
        for part in scope.split(separator: " ") where !part.isEmpty { items.append(("scope", String(part))) }
        var request: WebRequest
        if case .identityToken(let token) = endpoint.account {
            items += [
                ("grant_type", "refresh_token"), ("refresh_token", token), ("client_id", "volt"),
            ]
            request = WebRequest(
                "POST", url, headers: [("Content-Type", "application/x-www-form-urlencoded")])
            request.body = Array(Self.form(items).utf8)
        } else {
            let mark = url.target.contains("?") ? "&" : "?"
            request = WebRequest("GET", try WebURL("\(url.text)\(mark)\(Self.form(items))"))
            if let basic = endpoint.basic { request.secretHeaders = [("Authorization", basic)] }
        }
        let answer = try web.send(request, limits: WebLimits())
        guard answer.isSuccess else {
            let isRefusal = answer.status == 401 || answer.status == 403
            throw VoltError(
                isRefusal ? .refused : .failed,
                "'\(url)' gives no token for '\(endpoint.host)' (status \(answer.status))",
                hint: isRefusal ? "log in with 'volt registry login \(endpoint.host)'" : nil)
        }
        struct Body: Decodable {
            var token: String?
            var accessToken: String?

            enum CodingKeys: String, CodingKey {
                case token
                case accessToken = "access_token"
            }
        }
        guard let body = try? JSONDecoder().decode(Body.self, from: Data(answer.body)),
            let token = body.token ?? body.accessToken, !token.isEmpty
        else {
            throw VoltError(
                .failed, "'\(url)' answers without a token for '\(endpoint.host)'",
                hint: "is it a server of tokens, reached without a proxy or login page in between?")
        }
        return token
    }

    private static func form(_ items: [(String, String)]) -> String {
        items.map { "\($0.0)=\(Percent.encode($0.1))" }.joined(separator: "&")
    }

    // MARK: Errors

    /// What the registry says of a request that did not succeed.
    func failure(_ answer: WebAnswer, _ what: String) -> VoltError {
        struct Body: Decodable {
            struct Item: Decodable {
                var code: String?
                var message: String?
            }
            var errors: [Item]
        }
        let said = (try? JSONDecoder().decode(Body.self, from: Data(answer.body)))?.errors.first
        let words = [said?.code, said?.message].compactMap { $0 }.joined(separator: ": ")
        let reason =
            words.isEmpty ? "status \(answer.status)" : PrintableText.line(words, limit: 300)
        let message = "cannot \(what) at '\(endpoint.host)': \(reason)"
        return switch answer.status {
        case 401: VoltError(.refused, message, hint: "log in with 'volt registry login \(endpoint.host)'")
        case 403: VoltError(.refused, message, hint: "the user lacks the right to do this")
        case 404: VoltError(.notFound, message, hint: "is the name written right?")
        case 408, 429, 502, 503, 504: VoltError(.tryAgain, message)
        default: VoltError(.failed, message)
        }
    }

    /// Whether the registry answers and takes the login.
    public func ping() throws(VoltError) {
        let answer = try send(Call(method: "GET", path: "/v2/", scope: ""))
        guard answer.isSuccess else { throw failure(answer, "log in") }
    }
}
