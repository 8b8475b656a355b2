internal import GitopsNotifications
internal import GitopsSource
internal import Glibc
internal import VoltCore
internal import VoltSystem

/// Delivers messages through `volt-gitops--notify`, a process without the rights of the server that can be
/// killed.
struct Messenger: Sendable {
    /// What became of a message.
    enum Outcome: Sendable, Equatable {
        case delivered
        /// It may go well later; a server may have said when.
        case failed(reason: String, after: Duration?)
        /// It never will.
        case refused(reason: String)
    }

    /// How long one try may take.
    static let limit = Duration.seconds(20)

    let environment: [String: String]
    let clock: any WallClock

    /// What a letter's receiver is called in the log.
    static func name(of target: String, _ settings: NotifySettings) -> String? {
        if target == OutboxStore.statusTarget {
            return settings.status.map { "the commit status at '\($0.api)'" }
        }
        return settings.targets.first { $0.id == target }.map { "\($0.kind.rawValue) '\($0.shown)'" }
    }

    /// Sends a message.
    ///
    /// - Parameters:
    ///   - target: `status`, or the id of one of the pipeline's targets.
    ///   - id: the same whenever the message is sent again.
    ///   - stop: asked while the helper runs.
    func send(
        _ notification: Notification, of pipeline: Pipeline, to target: String, id: String, stop: () -> Bool
    ) -> Outcome {
        guard let settings = pipeline.notify else { return .refused(reason: "the pipeline tells nobody") }
        do throws(VoltError) {
            let source = source(of: pipeline)
            if target == OutboxStore.statusTarget {
                guard let status = settings.status else {
                    return .refused(reason: "the pipeline has no commit status")
                }
                return try send(status, notification, source, settings, pipeline, stop)
            }
            guard let receiver = settings.targets.first(where: { $0.id == target }) else {
                return .refused(reason: "the pipeline tells it no more")
            }
            let address = try Self.line(of: receiver.addressFile)
            var request = NotifyMessage(notification, source, id: id).request(
                receiver.kind, address: address, secret: try settings.secretFile.map(Self.bytes),
                now: clock.now().milliseconds / 1000, path: environment["PATH"] ?? "/usr/bin:/bin")
            request.web?.caFile = settings.caFile
            request.web?.proxy = settings.proxy
            request.web?.allowsHTTP = pipeline.allowHTTP
            return outcome(try ask(request, stop: stop))
        } catch {
            return error.code == .usage
                ? .refused(reason: error.message) : .failed(reason: error.message, after: nil)
        }
    }

    private func send(
        _ status: StatusSettings, _ notification: Notification, _ source: NotificationSource,
        _ settings: NotifySettings,
        _ pipeline: Pipeline, _ stop: () -> Bool
    ) throws(VoltError) -> Outcome {
        let token = try Self.line(of: status.tokenFile)
        guard var web = status.request(notification, source, token: token) else { return .delivered }
        let repository = try? RepositoryURL(
            pipeline.repo, system: .git, policy: .init(allowsHTTP: true, allowsFile: true))
        let isSameHost = repository.map { !$0.host.isEmpty && status.api.contains("//\($0.host)") } ?? false
        web.caFile = settings.caFile ?? (isSameHost ? pipeline.caFile : nil)
        web.proxy = settings.proxy
        web.allowsHTTP = pipeline.allowHTTP
        var request = NotifyRequest()
        request.web = web
        let answer = try ask(request, stop: stop)
        if status.isRepetition(status: answer.status, text: answer.text) { return .delivered }
        return outcome(answer)
    }

    private func outcome(_ answer: NotifyAnswer) -> Outcome {
        if let error = answer.error {
            let reason = answer.hint.map { "\(error) (\($0))" } ?? error
            return answer.code == ExitCode.usage.rawValue
                ? .refused(reason: reason) : .failed(reason: reason, after: nil)
        }
        switch answer.status {
        case 0, 200...299: return .delivered
        case 408, 425, 429, 500...:
            // Not more often than once a second, and not later than in an hour.
            let wait = answer.retryAfter.map { Duration.seconds(min(max($0, 1), 3600)) }
            return .failed(reason: reason(answer), after: wait)
        default: return .refused(reason: reason(answer))
        }
    }

    private func reason(_ answer: NotifyAnswer) -> String {
        let said = Notification(kind: .test, note: answer.text, at: clock.now()).reason(limit: 200)
        let meaning =
            switch answer.status {
            case 401, 403: ", the token or address is not taken"
            case 404: ", there is no such place, or the token may not see it"
            default: ""
            }
        return "it answered \(answer.status)\(meaning)\(said.isEmpty ? "" : ": \(said)")"
    }

    /// Runs the helper once.
    func ask(_ request: NotifyRequest, stop: () -> Bool = { false }) throws(VoltError) -> NotifyAnswer {
        var request = request
        request.limit = Self.limit.milliseconds
        let input = try NotifyStream.encode(request)
        // A pipe takes 64 KiB before somebody reads (pipe(7)).
        guard input.count < 60 << 10 else { throw VoltError(.usage, "the message is too long") }
        let helper = try Processes.helper("volt-gitops--notify")
        let child = try Child.start(helper, [], environment: environment)
        var line = ""
        var said = ""
        let outcome = child.finish(
            input: input, limit: Self.limit + .seconds(5), grace: .seconds(1), stop: stop
        ) { stream, text in
            if stream == .stdout { line = text } else { said = text }
        }
        if stop() { throw VoltError(.tryAgain, "the message was stopped") }
        guard outcome == .exited(0), !line.isEmpty else {
            throw VoltError(
                .tryAgain, "the messenger ended with \(outcome)\(said.isEmpty ? "" : ": \(said.prefix(200))")"
            )
        }
        return try NotifyStream.decode(NotifyAnswer.self, Array(line.utf8))
    }

    private func source(of pipeline: Pipeline) -> NotificationSource {
        NotificationSource(
            pipeline: pipeline.name.text, workload: pipeline.workload.text, repository: pipeline.repo,
            branch: pipeline.branch, host: Self.hostName)
    }

    /// The name of this machine, of letters that may stand anywhere.
    static let hostName: String = {
        var name = utsname()
        guard uname(&name) == 0 else { return "localhost" }
        let text = withUnsafeBytes(of: &name.nodename) {
            String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
        }
        let clean = text.filter { $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "-" || $0 == ".") }
        return clean.isEmpty ? "localhost" : clean
    }()

    /// The bytes of a file without the line ends at its end.
    static func bytes(of file: String) throws(VoltError) -> [UInt8] {
        var bytes = try Files.read(file, limit: 16 << 10)
        while bytes.last == 10 || bytes.last == 13 { bytes.removeLast() }
        guard !bytes.isEmpty else { throw VoltError(.failed, "'\(file)' is empty") }
        return bytes
    }

    private static func line(of file: String) throws(VoltError) -> String {
        String(decoding: try bytes(of: file), as: UTF8.self)
    }
}
