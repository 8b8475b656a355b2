internal import FoundationEssentials
internal import VoltCore
internal import VoltSystem
internal import VoltWorkload

extension Deployer {
    /// Runs `volt-<kind> apply` and follows its events.
    func apply(
        _ tool: String, _ manifest: FoundManifest, _ snapshot: Snapshot, limit: Duration, _ work: inout Work
    ) throws(VoltError) -> ApplyStatus {
        let pipeline = work.pipeline
        let seconds = max(1, limit.milliseconds / 1000)
        let images = try earlierImages(tool, &work)
        // Before the tool starts: a server that dies in between leaves a note for the next one.
        try journal.setUnsettled(true, work.attempt.pipeline)
        let child: Child
        do throws(VoltError) {
            child = try Child.start(
                tool,
                [
                    "apply", "--workload", pipeline.workload.text, "--manifest", manifest.file, "--source",
                    manifest.source, "--revision", snapshot.commit, "--timeout", "\(seconds)s", "-o", "json",
                ] + images.applyWords, environment: environment)
        } catch {
            try journal.setUnsettled(false, work.attempt.pipeline)
            throw error
        }
        work.wasApplied = true
        try journal.setChild(
            pid: child.pid, start: Processes.startTime(child.pid) ?? 0, attempt: work.attempt.id)
        var report = ApplyReport()
        var failure: VoltError?
        var state = work
        // The tool keeps the limit itself and undoes what it did; killing it is the last resort.
        let outcome = child.finish(
            limit: limit + .seconds(30),
            stop: {
                try? flush(&state, all: false)
                return asksToStop(&state) != nil
            }
        ) { stream, line in
            do throws(VoltError) {
                switch report.read(stream, line) {
                case .step(let step): try enter(step.attemptState, &state)
                case .log(let text):
                    state.log.append(text)
                    try flush(&state, all: false)
                case nil: break
                }
            } catch { failure = error }
        }
        work = state
        // One that ended by itself has undone or finished what it did, as the contract says.
        if case .exited = outcome { try journal.setUnsettled(false, work.attempt.pipeline) }
        if let failure { throw failure }
        if outcome == .exited(0), let status = report.status, status != .failed {
            // A tool that does not say keeps what it was given.
            work.images = report.images ?? images
            return status
        }
        if outcome == .timedOut {
            throw VoltError(.failed, "the deploy did not end within \(DurationText.format(limit))")
        }
        if let refusal = report.refusal { throw VoltError(.failed, refusal.error, hint: refusal.hint) }
        throw report.failure(
            "'volt-\(manifest.kind) apply'", outcome,
            tail: work.log.last { !$0.isEmpty && !$0.hasPrefix("hint: ") })
    }
}

/// What an apply has said so far.
private struct ApplyReport {
    enum Line {
        case step(ApplyStep)
        case log(String)
    }

    var status: ApplyStatus?
    var message = ""
    var images: [String: String]?
    var refusal: ToolFailure?

    /// Whether a line was cut that may have been the result.
    var wasCut = false

    mutating func read(_ stream: Child.Stream, _ text: String) -> Line? {
        let line = text.hasSuffix("\r") ? String(text.dropLast()) : text
        let bytes = Data(line.utf8)
        guard stream == .stdout, let event = try? JSONDecoder().decode(ApplyEvent.self, from: bytes) else {
            if let said = try? JSONDecoder().decode(ToolFailure.self, from: bytes) {
                refusal = said
                return nil
            }
            if stream == .stdout, line.utf8.count >= ApplyEvent.longestLine, line.hasPrefix("{") {
                wasCut = true
            }
            return line.isEmpty ? nil : .log(line)
        }
        switch event {
        case .step(let step, .started, _, _): return .step(step)
        case .step, .plan: return nil
        case .log(_, let text, _): return .log(text)
        case .result(let result, _, let text, let resolved):
            status = result
            images = resolved
            message = text
            return nil
        }
    }

    /// Why the attempt failed.
    ///
    /// - Parameter tail: the last line of the log.
    func failure(_ tool: String, _ outcome: Child.Outcome, tail: String?) -> VoltError {
        let hint = "a kind's tool keeps to docs/contract.md, \"A kind of workload\""
        switch (outcome, status) {
        case (_, .failed?):
            return VoltError(.failed, message.isEmpty ? tail ?? "\(tool) \(outcome.words)" : message)
        case (_, let status?):
            return VoltError(
                .failed, "\(tool) \(outcome.words), though its result is '\(status.rawValue)'", hint: hint)
        case (.exited(0), nil):
            return VoltError(
                .failed,
                wasCut
                    ? "a line of \(tool) is longer than \(ApplyEvent.longestLine >> 10) KiB, and no other is its result"
                    : "\(tool) ended with 0, and no line of it is a result", hint: hint)
        default: return VoltError(.failed, tail ?? "\(tool) \(outcome.words)")
        }
    }
}

/// The error of a tool that runs with `-o json`: one object on stderr.
struct ToolFailure: Decodable {
    let error: String
    let hint: String?
}

extension ApplyStep {
    /// The state of the journal that a step stands for.
    var attemptState: AttemptState {
        switch self {
        case .prepare: .building
        case .start: .starting
        case .check: .checking
        case .switch, .stopOld: .switching
        }
    }
}

extension Child.Outcome {
    /// `ended with 3`, for people.
    var words: String {
        switch self {
        case .exited(let code): "ended with \(code)"
        case .signalled(let number): "was ended by signal \(number)"
        case .timedOut: "took too long"
        }
    }
}
