public import VoltCore
internal import VoltSystem
public import VoltWorkload

/// The progress of an apply.
public enum ApplyProgress: Sendable, Equatable {
    /// A step begins or ends; the service is nil where the step is of the whole workload.
    case step(ApplyStep, ApplyStepState, service: String? = nil)
    /// A line for the log.
    case log(String, service: String? = nil)
}

extension WorkloadTool {
    /// Brings a workload to what its manifest says.
    ///
    /// An error of `started` or `progress` does not end the tool's work, which would leave the workload as it may be:
    /// it is thrown when the tool has ended.
    ///
    /// - Parameters:
    ///   - limit: the tool gives up after this time and undoes what it did; it is killed a while later.
    ///   - started: told the process id before anything is read.
    ///   - stop: asked ten times a second; when it turns true the tool is asked to give up.
    ///   - progress: told each step and line as it comes.
    /// - Throws: `VoltError` when the tool cannot be started.
    public func apply(
        _ request: ApplyRequest, limit: Duration, started: (Int32) throws(VoltError) -> Void = { _ in },
        stop: () -> Bool = { false }, progress: (ApplyProgress) throws(VoltError) -> Void
    ) throws(VoltError) -> ApplyEnd {
        let end = try applyOnce(request, limit: limit, started: started, stop: stop, progress: progress)
        // A tool of an earlier contract knows of no other kinds, and does not mind them.
        guard end.isWrongUsage, !request.replacedKinds.isEmpty else { return end }
        var plain = request
        plain.replacedKinds = []
        return try applyOnce(plain, limit: limit, started: started, stop: stop, progress: progress)
    }

    private func applyOnce(
        _ request: ApplyRequest, limit: Duration, started: (Int32) throws(VoltError) -> Void,
        stop: () -> Bool, progress: (ApplyProgress) throws(VoltError) -> Void
    ) throws(VoltError) -> ApplyEnd {
        let child = try Child.start(path, request.words(limit: limit), environment: command.environment)
        var reader = ApplyReader()
        var failure: VoltError?
        do throws(VoltError) { try started(child.pid) } catch { failure = error }
        let outcome = child.finish(
            limit: limit + WorkloadLimits.undo, grace: WorkloadLimits.grace,
            longestLine: ApplyEvent.longestLine, stop: stop
        ) { stream, line in
            guard let news = reader.read(stream, line) else { return }
            do throws(VoltError) { try progress(news) } catch { failure = failure ?? error }
        }
        return ApplyEnd(
            command: "'volt-\(kind) apply'", limit: limit, outcome: outcome, reader: reader, error: failure)
    }
}

/// The end of an apply.
public struct ApplyEnd: Sendable {
    private let command: String
    private let limit: Duration
    private let outcome: Child.Outcome
    private let reader: ApplyReader
    /// The first error of what was told, or nil.
    private let error: VoltError?

    fileprivate init(
        command: String, limit: Duration, outcome: Child.Outcome, reader: ApplyReader, error: VoltError?
    ) {
        self.command = command
        self.limit = limit
        self.outcome = outcome
        self.reader = reader
        self.error = error
    }

    /// Whether the tool ended by itself: then it has finished or undone what it did.
    public var isSettled: Bool {
        if case .exited = outcome { true } else { false }
    }

    /// Whether the tool has undone what it did: it ended by itself, and says neither by its result nor by its exit
    /// code that it deployed.
    public var isUndone: Bool {
        isSettled && outcome != .exited(0) && (reader.status == nil || reader.status == .failed)
    }

    /// Whether the tool did not know one of the options.
    var isWrongUsage: Bool {
        outcome == .exited(ExitCode.usage.rawValue) && reader.status == nil && error == nil
    }

    /// The digests of images by their names; nil when the tool does not say.
    public var images: [String: String]? { reader.images }

    /// How a deploy that happened ended: `deployed` or `unchanged`.
    ///
    /// - Throws: `VoltError` when it did not happen, in the words of the tool.
    public func status() throws(VoltError) -> ApplyStatus {
        if let error { throw error }
        if outcome == .exited(0), let status = reader.status, status != .failed { return status }
        if outcome == .timedOut {
            throw VoltError(.failed, "the deploy did not end within \(DurationText.format(limit))")
        }
        if let failure = reader.failure { throw VoltError(.failed, failure.error, hint: failure.hint) }
        throw broken
    }

    private var broken: VoltError {
        let hint = "a kind's tool keeps to docs/contract.md, \"A kind of workload\""
        let ended = "\(command) \(outcome.words)"
        switch (outcome, reader.status) {
        case (_, .failed?):
            return VoltError(
                .failed, reader.message.isEmpty ? reader.lastLine ?? ended : reader.message)
        case (_, let status?):
            return VoltError(.failed, "\(ended), though its result is '\(status.rawValue)'", hint: hint)
        case (.exited(0), nil):
            return VoltError(
                .failed,
                reader.wasCut
                    ? "a line of \(command) is longer than \(ApplyEvent.longestLine >> 10) KiB, and no other is its result"
                    : "\(ended), and no line of it is a result", hint: hint)
        default: return VoltError(.failed, reader.lastLine ?? ended)
        }
    }
}

/// What an apply has said so far.
private struct ApplyReader: Sendable {
    var status: ApplyStatus?
    var message = ""
    var images: [String: String]?
    var failure: ToolFailure?
    /// The last line of the log that may be a reason.
    var lastLine: String?
    /// Whether a line was cut that may have been the result.
    var wasCut = false

    mutating func read(_ stream: Child.Stream, _ text: String) -> ApplyProgress? {
        let line = text.hasSuffix("\r") ? String(text.dropLast()) : text
        guard stream == .stdout, let event = ApplyEvent(line: line) else {
            if let said = ToolFailure(line: line) {
                failure = said
                return nil
            }
            if stream == .stdout, line.utf8.count >= ApplyEvent.longestLine, line.hasPrefix("{") {
                wasCut = true
            }
            return line.isEmpty ? nil : log(line)
        }
        switch event {
        case .step(let step, let state, _, let service): return .step(step, state, service: service)
        case .plan: return nil
        case .log(_, let text, let service): return log(text, service)
        case .result(let result, _, let text, let resolved):
            status = result
            images = resolved
            message = text
            return nil
        }
    }

    private mutating func log(_ line: String, _ service: String? = nil) -> ApplyProgress {
        if ToolText.isReason(line) { lastLine = ToolText.cut(line) }
        return .log(line, service: service)
    }
}
