internal import Synchronization
internal import VoltCore
internal import VoltSystem

/// Decides what a request to `/hooks/<provider>` means. Nothing of a body is parsed before its signature
/// holds, and a delivery reaches only the pipelines whose own secret it verifies with.
package final class HookReceiver: Sendable {
    /// A pipeline as the receiver needs it.
    struct Watch: Sendable {
        let pipeline: String
        let provider: Provider
        /// The URL as the user wrote it.
        let url: String
        /// The normalised URL.
        let repository: String
        /// Whether a push to a ref concerns it.
        let follows: @Sendable (PushedRef) -> Bool
        /// The current one and the one before; nil for a pipeline that was created to take deliveries
        /// without a signature.
        let secrets: [HookSecret]?
    }

    /// The answer to a request.
    package struct Reply: Sendable, Equatable {
        var status: Int
        package var body: String
        /// A line for the log, without any secret.
        var log: String?
    }

    private let watches = Mutex<[Watch]>([])
    private let queue: AcceptQueue
    private let clock: any WallClock
    /// The normalised `host/path` of a URL, or nil.
    private let matchKey: @Sendable (String) -> String?
    /// The keys of the repositories that verified deliveries named: it is mostly the same few.
    private let known = Mutex<[[String]: Set<String>]>([:])
    private static let knownLimit = 256

    init(queue: AcceptQueue, clock: any WallClock, matchKey: @escaping @Sendable (String) -> String?) {
        self.queue = queue
        self.clock = clock
        self.matchKey = matchKey
    }

    /// Replaces the pipelines.
    func watch(_ watches: [Watch]) { self.watches.withLock { $0 = watches } }

    /// Answers a request.
    ///
    /// - Parameters:
    ///   - provider: the last part of the path.
    ///   - reply: called once, on this thread or another.
    func receive(
        provider: Provider, headers: RequestHeaders, body: [UInt8], reply: @escaping @Sendable (Reply) -> Void
    ) {
        guard let hooks = provider.hooks else { return reply(Reply(status: 404, body: "not found\n")) }
        if hooks.isUnsignedPing(headers) { return reply(.ignored("ping")) }
        let now = clock.now()
        let all = watches.withLock { $0 }.filter { $0.provider == provider }
        let (verified, uses) = Self.verified(all, hooks, headers, body, at: now)
        guard !verified.isEmpty else { return reply(.forbidden(provider)) }
        queue.note(uses, at: now)
        // Without a secret that holds, the delivery is for pipelines without one, or for nobody.
        let isVerified = !uses.isEmpty
        let delivery: Delivery
        do { delivery = try hooks.read(headers, body: body) } catch {
            guard isVerified else { return reply(.forbidden(provider)) }
            return reply(
                Reply(
                    status: 400, body: "400 Bad Request: the body is not JSON\n",
                    log: "400 \(provider.rawValue): a signed body is not JSON"))
        }
        guard case .pushes(let pushes) = delivery else {
            guard case .ignored(let reason) = delivery else { return }
            return reply(isVerified || !hooks.isSigned(headers) ? .ignored(reason) : .forbidden(provider))
        }
        let id = hooks.deliveryID(headers).flatMap {
            $0.isEmpty ? nil : String(decoding: $0.utf8.prefix(128), as: UTF8.self)
        }
        let (items, matched, urls) = match(pushes, of: id, verified, provider, at: now)
        guard isVerified || !matched.isEmpty else { return reply(.forbidden(provider)) }
        guard !matched.isEmpty else {
            return reply(stray(of: urls, delivery: id, verified.filter { $0.secrets != nil }, at: now))
        }
        queue.note(matched: matched)
        guard !items.isEmpty else {
            let refs = pushes.prefix(4).map(\.ref.described).joined(separator: " or ")
            return reply(.ignored("no pipeline follows \(refs)"))
        }
        queue.submit(items) { answer in
            switch answer {
            case .accepted(let pipelines):
                let names = pipelines.map { "\"\($0)\"" }.joined(separator: ",")
                reply(Reply(status: 202, body: "{\"status\":\"queued\",\"pipelines\":[\(names)]}\n"))
            case .duplicate: reply(.ignored("duplicate"))
            case .failed(let error):
                reply(
                    Reply(
                        status: 503, body: "503 Service Unavailable: the journal cannot be written\n",
                        log: "503 \(provider.rawValue): \(error.message)"))
            }
        }
    }

    /// The pipelines that take a delivery: those without a secret, and those with one that verifies it.
    private static func verified(
        _ watches: [Watch], _ hooks: any HookProvider, _ headers: RequestHeaders, _ body: [UInt8],
        at now: Timestamp
    ) -> ([Watch], Set<Journal.SecretUse>) {
        // Pipelines that share a secret are asked once.
        var verdicts: [String: Bool] = [:]
        func verifies(_ secret: HookSecret) -> Bool {
            guard secret.isValid(at: now) else { return false }
            if let verdict = verdicts[secret.digest] { return verdict }
            let verdict = hooks.verifies(
                headers, body: body, secret: secret.bytes, now: now.milliseconds / 1000)
            verdicts[secret.digest] = verdict
            return verdict
        }
        var uses: Set<Journal.SecretUse> = []
        let verified = watches.filter { watch in
            guard let secrets = watch.secrets else { return true }
            guard let secret = secrets.first(where: verifies) else { return false }
            uses.insert(Journal.SecretUse(pipeline: watch.pipeline, digest: secret.digest))
            return true
        }
        return (verified, uses)
    }

    /// What a delivery starts, the pipelines of its repository, and the URLs of that.
    private func match(
        _ pushes: [PushEvent], of delivery: String?, _ watches: [Watch], _ provider: Provider,
        at now: Timestamp
    ) -> (items: [AcceptedDelivery], matched: Set<String>, urls: [String]) {
        var items: [AcceptedDelivery] = []
        var matched: Set<String> = []
        var urls: [String] = []
        var keys: Set<String> = []
        for push in pushes {
            // The same for all pushes of a delivery.
            if push.repositories != urls {
                urls = push.repositories
                keys = matchKeys(of: urls)
            }
            for watch in watches where matches(watch, keys) {
                matched.insert(watch.pipeline)
                guard watch.follows(push.ref) else { continue }
                items.append(
                    AcceptedDelivery(
                        pipeline: watch.pipeline, delivery: delivery, branch: push.ref.shown,
                        commit: push.commit.flatMap { ObjectID.isFull($0) ? $0 : nil },
                        note: "webhook (\(provider.rawValue))", at: now))
            }
        }
        return (items, matched, urls)
    }

    /// The answer to a verified delivery of a repository that no pipeline reads which its secret is of.
    ///
    /// - Parameter verified: those pipelines, at least one.
    private func stray(of urls: [String], delivery: String?, _ verified: [Watch], at now: Timestamp) -> Reply
    {
        var strays: [String: StrayDelivery] = [:]
        for watch in verified {
            strays[watch.pipeline] = StrayDelivery(
                of: urls, expected: watch.url, delivery: delivery, at: now)
        }
        // One secret for several repositories is that of a hook which sends the pushes of all there are.
        if Set(verified.map(\.repository)).count == 1 { queue.note(strays) }
        let texts = verified.prefix(3).compactMap { watch in
            strays[watch.pipeline].map { "\(watch.pipeline): \($0.text)" }
        }
        let more = verified.count > 3 ? "; and \(verified.count - 3) more pipelines" : ""
        let text = texts.joined(separator: "; ") + more
        var reply = Reply.ignored("\(text) (\(StrayDelivery.hint))", limit: 2000)
        reply.log = "\(text) (\(StrayDelivery.hint))"
        return reply
    }

    private func matchKeys(of urls: [String]) -> Set<String> {
        if let keys = known.withLock({ $0[urls] }) { return keys }
        let keys = Set(urls.compactMap(matchKey))
        known.withLock { known in
            if known.count >= Self.knownLimit { known.removeAll() }
            known[urls] = keys
        }
        return keys
    }

    /// Whether a payload's repository is the pipeline's own; a key without a host is compared by its path.
    private func matches(_ watch: Watch, _ keys: Set<String>) -> Bool {
        if keys.contains(watch.repository) { return true }
        return keys.contains { $0.hasPrefix("/") && watch.repository.hasSuffix($0) }
    }
}

extension HookReceiver.Reply {
    /// Nobody's secret holds, and it is not of a pipeline that needs none.
    static func forbidden(_ provider: Provider) -> HookReceiver.Reply {
        HookReceiver.Reply(
            status: 403, body: "403 Forbidden\n",
            log: "403 \(provider.rawValue): no pipeline's secret verifies this delivery")
    }

    /// Verified, and nothing to do: 2xx, since providers count anything else as a failure of the hook.
    ///
    /// - Parameter limit: of the reason, in characters.
    package static func ignored(_ reason: String, limit: Int = 200) -> HookReceiver.Reply {
        let text = reason.unicodeScalars.filter { $0.value >= 32 && $0 != "\"" && $0 != "\\" }.prefix(limit)
        return HookReceiver.Reply(
            status: 200,
            body: "{\"status\":\"ignored\",\"reason\":\"\(String(String.UnicodeScalarView(text)))\"}\n")
    }
}
