internal import FoundationEssentials
internal import Glibc
internal import RegistryAccess
internal import VoltCore
internal import VoltOCI
internal import VoltPages
public import VoltServer
internal import VoltStore
internal import VoltSystem

/// Answers the requests of the API.
final class RegistryService: Sendable {
    let storage: any Repositories
    /// For uploads, and for what is kept of other registries.
    let local: RegistryStorage
    let workers: HTTPWorkers
    /// Threads that may wait for other registries.
    let fetchers: HTTPWorkers
    /// Threads that hash passwords, or wait for their turn to.
    let passwords: HTTPWorkers
    let upstreams: Upstreams
    let settings: RegistrySettings
    private let quota: Quota?
    let bodies = BodyBudget(limit: 64 << 20)
    let access: AccessControl
    let isEncrypted: Bool
    let clock: any WallClock
    let report: @Sendable (String) -> Void

    /// - Parameter report: told in a line for people what failed here.
    init(
        _ storage: any Repositories, local: RegistryStorage, workers: HTTPWorkers, fetchers: HTTPWorkers,
        passwords: HTTPWorkers, settings: RegistrySettings,
        access: AccessControl,
        isEncrypted: Bool, clock: any WallClock, report: @escaping @Sendable (String) -> Void
    ) {
        self.storage = storage
        self.local = local
        self.workers = workers
        self.fetchers = fetchers
        self.passwords = passwords
        upstreams = Upstreams(settings.upstreams)
        self.settings = settings
        quota = settings.quota.map { Quota(limit: $0) }
        self.access = access
        self.isEncrypted = isEncrypted
        self.clock = clock
        self.report = report
    }

    typealias Reply = @Sendable (HTTPResponse) -> Void

    /// Gives a repository a blob by the body, when there is room for it.
    func adding<Result>(
        _ digest: OCIDigest, _ bytes: UInt64, to name: OCIRepositoryName, _ body: () throws -> Result
    ) throws -> Result {
        guard let quota, try storage.blob(digest, in: name) == nil else { return try body() }
        return try quota.adding(bytes, to: name, in: storage, body)
    }

    /// What becomes of a request.
    func open(_ request: HTTPRequest, _ caller: Caller) -> HTTPOpening {
        do {
            let query = Query(request.query)
            let endpoint = try named(try Endpoint(request.path, method: request.method), query)
            let host = upstreams.all.isEmpty || endpoint.repository == nil ? nil : query["ns"]
            return authorized(request, Self.wants(endpoint, request.method), caller) { grant in
                do {
                    return Self.scoped(try self.route(request, endpoint, query, grant), host)
                } catch {
                    return .answer(self.answer { throw error })
                }
            }
        } catch {
            return .answer(answer { throw error })
        }
    }

    /// The answer says of which registry it is, when that was asked for (section "Registry Proxying").
    private static func scoped(_ opening: HTTPOpening, _ host: String?) -> HTTPOpening {
        guard let host else { return opening }
        // The name of an upstream: nothing else comes so far.
        @Sendable func scoped(_ response: HTTPResponse) -> HTTPResponse {
            var response = response
            response.headers.append(("OCI-Namespace", host))
            return response
        }
        return switch opening {
        case .answer(let response): .answer(scoped(response))
        case .work(let work): .work { reply in work { reply(scoped($0)) } }
        case .exchange, .later: opening
        }
    }

    /// The repository that is meant when a client says which registry it wants one of.
    private func named(_ endpoint: Endpoint, _ query: Query) throws -> Endpoint {
        guard !upstreams.all.isEmpty, let host = query["ns"], let name = endpoint.repository else {
            return endpoint
        }
        // The same name of another registry is another repository.
        guard let here = upstreams.name(name, of: host) else { throw RegistryError.nameUnknown(name) }
        return endpoint.in(here)
    }

    private func route(
        _ request: HTTPRequest, _ endpoint: Endpoint, _ query: Query, _ grant: AccessGrant
    ) throws -> HTTPOpening {
        let isReading = request.method == "GET" || request.method == "HEAD"
        if !isReading, settings.isReadOnly {
            throw RegistryError.unsupported("the registry is read-only")
        }
        if let repository = endpoint.repository.flatMap({ upstreams.repository($0) }),
            !local.isOwn(repository.name),
            let opening = try route(request, endpoint, query, repository)
        {
            return opening
        }
        switch (endpoint, request.method) {
        case (.base, _) where isReading:
            return .answer(Self.base)
        case (.catalog, _) where isReading: return work { try self.catalog(query, grant) }
        case (.tags(let name), _) where isReading: return work { try self.tags(name, query) }
        case (.referrers(let name, let digest), _) where isReading:
            return work { try self.referrers(name, digest, query) }
        case (.manifest(let name, let reference), _) where isReading:
            return try reading { try self.manifest(name, reference, request) }
        case (.manifest(let name, let reference), "PUT"):
            return .exchange(try ManifestExchange(self, request, name, reference, query))
        case (.manifest(let name, let reference), "DELETE"):
            return work { try self.deleteManifest(name, reference) }
        case (.blob(let name, let digest), _) where isReading:
            return try reading(mayWait: storage.isDue(digest, in: name)) {
                try self.blob(name, digest, request)
            }
        case (.blob(let name, let digest), "DELETE"): return work { try self.deleteBlob(name, digest) }
        case (.uploads(let name), "POST"): return try beginUpload(request, name, query, grant)
        case (.upload(let name, let id), _) where isReading: return work { try self.status(name, id) }
        case (.upload(let name, let id), "PATCH"):
            return .exchange(try UploadExchange(self, request, name, try take(name, id), nil))
        case (.upload(let name, let id), "PUT"):
            let digest = try Self.digest(query)
            return .exchange(try UploadExchange(self, request, name, try take(name, id), digest))
        case (.upload(let name, let id), "DELETE"): return work { try self.cancel(name, id) }
        default: throw RegistryError.unsupported("\(request.method) is not of this endpoint")
        }
    }

    /// What is asked for of a repository of another registry; nil when it is done as with any other.
    private func route(
        _ request: HTTPRequest, _ endpoint: Endpoint, _ query: Query, _ repository: Upstreams.Repository
    ) throws -> HTTPOpening? {
        guard request.method == "GET" || request.method == "HEAD" else {
            // What is kept of it may go.
            if request.method == "DELETE" { return nil }
            throw RegistryError.unsupported(
                "'\(repository.name)' is kept of '\(repository.upstream.rule.host)': push it there")
        }
        switch endpoint {
        case .manifest(_, let reference):
            return fetching { try self.manifest(repository, reference, request) }
        case .blob(let name, let digest):
            if try storage.blob(digest, in: name) != nil { return nil }
            return blob(repository, digest, request)
        case .tags(let name):
            return fetching { try self.response(try self.tags(repository), of: name, query) }
        case .referrers(let name, let subject):
            return fetching {
                let found = try self.referrers(
                    repository, subject, type: query["artifactType"], after: query["last"])
                return try self.response(found, to: subject, in: name, query)
            }
        default: return nil
        }
    }

    /// The field is what clients of Docker's first registry look for.
    private static let base = HTTPResponse(
        200,
        headers: [
            ("Content-Type", "application/json"), ("Docker-Distribution-API-Version", "registry/2.0"),
        ], body: Array("{}".utf8))

    /// A page for people.
    func page(_ request: HTTPRequest, _ caller: Caller) -> HTTPOpening {
        guard request.method == "GET" || request.method == "HEAD" else {
            return .answer(HTTPResponse(405, "405 Method Not Allowed\n"))
        }
        let wants = access.hasPolicy ? [AccessWant(.catalog)] : []
        return authorized(request, wants, caller, asks: "Basic realm=\"volt registry\", charset=\"UTF-8\"") {
            grant in
            self.work {
                let pages = RegistryPages(
                    storage: self.storage, now: self.clock.now(), mayPull: { grant.maySee($0) })
                return try pages.page(request.path) ?? HTTPResponse(404, "404 Not Found\n")
            }
        }
    }

    /// The numbers for monitors; with a policy they are for administrators.
    func numbers(_ request: HTTPRequest, _ caller: Caller, _ text: @escaping @Sendable () -> String)
        -> HTTPOpening
    {
        let wants = access.hasPolicy ? [AccessWant(.administer)] : []
        return authorized(request, wants, caller, asks: "Basic realm=\"volt registry\", charset=\"UTF-8\"") {
            _ in
            self.work { MetricsPage.response(text()) }
        }
    }

    /// Work that is done at once where that is fast.
    ///
    /// - Parameter mayWait: whether it may have to wait for a lock.
    private func reading(mayWait: Bool = false, _ body: @escaping @Sendable () throws -> HTTPResponse) throws
        -> HTTPOpening
    {
        storage.isRemote ? fetching(body) : mayWait ? work(body) : .answer(try body())
    }

    /// Work that reads or writes the disk.
    private func work(_ body: @escaping @Sendable () throws -> HTTPResponse) -> HTTPOpening {
        .work { reply in self.run(reply, body) }
    }

    /// Does something on a thread of its own and answers with what it gives.
    func run(_ reply: @escaping Reply, _ body: @escaping @Sendable () throws -> HTTPResponse) {
        workers.run { reply(self.answer(body)) }
    }

    /// What the body gives, or the answer to what it threw.
    func answer(_ body: () throws -> HTTPResponse) -> HTTPResponse {
        do { return try body() } catch let error as RegistryError {
            return error.response()
        } catch let error as HeadedError {
            return error.error.response(error.headers)
        } catch let refusal as ManifestRefusal {
            return RegistryError.response(refusal.errors, status: refusal.errors.first?.status ?? 400)
        } catch {
            return failure(error)
        }
    }

    /// The answer to a failure of this host, which goes to the log and not to the client.
    func failure(_ error: any Error) -> HTTPResponse {
        let text = (error as? VoltError)?.message ?? "\(error)"
        report(text)
        return (isFull ? RegistryError.insufficientStorage : RegistryError.failed).response()
    }

    private var isFull: Bool {
        var information = statvfs()
        return statvfs(local.store.path, &information) == 0
            && UInt64(information.f_bavail).multipliedClamped(by: UInt64(information.f_frsize)) < 1 << 20
    }

    static func json(_ value: some Encodable, type: String = "application/json") throws -> HTTPResponse {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return HTTPResponse(200, headers: [("Content-Type", type)], body: Array(try encoder.encode(value)))
    }

    /// The one digest of a query.
    static func digest(_ query: Query) throws -> OCIDigest {
        guard let text = query["digest"] else { throw RegistryError.digestInvalid("") }
        guard let digest = OCIDigest(parsing: text) else { throw RegistryError.digestInvalid(text) }
        return digest
    }
}

/// What a registry allows.
public struct RegistrySettings: Sendable {
    /// Whether nothing can be changed.
    public var isReadOnly = false
    /// The bytes of a blob; nil is what the disk takes.
    public var largestBlob: UInt64?
    /// The bytes of the blobs of a repository; nil is what the disk takes.
    public var quota: UInt64?
    /// What stays when the registry is cleared from time to time.
    public var retention = RetentionRules()
    /// How often that is done; nil is never.
    public var collectionInterval: Duration?
    /// Whether there are pages for people.
    public var hasPages = false
    /// Other registries, whose repositories are kept here as they are asked for.
    public var upstreams: [Upstream] = []
    /// So long a tag of another registry is not looked for again.
    public var upstreamFresh: Duration = .seconds(60)
    /// Where each answer is written down.
    public var accessLog: AccessLog?

    /// The settings above.
    public init() {}
}
