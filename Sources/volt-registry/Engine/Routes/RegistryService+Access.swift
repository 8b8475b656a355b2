internal import FoundationEssentials
internal import RegistryAccess
internal import Synchronization
internal import VoltCore
internal import VoltOCI
internal import VoltServer
internal import VoltSystem

/// Who makes a request, once that is known: for the access log.
final class Caller: Sendable {
    private let name = Mutex<String?>(nil)

    var text: String { name.withLock { $0 } ?? "-" }

    func isKnown(as user: AccessUser) {
        if case .anonymous = user { return }
        name.withLock { $0 = user.description }
    }
}

extension HTTPRequest {
    /// Whether it says at most once who makes it.
    fileprivate var isUnambiguous: Bool { all("authorization").count < 2 }
}

extension RegistryService {
    /// What a request to an endpoint does.
    static func wants(_ endpoint: Endpoint, _ method: String) -> [AccessWant] {
        let isReading = method == "GET" || method == "HEAD"
        return switch endpoint {
        case .base: []
        case .catalog: [AccessWant(.catalog)]
        case .tags(let name), .referrers(let name, _): [AccessWant(.pull, name)]
        case .manifest(let name, _), .blob(let name, _):
            [AccessWant(isReading ? .pull : method == "DELETE" ? .delete : .push, name)]
        // Also the state of an upload is its pusher's.
        case .uploads(let name), .upload(let name, _): [AccessWant(.push, name)]
        }
    }

    /// Goes on with a request whose maker may do what it wants.
    ///
    /// - Parameter asks: the challenge of pages, which browsers understand, in place of that of the API.
    func authorized(
        _ request: HTTPRequest, _ wants: [AccessWant], _ caller: Caller, asks challenge: String? = nil,
        _ body: @escaping @Sendable (AccessGrant) -> HTTPOpening
    ) -> HTTPOpening {
        guard request.isUnambiguous else {
            return .answer(
                RegistryError.unsupported("the request has two Authorization fields", status: 400).response())
        }
        let asked = AccessRequest(
            authorization: request["authorization"], clientName: request.clientName, address: request.address,
            // Without a policy nobody is sent anywhere.
            origin: access.hasPolicy ? origin(request) : "", wants: wants,
            isPage: challenge != nil)
        if let decision = access.authorizeAtOnce(asked, now: clock.now()) {
            return opening(decision, caller, challenge, body)
        }
        // A password has to be hashed, which takes long.
        return .later { tell in
            self.passwords.run {
                tell(
                    self.opening(self.access.authorize(asked, now: self.clock.now()), caller, challenge, body)
                )
            }
        }
    }

    private func opening(
        _ decision: AccessDecision, _ caller: Caller, _ pageChallenge: String?,
        _ body: (AccessGrant) -> HTTPOpening
    ) -> HTTPOpening {
        switch decision {
        case .allowed(let grant):
            caller.isKnown(as: grant.user)
            return body(grant)
        case .unauthorized(let challenge, let message):
            let error = RegistryError(status: 401, code: "UNAUTHORIZED", message: message)
            return .answer(
                error.response([
                    ("WWW-Authenticate", pageChallenge ?? challenge),
                    ("Docker-Distribution-API-Version", "registry/2.0"),
                ]))
        case .denied(let message): return .answer(RegistryError.denied(message).response())
        case .limited(let wait): return .answer(Self.limited(wait))
        }
    }

    private static func limited(_ wait: Duration) -> HTTPResponse {
        let seconds = max(1, Int(wait.components.seconds) + (wait.components.attoseconds > 0 ? 1 : 0))
        return RegistryError.tooMany(seconds).response([("Retry-After", String(seconds))])
    }

    /// How the client reached this server.
    private func origin(_ request: HTTPRequest) -> String {
        let host = request["host"].flatMap { OCIReference.host($0) } ?? "localhost"
        return "\(isEncrypted ? "https" : "http")://\(host)"
    }

    /// `GET /token`.
    func token(_ request: HTTPRequest, _ caller: Caller) -> HTTPOpening {
        guard request.method == "GET" else {
            return .answer(RegistryError.unsupported("a token is asked for with GET").response())
        }
        let asked = TokenRequest(
            query: request.query, authorization: request["authorization"], clientName: request.clientName,
            address: request.address)
        if let answer = access.tokenAtOnce(asked, now: clock.now()) { return .answer(Self.response(answer)) }
        return .work { reply in
            self.passwords.run { reply(Self.response(self.access.token(asked, now: self.clock.now()))) }
        }
    }

    private static func response(_ answer: TokenAnswer) -> HTTPResponse {
        switch answer {
        case .issued(let json):
            HTTPResponse(
                200, headers: [("Content-Type", "application/json"), ("Cache-Control", "no-store")],
                body: Array(json.utf8))
        case .malformed(let message):
            RegistryError(status: 400, code: "UNSUPPORTED", message: message).response()
        case .unauthorized(let challenge, let message):
            RegistryError(status: 401, code: "UNAUTHORIZED", message: message).response([
                ("WWW-Authenticate", challenge)
            ])
        case .limited(let wait): limited(wait)
        case .notHere: RegistryError.notFound("/token").response()
        }
    }
}
