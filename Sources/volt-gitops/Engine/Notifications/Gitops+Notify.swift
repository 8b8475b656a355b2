public import GitopsNotifications
public import VoltCore
internal import VoltCrypto
internal import VoltSystem

extension Gitops {
    var messenger: Messenger { Messenger(environment: environment, clock: clock) }

    /// Keeps an address in a file of mode 0600, where no list shows it.
    ///
    /// - Parameter source: what `--notify` takes.
    /// - Throws: `VoltError` with code `usage`, or `refused` for http to another host.
    public func target(_ source: String, allowHTTP: Bool) throws(VoltError) -> NotifyTarget {
        let address = try NotifyAddress(source)
        var shown = address.text
        if address.kind != .email {
            var request = NotifyRequest()
            request.check = address.text
            shown = try checked(request, allowHTTP: allowHTTP)
        }
        let id = String(SHA256Hasher.digest(of: "\(address.kind) \(address.text)".utf8).hex.prefix(16))
        try paths.make()
        try Files.makeDirectory(paths.addresses, mode: 0o700)
        let file = "\(paths.addresses)/\(id)"
        try Files.replace(file, with: address.text.utf8, mode: 0o600)
        return NotifyTarget(id: id, kind: address.kind, shown: shown, addressFile: file)
    }

    /// Checks the base of an API.
    ///
    /// - Returns: the base without a slash at its end.
    public func api(_ base: String, allowHTTP: Bool) throws(VoltError) -> String {
        var text = base
        while text.hasSuffix("/") { text.removeLast() }
        var request = NotifyRequest()
        request.check = text
        let origin = try checked(request, allowHTTP: allowHTTP)
        guard text.lowercased().hasPrefix(origin), !text.contains("?"), !text.contains("#") else {
            throw VoltError(
                .usage, "the base of the API is not plain",
                hint: "write https://host/path, without user or query")
        }
        return text
    }

    private func checked(_ request: NotifyRequest, allowHTTP: Bool) throws(VoltError) -> String {
        let answer = try messenger.ask(request)
        if let error = answer.error {
            throw VoltError(ExitCode(rawValue: answer.code ?? 1) ?? .failed, error, hint: answer.hint)
        }
        let isLoopback = ["http://localhost", "http://127.", "http://[::1]"].contains {
            answer.text.hasPrefix($0)
        }
        guard answer.text.hasPrefix("https://") || isLoopback || allowHTTP else {
            throw VoltError(
                .refused, "'\(answer.text)' is not encrypted",
                hint: "use https://, or allow it with --allow-http")
        }
        return answer.text
    }

    /// Removes the addresses of a pipeline that is gone and that no other one has.
    func forgetAddresses(of pipeline: Pipeline, _ journal: Journal) throws(VoltError) {
        let gone = pipeline.notify?.targets.map(\.addressFile) ?? []
        guard !gone.isEmpty else { return }
        let kept = Set(try journal.pipelines().flatMap { $0.notify?.targets.map(\.addressFile) ?? [] })
        for file in gone where !kept.contains(file) && file.hasPrefix("\(paths.addresses)/") {
            try Files.remove(file)
        }
    }

    /// What became of a test message.
    public struct TestResult: Codable, Sendable, Equatable {
        /// Who should get it.
        public var target: String
        /// Why it was not delivered, or nil.
        public var error: String?
    }

    /// Sends one message to each target of a pipeline, at once and past the outbox.
    ///
    /// - Throws: `VoltError` with code `notFound` when the pipeline has none.
    public func testNotify(_ name: String) throws(VoltError) -> [TestResult] {
        let pipeline = try journal().pipeline(name)
        guard let settings = pipeline.notify, !settings.targets.isEmpty else {
            throw VoltError(
                .notFound, "pipeline '\(name)' has nobody to notify",
                hint: "give --notify when it is created")
        }
        let now = clock.now()
        let notification = Notification(
            kind: .test, note: "sent by 'volt gitops notify test --name \(name)'", at: now)
        var results: [TestResult] = []
        for target in settings.targets {
            let outcome = messenger.send(
                notification, of: pipeline, to: target.id, id: "volt-\(now.milliseconds)-test-\(target.id)",
                stop: { false })
            let shown = "\(target.kind.rawValue) \(target.shown)"
            switch outcome {
            case .delivered: results.append(TestResult(target: shown))
            case .failed(let reason, _), .refused(let reason):
                results.append(TestResult(target: shown, error: reason))
            }
        }
        return results
    }

    /// Delivers what waits, when no server does it; what fails waits for the next one.
    ///
    /// - Parameter log: gets a line for each message that failed.
    public func deliverNotifications(log: @escaping @Sendable (String) -> Void) throws(VoltError) {
        guard server() == nil, let lock = try? FileLock.tryLock(paths.lock) else { return }
        try OutboxSender(state: paths.state, clock: clock, messenger: messenger, log: log)
            .sendOnce(within: .seconds(10))
        _ = consume lock
    }
}
